//! Keys as a string, and the screen that follows.

use sfha_proto::{ErrorCode, Failure};

use super::*;
use crate::app::{Look, Palette};
use crate::client::link::LinkEvent;
use crate::demo::World;
use crate::i18n::{self, Lang};

mod pictures;
mod stage;

use stage::{Stage, at, fixture, look};

/// Fixture, keys, screen.
fn shot(name: &str, keys: &str, width: u16, height: u16) -> String {
    let mut stage = Stage::of(&fixture(name), look());
    stage.press(keys);
    stage.screen(width, height)
}

/// The invented cluster after that many seconds, keys, screen.
fn told(seconds: i64, keys: &str, width: u16, height: u16) -> String {
    let mut stage = Stage::demo(World::new(at(0)), look(), seconds);
    stage.press(keys);
    stage.screen(width, height)
}

macro_rules! snapshots {
    ($($test:ident: $from:ident($what:expr), $keys:literal, $width:literal x $height:literal;)*) => {$(
        #[test]
        fn $test() {
            insta::assert_snapshot!($from($what, $keys, $width, $height));
        }
    )*};
}

// States of the cluster.
snapshots! {
    healthy: shot("healthy"), "", 80 x 24;
    failing_over: shot("failing-over"), "jjj", 80 x 24;
    no_quorum: shot("no-quorum"), "", 80 x 24;
    unconfigured: shot("unconfigured"), "", 80 x 24;
    alerts: shot("failing-over"), "a", 80 x 24;
    notice: shot("failing-over"), "js", 80 x 24;
}

// Fencing: one node held back by the storm limit, with a watchdog; one that nothing could switch off.
snapshots! {
    fencing_stuck: shot("fencing"), "5", 80 x 24;
    fencing_stuck_large: shot("fencing"), "5", 120 x 40;
    fencing_counts_down: shot("fencing"), "5<3s>", 120 x 40;
    fencing_banner: shot("fencing"), "", 80 x 24;
    confirm_off: shot("fencing"), "5jjc", 80 x 24;
    fence_review: told(2), "5jF", 80 x 24;
    fence_done: told(2), "5jFnode2<enter><2s><esc>", 80 x 24;
}

/// What a Proxmox VE cluster is asked with, up to the try; the certificate is to be compared.
const ANSWERED: &str = "5n<enter>https://pve1:8006<enter>sfha@pve!fence<enter>hush<enter><enter>\
                        qemu/101<enter>qemu/102<enter>";

/// The invented cluster after two seconds, the answers above, keys, screen.
fn set_up(last: &str, width: u16, height: u16) -> String {
    told(2, &format!("{ANSWERED}{last}"), width, height)
}

// Setting up fencing.
snapshots! {
    fencing_setup: told(2), "5n", 80 x 24;
    fencing_setup_webhook: told(2), "5n<right>", 80 x 24;
    fencing_setup_agent: told(2), "5n<right><right><enter>ipmilan", 80 x 24;
    fencing_setup_small: told(2), "5n<enter>http://pve1", 60 x 20;
}

#[test]
fn fencing_is_set_up_in_the_dashboard() {
    insta::assert_snapshot!("fencing_setup_certificate", set_up("qemu/103<enter>", 80, 24));
    let compared = "qemu/103<enter><enter><enter><enter><enter>";
    insta::assert_snapshot!("fencing_setup_review", set_up(compared, 80, 24));
    insta::assert_snapshot!("fencing_setup_done", set_up(&format!("{compared}o"), 80, 24));
    let unknown = "qemu/999<enter><enter><enter><enter><enter>";
    insta::assert_snapshot!("fencing_setup_failed", set_up(unknown, 80, 24));
    i18n::set(Lang::English);
    insta::assert_snapshot!("english_fencing", shot("fencing", "5", 80, 24));
    insta::assert_snapshot!("english_fencing_setup", told(2, "5n", 80, 24));
    insta::assert_snapshot!("english_fencing_setup_review", set_up(compared, 80, 24));
    insta::assert_snapshot!("english_fencing_setup_failed", set_up(unknown, 80, 24));
    insta::assert_snapshot!("english_confirm_off", shot("fencing", "5jjc", 80, 24));
}

// Views, 28 s into the story: node2 was lost, fenced, and its VIP taken over.
snapshots! {
    overview_small: told(28), "", 60 x 20;
    overview_large: told(28), "", 120 x 40;
    overview_very_large: told(28), "jj", 200 x 60;
    mesh: told(28), "2", 80 x 24;
    mesh_matrix: told(22), "2x", 80 x 24;
    mesh_large: told(28), "2j", 120 x 40;
    resources: told(23), "3jj", 80 x 24;
    resources_large: told(28), "3jj", 120 x 40;
    resources_searched: told(28), "3/node3<enter>", 80 x 24;
    nodes: told(28), "4j", 80 x 24;
    nodes_sorted: told(28), "4o", 80 x 24;
    fencing: told(22), "5", 80 x 24;
    events: told(28), "6", 80 x 24;
    event_chain: told(28), "6kkk<enter>", 80 x 24;
    logs: told(28), "7", 80 x 24;
    logs_levels: told(28), "7jj<left><left><left>/node2<enter>", 120 x 40;
    help: told(1), "?", 80 x 24;
    help_large: told(1), "?", 120 x 40;
    details_of_a_vip: told(28), "jjj<enter>", 80 x 24;
}

// Wizards.
snapshots! {
    menu: told(2), "w", 80 x 24;
    token_form: told(2), "2n", 80 x 24;
    token_wrong: told(2), "2n<enter>10.9.0.4", 80 x 24;
    token_waits: told(2), "2n<enter><enter><enter><4s>", 80 x 24;
    token_used: told(2), "2n<enter><enter><enter><15s>", 80 x 24;
    vip_add_review: told(2), "3nblog<enter>192.0.2.90/24<enter><enter>", 80 x 24;
    service_add: told(2), "wjjj<enter>cron<enter>cron.service<enter><enter>", 80 x 24;
    vip_remove: told(2), "3jjdwe", 80 x 24;
    remove_node: told(2), "4jd", 80 x 24;
    rotation_runs: told(2), "wjjjjjjjj<enter><enter><enter><4s>", 80 x 24;
    rotation_done: told(2), "wjjjjjjjj<enter><enter><enter><8s>", 80 x 24;
    rotation_refused: told(26), "wjjjjjjjj<enter><enter><enter>", 80 x 24;
    failover_review: told(2), "f<right><enter>", 80 x 24;
    failover_done: told(2), "f<enter>o<2s>", 80 x 24;
    standby_small: told(2), "js", 60 x 20;
    maintenance: told(2), "m", 80 x 24;
    peer_add: told(2), "wjjjjjjjjj<enter>laptop<enter>10.100.0.50<enter>clef", 80 x 24;
    left_and_running: told(2), "2n<enter><enter><enter><esc>w", 80 x 24;
    init: shot("unconfigured"), "w<enter>prod<enter>", 80 x 24;
    join: shot("unconfigured"), "wj<enter>sfha-join://abc", 80 x 24;
}

#[test]
fn english() {
    i18n::set(Lang::English);
    insta::assert_snapshot!("english_overview", told(28, "", 80, 24));
    insta::assert_snapshot!("english_resources", told(28, "3jj", 80, 24));
    insta::assert_snapshot!("english_token", told(2, "2n<enter><enter><enter>", 80, 24));
    insta::assert_snapshot!("english_help", told(1, "?", 120, 40));
}

#[test]
fn without_colours_and_in_ascii_everything_is_still_told() {
    for (name, keys) in [("ascii", ""), ("ascii_mesh", "2x"), ("ascii_wizard", "2n")] {
        let mut stage = Stage::demo(World::new(at(0)), Look { palette: Palette::Mono, utf8: false }, 28);
        stage.press(keys);
        let shown = stage.screen(80, 24);
        let signs = "●○✗▸◂─…→←↑↓▁█·–•╭›";
        assert!(!shown.contains(|c| signs.contains(c)), "{shown}");
        insta::assert_snapshot!(name, shown);
    }
}

/// No colour but the terminal's own where there are to be none.
#[test]
fn without_colours_there_are_none() {
    for keys in ["", "2", "3", "4", "5", "6", "7", "?", "w", "2n", "m"] {
        let mut stage = Stage::demo(World::new(at(0)), Look { palette: Palette::Mono, utf8: true }, 28);
        stage.press(keys);
        let buffer = stage.buffer(120, 40);
        let reset = ratatui::style::Color::Reset;
        let coloured = buffer.content().iter().find(|cell| cell.fg != reset || cell.bg != reset);
        assert_eq!(coloured, None, "{keys}");
    }
}

/// A painted background has no holes, in popups neither.
#[test]
fn a_painted_background_is_everywhere() {
    for palette in [Palette::Dark, Palette::Light, Palette::Contrast] {
        for keys in ["", "2", "7", "<enter>", "w", "2n", "a"] {
            let mut stage = Stage::demo(World::new(at(0)), Look { palette, utf8: true }, 28);
            stage.press(keys);
            let buffer = stage.buffer(120, 40);
            let hole = buffer.content().iter().find(|cell| cell.bg == ratatui::style::Color::Reset);
            assert_eq!(hole, None, "{palette:?} {keys}");
        }
    }
}

#[test]
fn a_lost_connection_is_drawn_over_what_was_known() {
    let mut stage = Stage::demo(World::new(at(0)), look(), 4);
    stage.world = None;
    stage.hear(LinkEvent::Lost(
        Failure::new(ErrorCode::NoDaemon).with("socket", "/run/sfha/sfhad.sock").into(),
    ));
    stage.wait(70);
    insta::assert_snapshot!("lost", stage.screen(80, 24));
}

#[test]
fn a_daemon_that_was_never_there_is_drawn_with_what_to_do() {
    let mut stage = Stage::empty(look());
    insta::assert_snapshot!("connecting", stage.screen(80, 24));
    stage.hear(LinkEvent::Lost(
        Failure::new(ErrorCode::NoDaemon).with("socket", "/run/sfha/sfhad.sock").into(),
    ));
    insta::assert_snapshot!("no_daemon", stage.screen(80, 24));
}

#[test]
fn sixteen_nodes_a_hundred_vips_two_hundred_services_stay_legible() {
    let mut stage = Stage::demo(stage::large(), look(), 15);
    insta::assert_snapshot!("large_overview", stage.screen(120, 40));
    stage.press("2x");
    insta::assert_snapshot!("large_matrix", stage.screen(80, 24));
    stage.press("3GG");
    insta::assert_snapshot!("large_resources", stage.screen(80, 24));
    // What moves from fifteen nodes leaves room for what there is to confirm.
    stage.press("1f<right><enter>");
    insta::assert_snapshot!("large_failover", stage.screen(80, 24));
    stage.press("<esc><esc>1g");
    for _ in 0..60 {
        let shown = stage.screen(80, 24);
        assert!(shown.contains('▸'), "{:?} is not on the screen:\n{shown}", stage.app.selected());
        stage.press("jjjjjjj");
    }
}

#[test]
fn nothing_is_cut_at_eighty_columns_in_either_language() {
    // « connexion… » and the like are texts that end so.
    let cut = |shown: &str| {
        let found = shown
            .lines()
            .find(|line| line.contains('…') && !line.contains("nnex") && !line.contains("nœud…"));
        found.filter(|line| !line.contains("node…") && !line.contains("onnect")).map(str::to_owned)
    };
    for lang in [Lang::French, Lang::English] {
        i18n::set(lang);
        for name in ["healthy", "failing-over", "no-quorum", "unconfigured"] {
            for keys in ["", "<enter>", "m", "?", "3", "4", "5", "6", "7", "w"] {
                let shown = shot(name, keys, 80, 24);
                assert_eq!(cut(&shown), None, "{lang:?} {name} {keys}");
                assert!(shown.lines().nth(23).is_some_and(|footer| footer.len() > 5));
            }
        }
        for menu in 0..11 {
            for keys in ["<enter>", "<enter><enter>", "<enter><enter><enter>"] {
                let keys = format!("w{}{keys}", "j".repeat(menu));
                let shown = told(2, &keys, 80, 24);
                assert_eq!(cut(&shown), None, "{lang:?} {keys}");
            }
        }
    }
}

#[test]
fn no_size_is_too_small_to_survive() {
    for width in [1, 5, 20, 21, 40, 60] {
        for height in [1, 2, 4, 5, 8, 12] {
            for keys in
                ["", "<enter>", "2", "2x", "3", "4", "5", "6", "7", "?", "w", "2n", "2n<enter><enter><enter>"]
            {
                let mut stage = Stage::demo(World::new(at(0)), look(), 2);
                stage.press(keys);
                stage.buffer(width, height);
            }
        }
    }
}

/// Whatever is under a click does what its key does.
#[test]
fn clicks_hit_tabs_rows_keys_and_lines_of_the_menu() {
    let mut stage = Stage::demo(World::new(at(0)), look(), 2);
    let spots = |stage: &Stage| {
        let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(80, 24)).unwrap();
        let mut spots = Spots::default();
        terminal.draw(|frame| spots = draw(&stage.app, frame)).unwrap();
        spots
    };
    let find = |stage: &Stage, text: &str| -> (u16, u16) {
        let shown = stage.screen(80, 24);
        let (y, line) = shown.lines().enumerate().find(|(_, line)| line.contains(text)).unwrap();
        let x = line[..line.find(text).unwrap()].width();
        (u16::try_from(x).unwrap(), u16::try_from(y).unwrap())
    };
    let at = |stage: &Stage, text: &str| {
        let (x, y) = find(stage, text);
        spots(stage).at(x, y)
    };
    assert_eq!(at(&stage, "3 Ressources"), Some(Msg::Show(View::Resources)));
    assert_eq!(at(&stage, "mail "), Some(Msg::Select(Item::Vip("mail".into()))));
    assert_eq!(at(&stage, "w agir"), Some(Msg::Menu));
    stage.press("w");
    assert_eq!(at(&stage, "Supprimer une VIP"), Some(Msg::Pick(2)));
    // What lies under the menu cannot be hit.
    assert_eq!(spots(&stage).at(1, 1), None);
}
