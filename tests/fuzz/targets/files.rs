//! `mesh.yml` and `config.yml`, edited by people: an error names the file, never a panic.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sfha_daemon::config_file::ConfigFile;
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
    let _ = parse_yaml::<ConfigFile>(path, text).inspect_err(named);
});
