//! A fixture, keys as a string, and the screen that follows. The last line is a hash of the styles, so
//! that a change of colour is seen too.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use sfha_proto::message::LogLine;
use sfha_proto::status::{ClusterStatus, NodeStatus};
use sfha_proto::{ErrorCode, Failure};

use super::*;
use crate::app::{Look, Msg};
use crate::client::link::LinkEvent;
use crate::i18n::{self, Lang};
use crate::keymap;

const SECOND_0: &str = "2026-11-22T18:00:00Z";

fn at(second: i64) -> Timestamp {
    SECOND_0.parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(second)
}

fn fixture(name: &str) -> ClusterStatus {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn look() -> Look {
    Look { colour: true, utf8: true }
}

fn connected(look: Look) -> App {
    let mut app = App::new(at(0), TimeZone::UTC, look, false);
    app.update(Msg::Heard(LinkEvent::Connected { version: "0.1.0".into() }, at(0)));
    app
}

/// Twenty seconds of this cluster, with some traffic and three lines of log.
fn living(status: &ClusterStatus, look: Look) -> App {
    let mut app = connected(look);
    for second in 0..20 {
        let mut now = status.clone();
        for (at, peer) in now.mesh_detail.iter_mut().flat_map(|mesh| &mut mesh.peers).enumerate() {
            let wave = u64::try_from(second % 5).unwrap() * 1000 + 400;
            peer.rx_bytes += u64::try_from(second).unwrap() * wave * (at as u64 + 1);
            peer.tx_bytes += u64::try_from(second).unwrap() * 9_300;
        }
        app.update(Msg::Heard(LinkEvent::Status(Box::new(now)), at(second)));
    }
    for (second, level, target, message) in [
        (3, "INFO", "event_loop", "quorate votes=3 expected=3 leader=node1"),
        (
            7,
            "WARN",
            "io::wireguard",
            "handshake is old peer=node3 age_s=187 endpoint=203.0.113.30:51820 again=true",
        ),
        (9, "ERROR", "io::netlink", "address was removed by somebody else vip=web"),
    ] {
        let line = LogLine {
            time: at(second).to_string(),
            level: level.into(),
            target: format!("sfhad::{target}"),
            message: message.into(),
        };
        app.update(Msg::Heard(LinkEvent::Log(line), at(19)));
    }
    app
}

fn press(app: &mut App, keys: &str) {
    let mut rest = keys;
    while !rest.is_empty() {
        let (code, length) = if let Some(named) = rest.strip_prefix('<') {
            let end = named.find('>').unwrap();
            let code = match &named[..end] {
                "tab" => KeyCode::Tab,
                "enter" => KeyCode::Enter,
                "esc" => KeyCode::Esc,
                "down" => KeyCode::Down,
                other => panic!("{other}"),
            };
            (code, end + 2)
        } else {
            let c = rest.chars().next().unwrap();
            (KeyCode::Char(c), c.len_utf8())
        };
        rest = &rest[length..];
        if let Some(msg) = keymap::dispatch(app, KeyEvent::new(code, KeyModifiers::NONE)) {
            app.update(msg);
        }
    }
}

fn screen(app: &App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(app, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for y in 0..height {
        let mut line = String::new();
        for x in 0..width {
            let cell = &buffer[(x, y)];
            line.push_str(cell.symbol());
            for byte in format!("{:?}{:?}{:?}", cell.fg, cell.bg, cell.modifier).bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        text.push_str(line.trim_end_matches(' '));
        text.push('\n');
    }
    format!("{text}styles {hash:016x}\n")
}

/// Fixture, keys, screen.
fn shot(name: &str, keys: &str, width: u16, height: u16) -> String {
    let mut app = living(&fixture(name), look());
    press(&mut app, keys);
    screen(&app, width, height)
}

macro_rules! snapshots {
    ($($test:ident: $fixture:literal, $keys:literal, $width:literal x $height:literal;)*) => {$(
        #[test]
        fn $test() {
            insta::assert_snapshot!(shot($fixture, $keys, $width, $height));
        }
    )*};
}

snapshots! {
    healthy: "healthy", "", 80 x 24;
    healthy_large: "healthy", "", 120 x 40;
    healthy_very_large: "healthy", "jj", 200 x 60;
    failing_over: "failing-over", "jjj", 80 x 24;
    failing_over_large: "failing-over", "", 120 x 40;
    failing_over_small: "failing-over", "j", 60 x 20;
    no_quorum: "no-quorum", "", 80 x 24;
    unconfigured: "unconfigured", "", 80 x 24;
    details_of_a_node: "healthy", "j<enter>", 80 x 24;
    details_of_a_vip: "failing-over", "jjjj<enter>", 80 x 24;
    details_of_a_peer: "healthy", "G<enter>", 80 x 24;
    question_standby: "healthy", "s", 80 x 24;
    question_standby_small: "healthy", "js", 60 x 20;
    question_maintenance: "healthy", "m", 80 x 24;
    alerts: "failing-over", "a", 80 x 24;
    notice: "failing-over", "jjs", 80 x 24;
    logs: "healthy", "<tab>", 80 x 24;
    logs_looked_through: "healthy", "2k<enter>", 80 x 24;
    help: "healthy", "?", 80 x 40;
    help_small: "healthy", "?G", 60 x 20;
}

#[test]
fn english() {
    i18n::set(Lang::English);
    let healthy = shot("healthy", "", 80, 24);
    insta::assert_snapshot!("english_healthy", healthy);
    insta::assert_snapshot!("english_failing_over", shot("failing-over", "", 80, 24));
    insta::assert_snapshot!("english_question", shot("healthy", "s", 80, 24));
    insta::assert_snapshot!("english_help", shot("healthy", "?", 80, 40));
}

#[test]
fn without_colours_and_in_ascii_everything_is_still_told() {
    let app = living(&fixture("failing-over"), Look { colour: false, utf8: false });
    let shown = screen(&app, 80, 24);
    insta::assert_snapshot!("ascii", shown);
    let signs = "●○✗▸─…→▁█";
    assert!(!shown.contains(|c| signs.contains(c)));
}

#[test]
fn a_lost_connection_is_drawn_over_what_was_known() {
    let mut app = living(&fixture("healthy"), look());
    let gone =
        LinkEvent::Lost(Failure::new(ErrorCode::NoDaemon).with("socket", "/run/sfha/sfhad.sock").into());
    app.update(Msg::Heard(gone, at(25)));
    app.update(Msg::Tick(at(100)));
    insta::assert_snapshot!("lost", screen(&app, 80, 24));
}

#[test]
fn a_daemon_that_was_never_there_is_drawn_with_what_to_do() {
    let mut app = App::new(at(0), TimeZone::UTC, look(), false);
    insta::assert_snapshot!("connecting", screen(&app, 80, 24));
    let gone =
        LinkEvent::Lost(Failure::new(ErrorCode::NoDaemon).with("socket", "/run/sfha/sfhad.sock").into());
    app.update(Msg::Heard(gone, at(1)));
    insta::assert_snapshot!("no_daemon", screen(&app, 80, 24));
}

#[test]
fn a_refusal_is_drawn_with_what_to_do() {
    let mut app = living(&fixture("healthy"), look());
    press(&mut app, "mo");
    let refused = Failure::new(ErrorCode::NotPermitted).with("user", "alice");
    app.update(Msg::Heard(LinkEvent::Answer { tag: 1, outcome: Err(refused.into()) }, at(20)));
    insta::assert_snapshot!("refusal", screen(&app, 80, 24));
}

#[test]
fn sixteen_nodes_scroll_with_the_selection() {
    let mut status = fixture("healthy");
    let first = status.nodes[0].clone();
    status.nodes = (1..=16)
        .map(|n| NodeStatus { name: format!("node{n}"), id: n, leader: n == 1, ..first.clone() })
        .collect();
    let mut app = living(&status, look());
    insta::assert_snapshot!("sixteen_top", screen(&app, 80, 24));
    for _ in 0..25 {
        let shown = screen(&app, 80, 24);
        assert!(shown.contains('▸'), "{:?} is not on the screen:\n{shown}", app.selected);
        press(&mut app, "j");
    }
    insta::assert_snapshot!("sixteen_bottom", screen(&app, 80, 24));
}

#[test]
fn nothing_is_cut_at_eighty_columns_in_either_language() {
    for lang in [Lang::French, Lang::English] {
        i18n::set(lang);
        for name in ["healthy", "failing-over", "no-quorum", "unconfigured"] {
            for keys in ["", "<enter>", "s", "m", "?"] {
                let mut app = living(&fixture(name), look());
                app.journal = crate::app::Journal::default();
                press(&mut app, keys);
                let shown = screen(&app, 80, 24);
                // « connexion… » and the like are texts that end so.
                let cut = shown.lines().find(|line| line.contains('…') && !line.contains("connect"));
                assert_eq!(cut, None, "{lang:?} {name} {keys}");
                assert!(shown.lines().nth(23).is_some_and(|footer| footer.len() > 5));
            }
        }
    }
}

#[test]
fn no_size_is_too_small_to_survive() {
    for width in [1, 5, 20, 21, 40, 60] {
        for height in [1, 2, 4, 5, 8, 12] {
            for keys in ["", "<enter>", "s", "2", "?"] {
                let mut app = living(&fixture("failing-over"), look());
                press(&mut app, keys);
                screen(&app, width, height);
            }
        }
    }
}
