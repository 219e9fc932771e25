//! `keepalived.conf`, from anywhere: whatever it says, what is made of it is a `config.yml` without a fault.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sfha_config::{Context, check, keepalived, new_file};

fuzz_target!(|text: &str| {
    let imported = keepalived::import(text);
    let whole = format!("{}{}", new_file("cluster", "node", false), imported.yaml);
    let checked = check(&whole, &Context::default());
    let config = checked.valid().expect("what is imported is valid");
    assert_eq!((config.shared.vips.len(), config.shared.checks.len()), (imported.vips, imported.checks));
});
