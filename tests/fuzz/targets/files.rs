//! `mesh.yml` and `config.yml`, edited by people: an error names the file, never a panic; and what is edited
//! in a `config.yml` that reads says what it is to say.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sfha_config::edit::edit;
use sfha_config::{Context, EXAMPLE, check};
use sfha_daemon::files::parse_yaml;
use sfha_daemon::mesh_file::MeshFile;
use sfha_proto::{ErrorCode, Failure};

fuzz_target!(|text: &str| {
    let path = Path::new("the.yml");
    let named = |failure: &Failure| {
        assert_eq!(failure.code, ErrorCode::FileInvalid);
        assert_eq!(failure.details["path"], "the.yml");
    };
    let _ = parse_yaml::<MeshFile>(path, text).inspect_err(named);

    let checked = check(text, &Context::default());
    if let Some(failure) = checked.failure("the.yml") {
        named(&failure);
    }
    let (Some(mine), Some(other)) = (checked.valid(), check(EXAMPLE, &Context::default()).config) else {
        return;
    };
    if let Ok(edited) = edit(text, &mine.shared.changes_to(&other.shared)) {
        assert_eq!(
            check(&edited, &Context::default()).config.map(|config| config.shared),
            Some(other.shared)
        );
    }
});
