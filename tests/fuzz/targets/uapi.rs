//! The userspace device's socket: any bytes are a request or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|request: &[u8]| {
    let _ = sfha_wg::uapi::parse(request);
});
