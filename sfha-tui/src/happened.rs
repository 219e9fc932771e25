//! What has happened, in sentences.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sfha_proto::history::{EventKind, HistoryEvent, Level};

use crate::format;
use crate::i18n::{Lang, current};
use crate::paint::Paint;
use crate::t;
use crate::words::{self, Tone};

/// Good or bad news.
pub fn tone(event: &HistoryEvent) -> Tone {
    match (event.level, event.kind) {
        (Level::Critical, _) => Tone::Bad,
        (Level::Warning, _) => Tone::Warn,
        (Level::Info, EventKind::LeaderChanged | EventKind::ConfigChanged | EventKind::PeerKey) => {
            Tone::Plain
        }
        (Level::Info, _) => Tone::Good,
    }
}

/// The sentence.
pub fn sentence(event: &HistoryEvent) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "no-value".to_owned());
    let node = or_none(&event.node);
    let name = or_none(&event.resource);
    let (from, to, detail) = (or_none(&event.from), or_none(&event.to), or_none(&event.detail));
    match event.kind {
        EventKind::DaemonStarted => t!("event-daemon-started", node = node),
        EventKind::NodeAdded => t!("event-node-added", node = node),
        EventKind::NodeRemoved => t!("event-node-removed", node = node),
        EventKind::NodeLost => t!("event-node-lost", node = node),
        EventKind::NodeBack => t!("event-node-back", node = node),
        EventKind::DaemonLost => t!("event-daemon-lost", node = node),
        EventKind::DaemonBack => t!("event-daemon-back", node = node),
        EventKind::StandbyOn => t!("event-standby", node = node),
        EventKind::StandbyOff => t!("event-unstandby", node = node),
        EventKind::CorosyncLost => t!("event-corosync-lost", node = node),
        EventKind::CorosyncBack => t!("event-corosync-back", node = node),
        EventKind::QuorumLost => t!("event-no-quorum"),
        EventKind::QuorumRegained => t!("event-quorum"),
        EventKind::LeaderChanged => match &event.to {
            Some(leader) => t!("event-leader", node = leader.as_str()),
            None => t!("event-no-leader"),
        },
        EventKind::MaintenanceOn => t!("event-maintenance-on"),
        EventKind::MaintenanceOff => t!("event-maintenance-off"),
        EventKind::ConfigChanged => t!("event-config-changed", version = detail),
        EventKind::VipAdded => t!("event-vip-added", name = name),
        EventKind::VipRemoved => t!("event-vip-removed", name = name),
        EventKind::VipLost => t!("event-vip-lost", name = name, node = node),
        EventKind::VipServed => t!("event-vip-active", name = name, node = node),
        EventKind::VipMoved => t!("event-vip-moved", name = name, from = from, to = to),
        EventKind::VipProblem => t!("event-vip-problem", name = name, why = words::problem(&detail)),
        EventKind::VipConflict => t!("event-vip-conflict", name = name, by = detail),
        EventKind::VipConflictOver => t!("event-vip-conflict-over", name = name),
        EventKind::ServiceAdded => t!("event-service-added", name = name),
        EventKind::ServiceRemoved => t!("event-service-removed", name = name),
        EventKind::ServiceStarted => t!("event-service-started", name = name, node = node),
        EventKind::ServiceMoved => t!("event-service-moved", name = name, from = from, to = to),
        EventKind::ServiceStopped => t!("event-service-stopped", name = name, node = node),
        EventKind::ServiceFailed => t!("event-service-failed", name = name, node = node),
        EventKind::CheckFailed => t!("event-check-bad", name = name),
        EventKind::CheckRecovered => t!("event-check-good", name = name),
        EventKind::PeerLost => t!("event-peer-stale", node = node),
        EventKind::PeerConnected => t!("event-peer-connected", node = node),
        EventKind::PeerPath => t!("event-peer-path", node = node, path = words::path(&to)),
        EventKind::PeerKey => t!("event-peer-key", node = node),
        EventKind::LinkLost => t!("event-link-down", link = name, node = node),
        EventKind::LinkBack => t!("event-link-up", link = name, node = node),
        EventKind::FencingStarted => t!("event-fencing", node = node),
        EventKind::FencingBegun => t!("event-fencing-begun", node = node, level = name),
        EventKind::FencingTryFailed => {
            t!("event-fencing-try-failed", node = node, level = name, why = words::problem(&detail))
        }
        EventKind::FencingFailed => t!("event-fencing-failed", node = node, why = words::problem(&detail)),
        EventKind::FencingHeld => t!("event-fencing-held", node = node, why = detail),
        EventKind::FencingStorm => t!("event-fencing-storm", node = node),
        EventKind::FencingConfirmed => t!("event-fencing-confirmed", node = node, by = detail),
        EventKind::FencingHandedOver => t!("event-fencing-handed-over", node = node, to = to),
        EventKind::FencingOver => t!("event-fencing-over", node = node),
        EventKind::UnfenceBegun => t!("event-unfence-begun", node = node, by = detail),
        EventKind::UnfenceDone => t!("event-unfence-done", node = node),
        EventKind::UnfenceFailed => t!("event-unfence-failed", node = node, why = words::problem(&detail)),
        EventKind::FencingTestFailed => {
            t!("event-fencing-test-failed", node = node, level = name, why = words::problem(&detail))
        }
        EventKind::FencingTestGood => t!("event-fencing-test-good", node = node, level = name),
        _ => t!("event-other"),
    }
}

/// How long what it ends has lasted, if that is known.
pub fn lasted(event: &HistoryEvent) -> Option<String> {
    let ms = event.duration_ms?;
    let time = match i64::try_from(ms / 1000) {
        Ok(seconds @ 60..) => format::age(seconds),
        _ => format::millis(ms),
    };
    Some(match event.kind {
        EventKind::VipMoved | EventKind::VipServed => t!("happened-unserved", time = time),
        EventKind::ServiceMoved | EventKind::ServiceStarted => t!("happened-stopped", time = time),
        _ => t!("happened-after", time = time),
    })
}

/// One line: when, what, how long; set in where it follows from something that is shown, too.
pub fn line(event: &HistoryEvent, follows: bool, zone: &TimeZone, paint: Paint) -> String {
    let time = event.time.parse::<Timestamp>().map_or_else(
        |_| event.time.clone(),
        |at| {
            let at = at.to_zoned(zone.clone());
            let form = match current() {
                Lang::French => "%d/%m/%Y %H:%M:%S",
                Lang::English => "%Y-%m-%d %H:%M:%S",
            };
            at.strftime(form).to_string()
        },
    );
    let arrow = match (follows, paint.utf8) {
        (false, _) => "",
        (true, true) => "└ ",
        (true, false) => "\\ ",
    };
    let mark = paint.mark(tone(event));
    let lasted = lasted(event).map(|text| paint.tone(Tone::Dim, &format!(" ({text})"))).unwrap_or_default();
    format!(
        "{}  {}{mark} {}{lasted}\n",
        paint.tone(Tone::Dim, &time),
        paint.tone(Tone::Dim, arrow),
        sentence(event)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n;

    fn event(kind: EventKind) -> HistoryEvent {
        HistoryEvent {
            id: 1,
            time: "2026-01-02T03:04:05.678Z".into(),
            kind,
            level: kind.level(),
            seen_by: "n1".into(),
            node: Some("n2".into()),
            resource: Some("web".into()),
            from: Some("n1".into()),
            to: Some("n2".into()),
            detail: Some("7".into()),
            duration_ms: Some(412),
            cause: None,
            chain: 1,
        }
    }

    #[test]
    fn every_kind_has_a_sentence_in_both_languages_also_when_little_is_known() {
        for lang in [Lang::French, Lang::English] {
            i18n::set(lang);
            let other = sentence(&event(EventKind::Other));
            for kind in EventKind::ALL {
                let full = sentence(&event(kind));
                assert!(full != other && full.len() > 8, "{kind:?}: {full}");
                let bare = HistoryEvent {
                    node: None,
                    resource: None,
                    from: None,
                    to: None,
                    detail: None,
                    ..event(kind)
                };
                let bare = sentence(&bare);
                assert!(!bare.contains(['{', '$']), "{kind:?}: {bare}");
            }
        }
    }

    #[test]
    fn a_line_says_when_what_and_for_how_long() {
        i18n::set(Lang::French);
        let paint = Paint { colour: false, utf8: true };
        let text = line(&event(EventKind::VipMoved), true, &TimeZone::UTC, paint);
        assert_eq!(
            text,
            "02/01/2026 03:04:05  └ ○ VIP web passée de n1 à n2. (sans réponse pendant 412\u{a0}ms)\n"
        );
        i18n::set(Lang::English);
        let text = line(&event(EventKind::VipMoved), false, &TimeZone::UTC, paint);
        assert_eq!(text, "2026-01-02 03:04:05  ○ VIP web moved from n1 to n2. (not served for 412 ms)\n");
    }
}
