//! `sfha status --exit-code`: one line and an exit status as Nagios, Icinga and their kin want them
//! (<https://www.monitoring-plugins.org/doc/guidelines.html>).

use sfha_proto::mesh::PeerState;
use sfha_proto::status::{ClusterStatus, VipState};

use crate::assess;
use crate::problem::Problem;
use crate::t;
use crate::words::Tone;

/// What the line begins with, and the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Ok,
    /// Something is worth a look.
    Warning,
    /// Something is broken.
    Critical,
    /// Nobody could say.
    Unknown,
}

impl Verdict {
    /// The exit status.
    pub fn exit(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// The word, which is the same in every language.
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What a status comes to.
pub fn judge(status: &ClusterStatus) -> (Verdict, String) {
    let concerns = assess::concerns(status);
    let verdict = match concerns.iter().map(|concern| concern.tone).max() {
        None => Verdict::Ok,
        Some(Tone::Bad) => Verdict::Critical,
        Some(_) => Verdict::Warning,
    };
    let text = if concerns.is_empty() {
        t!("all-well", nodes = status.nodes.len(), vips = serving(status))
    } else {
        concerns.iter().map(|concern| concern.text.as_str()).collect::<Vec<_>>().join(" ")
    };
    let about = if status.cluster.is_empty() {
        text
    } else {
        t!("check-cluster", cluster = status.cluster.as_str(), text = text)
    };
    (verdict, line(verdict, &about, Some(&figures(status))))
}

/// What a failure comes to.
pub fn failed(problem: &Problem) -> (Verdict, String) {
    (Verdict::Unknown, line(Verdict::Unknown, &problem.message, None))
}

fn line(verdict: Verdict, text: &str, figures: Option<&str>) -> String {
    // What follows a bar is figures.
    let text = text.replace('|', "/").replace('\n', " ");
    let figures = figures.map(|figures| format!(" | {figures}")).unwrap_or_default();
    format!("SFHA {} - {text}{figures}\n", verdict.word())
}

fn serving(status: &ClusterStatus) -> usize {
    status.vips.iter().filter(|vip| vip.state == VipState::Active).count()
}

/// `label=value;warn;crit;min;max`
fn figures(status: &ClusterStatus) -> String {
    let mut figures = Vec::new();
    let mut counted =
        |label: &str, found: usize, all: usize| figures.push(format!("{label}={found};;;0;{all}"));
    let online = status.nodes.iter().filter(|node| node.online && node.daemon).count();
    counted("nodes", online, status.nodes.len());
    counted("vips", serving(status), status.vips.len());
    let active = status.services.iter().filter(|service| service.state == "active").count();
    counted("services", active, status.services.len());
    let healthy = status.health.iter().filter(|check| check.healthy == Some(true)).count();
    counted("checks", healthy, status.health.len());
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let connected = status.mesh_detail.as_ref().map_or(count(status.mesh.connected), |mesh| {
        mesh.peers.iter().filter(|peer| peer.member && peer.state == PeerState::Connected).count()
    });
    if status.mesh.enabled {
        counted("peers", connected, count(status.mesh.peers));
    }
    if let (Some(votes), Some(needed), Some(expected)) =
        (status.quorum.votes, status.quorum.needed, status.quorum.expected)
    {
        figures.push(format!("votes={votes};;{needed}:;0;{expected}"));
    }
    figures.join(" ")
}
