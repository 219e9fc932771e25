//! Fencing in words: how far it is, why, with what, and how long it still takes.

use sfha_proto::fencing::{
    FencingCause, FencingEntry, FencingHappened, FencingHeld, FencingPhase, FencingPower, FencingProof,
    FencingStorm, NodeFencing, WatchdogStatus,
};

use super::Tone;
use crate::problem::Problem;
use crate::{format, t};

/// How far the fencing of a node is.
pub fn phase(phase: Option<FencingPhase>) -> (Tone, String) {
    match phase {
        None => (Tone::Dim, t!("fencing-none")),
        Some(FencingPhase::Suspected) => (Tone::Bad, t!("fencing-suspected")),
        Some(FencingPhase::Delayed) => (Tone::Warn, t!("fencing-delayed")),
        Some(FencingPhase::Fencing) => (Tone::Warn, t!("fencing-fencing")),
        Some(FencingPhase::Verifying) => (Tone::Warn, t!("fencing-verifying")),
        Some(FencingPhase::Fenced) => (Tone::Good, t!("fencing-fenced")),
        Some(FencingPhase::Failed) => (Tone::Bad, t!("fencing-failed")),
        Some(_) => (Tone::Warn, t!("fencing-unknown")),
    }
}

/// Why a suspected node is not fenced yet.
pub fn held(held: FencingHeld) -> String {
    match held {
        FencingHeld::Storm => t!("held-storm"),
        FencingHeld::TooSoon => t!("held-too-soon"),
        FencingHeld::Maintenance => t!("held-maintenance"),
        FencingHeld::NoDriver => t!("held-no-driver"),
        _ => t!("held-unknown"),
    }
}

/// What a driver says of a node.
pub fn power(power: FencingPower) -> String {
    match power {
        FencingPower::On => t!("power-on"),
        FencingPower::Off => t!("power-off"),
        _ => t!("power-unknown"),
    }
}

fn cause(cause: FencingCause) -> String {
    match cause {
        FencingCause::Lost => t!("cause-lost"),
        FencingCause::Unseen => t!("cause-unseen"),
        FencingCause::Requested => t!("cause-requested"),
        FencingCause::StopFailed => t!("cause-stop-failed"),
        _ => t!("cause-unknown"),
    }
}

fn proof(proof: FencingProof, level: Option<&str>) -> String {
    match (proof, level) {
        (FencingProof::Off, Some(level)) => t!("proof-off", level = level),
        (FencingProof::Answer, Some(level)) => t!("proof-answer", level = level),
        (FencingProof::Confirmed, _) => t!("proof-confirmed"),
        (FencingProof::Watchdog, _) => t!("proof-watchdog"),
        _ => t!("proof-unknown"),
    }
}

/// The rest of what is known of a node's fencing, so many milliseconds after it was told.
pub fn details(node: &NodeFencing, elapsed_ms: u64) -> String {
    let left = |ms: Option<u64>| ms.map(|ms| format::age(seconds_left(ms, elapsed_ms)));
    // Time first: it is what is looked for, and the rest may be cut off.
    let mut parts: Vec<String> = Vec::new();
    parts.extend(left(node.next_ms).map(|time| t!("fencing-next", time = time)));
    if node.phase != Some(FencingPhase::Fenced) {
        parts.extend(left(node.watchdog_ms).map(|time| t!("fencing-watchdog", time = time)));
    }
    match node.phase {
        Some(FencingPhase::Suspected) => parts.extend(node.held.map(held)),
        Some(FencingPhase::Fencing | FencingPhase::Verifying) => {
            let level = node.level.as_deref().unwrap_or_default();
            parts.push(t!("fencing-try", level = level, attempt = node.attempt.unwrap_or(1)));
        }
        Some(FencingPhase::Fenced) => {
            parts.extend(node.proof.map(|found| proof(found, node.level.as_deref())));
        }
        Some(_) | None => {}
    }
    parts.extend(node.by.as_deref().map(|by| t!("fencing-by-whom", by = by)));
    if node.phase != Some(FencingPhase::Fenced) {
        let error = node.error.as_ref().map(|error| Problem::from(error.clone()).message);
        parts.extend(error.filter(|_| node.phase.is_some()));
    }
    if node.switching_on {
        parts.push(t!("fencing-switching-on"));
    }
    if node.phase.is_none() && node.excused {
        parts.push(t!("fencing-excused"));
    }
    parts.join(", ")
}

/// Whole seconds that are left, the last one counted.
fn seconds_left(ms: u64, elapsed_ms: u64) -> i64 {
    i64::try_from(ms.saturating_sub(elapsed_ms).div_ceil(1000)).unwrap_or(i64::MAX)
}

/// The storm limit, and what it holds back.
pub fn storm(storm: &FencingStorm, elapsed_ms: u64) -> String {
    let text = t!("storm", begun = storm.begun, limit = storm.limit);
    match storm.next_ms.filter(|_| storm.holding) {
        Some(ms) => {
            let time = format::age(seconds_left(ms, elapsed_ms));
            format!("{text}, {}", t!("fencing-next", time = time))
        }
        None => text,
    }
}

/// The watchdog of the node that answers.
pub fn watchdog(watchdog: &WatchdogStatus, elapsed_ms: u64) -> String {
    let device = watchdog.device.as_str();
    match (&watchdog.error, watchdog.reset_ms, watchdog.timeout_ms) {
        (Some(error), _, _) => Problem::from(error.clone()).message,
        (None, Some(ms), _) => {
            t!("watchdog-resets", device = device, time = format::age(seconds_left(ms, elapsed_ms)))
        }
        (None, None, Some(ms)) => t!("watchdog-runs", device = device, time = format::millis(ms)),
        (None, None, None) => t!("watchdog-rests", device = device),
    }
}

/// What happened, one line of the history.
pub fn happened(entry: &FencingEntry) -> (Tone, String) {
    let (tone, mut text) = match entry.what {
        FencingHappened::Suspected => (Tone::Bad, t!("happened-suspected")),
        FencingHappened::Held => (Tone::Warn, t!("happened-held")),
        FencingHappened::Begun => (Tone::Warn, t!("happened-begun")),
        FencingHappened::TryFailed => (Tone::Bad, t!("happened-try-failed")),
        FencingHappened::Failed => (Tone::Bad, t!("happened-failed")),
        FencingHappened::HandedOver => {
            (Tone::Warn, t!("happened-handed-over", actor = entry.actor.clone().unwrap_or_default()))
        }
        FencingHappened::Fenced => (Tone::Good, t!("happened-fenced")),
        FencingHappened::Returned => (Tone::Good, t!("happened-returned")),
        FencingHappened::SwitchOn => (Tone::Plain, t!("happened-switch-on")),
        FencingHappened::SwitchedOn => (Tone::Good, t!("happened-switched-on")),
        FencingHappened::SwitchOnFailed => (Tone::Bad, t!("happened-switch-on-failed")),
        _ => (Tone::Plain, t!("fencing-unknown")),
    };
    let proven = entry.proof.map(|found| proof(found, entry.level.as_deref()));
    let level = entry.level.clone().filter(|_| entry.proof.is_none());
    let error = entry.error.as_ref().map(|error| Problem::from(error.clone()).message);
    let by = entry.by.as_deref().map(|by| t!("fencing-by-whom", by = by));
    // Worth a word where there is more than one.
    let attempt = entry.attempt.filter(|_| entry.what == FencingHappened::TryFailed);
    let attempt = attempt.map(|attempt| t!("fencing-attempt", attempt = attempt));
    let why = entry.why.as_deref().map(|why| t!("fencing-why", why = why));
    let parts = [entry.cause.map(cause), entry.held.map(held), proven, level, attempt, by, why, error];
    for part in parts.into_iter().flatten() {
        text.push_str(", ");
        text.push_str(&part);
    }
    (tone, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(phase: FencingPhase) -> NodeFencing {
        serde_json::from_value(serde_json::json!({"name": "node2", "phase": phase})).unwrap()
    }

    #[test]
    fn a_countdown_runs_and_ends_at_nothing() {
        let delayed = NodeFencing { next_ms: Some(9_500), ..node(FencingPhase::Delayed) };
        let told = |elapsed| details(&delayed, elapsed);
        assert_eq!(
            [told(0), told(600), told(20_000)],
            ["10", "9", "0"].map(|s| format!("suite dans {s}\u{a0}s"))
        );
    }

    #[test]
    fn the_last_error_is_told_while_it_matters_and_only_then() {
        let error = Some(
            sfha_proto::Failure::new(sfha_proto::ErrorCode::FenceDenied)
                .with("driver", "proxmox")
                .with("status", 401),
        );
        let failed =
            NodeFencing { error: error.clone(), next_ms: Some(20_000), ..node(FencingPhase::Failed) };
        assert_eq!(details(&failed, 0), "suite dans 20\u{a0}s, Accès refusé par proxmox (HTTP 401).");
        let fenced = NodeFencing {
            error,
            proof: Some(FencingProof::Off),
            level: Some("ipmi".into()),
            ..node(FencingPhase::Fenced)
        };
        assert_eq!(details(&fenced, 0), "vu éteint par ipmi");
    }
}
