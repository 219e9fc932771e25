//! `stonith.safety:`: limits and delays, each with its key.

use sfha_core::fencing::settings::Safety;
use sfha_proto::config::FindingCode;

use super::LONGEST_MS;
use crate::reader::{Fields, Reader, Unit};

/// Its durations: the key, and where it is kept. A bare number is seconds.
pub const DURATIONS: &[(&str, Place)] = &[
    ("min_delay_between_fence", |safety| &mut safety.min_delay_between_fence_ms),
    ("startup_grace_period", |safety| &mut safety.startup_grace_ms),
    ("fence_delay_on_node_left", |safety| &mut safety.delay_ms),
    ("head_start", |safety| &mut safety.head_start_ms),
    ("retry_delay", |safety| &mut safety.retry_ms),
    ("backoff", |safety| &mut safety.backoff_ms),
    ("backoff_max", |safety| &mut safety.backoff_max_ms),
    ("call_timeout", |safety| &mut safety.call_ms),
    ("verify_timeout", |safety| &mut safety.verify_ms),
    ("verify_interval", |safety| &mut safety.verify_every_ms),
    ("watchdog_margin", |safety| &mut safety.watchdog_margin_ms),
];

/// Where a duration is kept, in milliseconds.
pub type Place = fn(&mut Safety) -> &mut u64;

/// Keys whose time may not be nothing.
const NOT_NOTHING: [&str; 3] = ["call_timeout", "verify_interval", "backoff"];

/// Reads it.
pub fn decode(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Safety {
    let mut safety = Safety::default();
    if reader.boolean(fields, "require_quorum") == Some(false) {
        let at = fields.place("require_quorum");
        reader.findings.warning(FindingCode::QuorumAlways, &fields.path_of("require_quorum"), at);
    }
    for (name, place) in DURATIONS {
        let least = if NOT_NOTHING.contains(name) { 100 } else { 0 };
        if let Some(time) = reader.duration(fields, &[(*name, Unit::Seconds)], least..=LONGEST_MS) {
            *place(&mut safety) = time;
        }
    }
    let mut count = |name, into: &mut u32, most| {
        if let Some(count) = reader.number(fields, name, 1..=most) {
            *into = u32::try_from(count).unwrap_or(u32::MAX);
        }
    };
    count("max_fences_per_5min", &mut safety.max_fences_per_5min, 100);
    count("attempts", &mut safety.attempts, 100);
    if let Some(on) = reader.boolean(fields, "power_on") {
        safety.power_on = on;
    }
    safety
}
