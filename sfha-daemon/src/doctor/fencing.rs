//! Fencing, as far as it can be looked at without switching anything.

use std::time::Duration;

use jiff::Timestamp;
use sfha_config::Context;
use sfha_core::fencing::settings::{FencingSettings, Level};
use sfha_proto::doctor::{Level as Weight, Observation, Symptom};
use sfha_proto::{ErrorCode, Failure};

use super::facts::{Daemon, Fencing, Watchdog};
use crate::config_file;
use crate::fencing::{calls, https};
use crate::paths::Paths;

/// Longest time for what a driver says, and for a certificate: whoever waits for a diagnosis waits for both.
const DEADLINE: Duration = Duration::from_secs(6);

/// Fewer days than this, and somebody should renew a certificate: Proxmox VE renews its own two weeks before the end.
const DAYS: i64 = 30;

/// The settings of this node's file, where they read.
pub(super) fn settings(paths: &Paths) -> Option<FencingSettings> {
    let (_, checked) = config_file::read(paths, &Context::default()).ok()??;
    checked.valid().map(|config| config.shared.stonith.clone())
}

/// `None`: it is off.
pub(super) async fn look(
    settings: Option<FencingSettings>,
    me: Option<&str>,
    daemon: Option<&Daemon>,
) -> Option<Fencing> {
    let settings = settings.filter(|settings| settings.enabled)?;
    let status = daemon.and_then(|daemon| daemon.status.as_ref());
    let names: Vec<String> = match status {
        Some(status) => status.nodes.iter().map(|node| node.name.clone()).collect(),
        None => settings.nodes.keys().cloned().collect(),
    };
    let unguarded = names.iter().filter(|name| settings.levels_of(name).is_empty()).cloned().collect();
    let others: Vec<String> = names.into_iter().filter(|name| Some(name.as_str()) != me).collect();
    let tests = calls::test(&settings, &others, DEADLINE);
    let (tests, certificates) = tokio::join!(tests, certificates(&settings));
    let own = me.is_some_and(|me| settings.levels_of(me).contains(&Level::Watchdog));
    let told = status.and_then(|status| status.fencing.watchdog.as_ref());
    let watchdog = own.then(|| Watchdog {
        there: settings.watchdog.device.exists(),
        path: settings.watchdog.device.clone(),
        timeout_ms: told.and_then(|told| told.timeout_ms).unwrap_or(settings.watchdog.timeout_ms),
        failure: told.and_then(|told| told.error.clone()),
    });
    Some(Fencing { unguarded, tests, certificates, watchdog })
}

/// Of the hosts of Proxmox VE: a webhook's URL may hold a secret, and is called for nothing else than what it does.
async fn certificates(settings: &FencingSettings) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    let urls = settings.proxmox.iter().flat_map(|proxmox| &proxmox.api_urls);
    for url in urls.take(3) {
        if let Some(end) = https::certificate_end(url, DEADLINE).await {
            let left = end - Timestamp::now().as_second();
            found.push((url.clone(), left.div_euclid(24 * 60 * 60).max(0)));
        }
    }
    found
}

/// What there is to say about it.
pub(super) fn judge(fencing: &Fencing, all: &mut Vec<Observation>) {
    let new = |weight, code| Observation::new(weight, code);
    for node in &fencing.unguarded {
        all.push(new(Weight::Warning, Symptom::FenceNobody).with("node", node.as_str()));
    }
    // The file itself was looked at already.
    let open = |failure: &Failure| failure.code == ErrorCode::FileMode;
    let bad = fencing.tests.iter().filter_map(|test| Some((test, test.error.as_ref()?)));
    let told = all.len();
    all.extend(bad.filter(|(_, error)| !open(error)).map(|(test, error)| {
        new(Weight::Error, Symptom::FenceFails)
            .with("node", test.node.as_str())
            .with("level", test.level.as_str())
            .with("error", serde_json::to_value(error).unwrap_or_default())
    }));
    let good = fencing.tests.iter().filter(|test| test.error.is_none()).count();
    if all.len() == told && good > 0 {
        all.push(new(Weight::Ok, Symptom::FenceTested).with("count", good));
    }
    for (endpoint, days) in &fencing.certificates {
        let found = match *days < DAYS {
            true => new(Weight::Warning, Symptom::FenceCertificateEnds),
            false => new(Weight::Ok, Symptom::FenceCertificate),
        };
        all.push(found.with("endpoint", endpoint.as_str()).with("days", *days));
    }
    if let Some(watchdog) = &fencing.watchdog {
        self::watchdog(watchdog, all);
    }
}

fn watchdog(watchdog: &Watchdog, all: &mut Vec<Observation>) {
    use sfha_core::fencing::settings::WATCHDOG_LEAST_MS;
    let path = watchdog.path.display().to_string();
    let seconds = watchdog.timeout_ms / 1000;
    let found = match &watchdog.failure {
        _ if !watchdog.there => Observation::new(Weight::Error, Symptom::FenceWatchdogMissing),
        Some(failure) => Observation::new(Weight::Error, Symptom::FenceWatchdogFails)
            .with("error", serde_json::to_value(failure).unwrap_or_default()),
        None if watchdog.timeout_ms < WATCHDOG_LEAST_MS => {
            all.push(
                Observation::new(Weight::Warning, Symptom::FenceWatchdogShort)
                    .with("seconds", seconds)
                    .with("least", WATCHDOG_LEAST_MS / 1000),
            );
            return;
        }
        None => Observation::new(Weight::Ok, Symptom::FenceWatchdog).with("seconds", seconds),
    };
    all.push(found.with("path", path));
}
