//! A dashboard with a world behind it: keys go in, orders are obeyed, time passes when it is told to.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use sfha_proto::status::ClusterStatus;

use crate::app::{App, Effect, Look, Msg, Palette, View, record};
use crate::client::link::LinkEvent;
use crate::demo::World;
use crate::{keymap, ui};

const SECOND_0: &str = "2026-11-22T18:00:00Z";

/// That many seconds after the beginning.
pub fn at(second: i64) -> Timestamp {
    millis(second * 1000)
}

fn millis(ms: i64) -> Timestamp {
    SECOND_0.parse::<Timestamp>().unwrap() + SignedDuration::from_millis(ms)
}

/// A state that was written down.
pub fn fixture(name: &str) -> ClusterStatus {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Sixteen colours, UTF-8.
pub fn look() -> Look {
    Look { palette: Palette::Sixteen, utf8: true }
}

/// A dashboard, what it shows, and where its orders go.
pub struct Stage {
    pub app: App,
    pub world: Option<World>,
    ms: i64,
}

impl Stage {
    /// Connected, and nothing heard yet.
    pub fn empty(look: Look) -> Self {
        let mut stage = Self { app: App::new(at(0), TimeZone::UTC, look, false), world: None, ms: 0 };
        stage.hear(LinkEvent::Connected { version: "0.1.0".into() });
        stage
    }

    /// Twenty seconds of this state, with some traffic.
    pub fn of(status: &ClusterStatus, look: Look) -> Self {
        let mut stage = Self::empty(look);
        for second in 0..20 {
            stage.ms = second * 1000;
            let mut now = status.clone();
            for (at, peer) in now.mesh_detail.iter_mut().flat_map(|mesh| &mut mesh.peers).enumerate() {
                let wave = u64::try_from(second % 5).unwrap() * 1000 + 400;
                peer.rx_bytes += u64::try_from(second).unwrap() * wave * (at as u64 + 1);
                peer.tx_bytes += u64::try_from(second).unwrap() * 9_300;
            }
            stage.hear(LinkEvent::Status(Box::new(now)));
        }
        stage
    }

    /// The invented cluster after that many seconds.
    pub fn demo(world: World, look: Look, seconds: i64) -> Self {
        crate::app::prepare_logs();
        let mut stage = Self::empty(look);
        stage.world = Some(world);
        stage.wait(seconds);
        stage
    }

    pub fn hear(&mut self, event: LinkEvent) {
        let effects = self.app.update(Msg::Heard(event, millis(self.ms)));
        self.effects(effects);
    }

    fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match (effect, &mut self.world) {
                (Effect::Send(order), Some(world)) => world.take(order),
                (Effect::Record(line), _) => record(&line),
                _ => {}
            }
        }
        let news = self.world.as_mut().map(|world| world.news(false)).unwrap_or_default();
        news.into_iter().for_each(|event| self.hear(event));
    }

    /// Lets time pass.
    pub fn wait(&mut self, seconds: i64) {
        for _ in 0..seconds * 2 {
            self.ms += 500;
            let now = millis(self.ms);
            let effects = self.app.update(Msg::Tick(now));
            self.effects(effects);
            let Some(world) = &mut self.world else { continue };
            let changed = world.step(now);
            for event in world.news(changed) {
                self.hear(event);
            }
        }
    }

    /// Types: `<enter>` and the like, `<5s>` to wait, anything else as it is.
    pub fn press(&mut self, keys: &str) {
        let mut rest = keys;
        while let Some(c) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let (code, left) = match named {
                Some((name, left)) => {
                    if let Some(seconds) = name.strip_suffix('s').and_then(|n| n.parse().ok()) {
                        self.wait(seconds);
                        rest = left;
                        continue;
                    }
                    let code = match name {
                        "tab" => KeyCode::Tab,
                        "enter" => KeyCode::Enter,
                        "esc" => KeyCode::Esc,
                        "left" => KeyCode::Left,
                        "right" => KeyCode::Right,
                        "pageup" => KeyCode::PageUp,
                        other => panic!("{other}"),
                    };
                    (code, left)
                }
                None => (KeyCode::Char(c), &rest[c.len_utf8()..]),
            };
            rest = left;
            if let Some(msg) = keymap::dispatch(&self.app, KeyEvent::new(code, KeyModifiers::NONE)) {
                let effects = self.app.update(msg);
                self.effects(effects);
                if self.app.view == View::Logs {
                    // tui-logger's keys mean what the frame before showed.
                    self.buffer(120, 40);
                }
            }
        }
    }

    /// What is on the screen.
    pub fn buffer(&self, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| drop(ui::draw(&self.app, frame))).unwrap();
        // The widgets of the log know where they are after the first frame only.
        terminal.draw(|frame| drop(ui::draw(&self.app, frame))).unwrap();
        terminal.backend().buffer().clone()
    }

    /// What is on the screen as text. The last line is a hash of the styles, so that a change of colour
    /// is seen, too.
    pub fn screen(&self, width: u16, height: u16) -> String {
        let buffer = self.buffer(width, height);
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
}

/// Sixteen nodes, a hundred VIPs, two hundred services.
pub fn large() -> World {
    use crate::demo::world::{Node, Service, Vip};
    let mut world = World::new(at(0));
    world.nodes.extend((4..=16).map(|number| Node::new(format!("node{number}"))));
    world.vips.extend((4..=100).map(|number| Vip {
        name: format!("vip{number}"),
        address: format!("198.51.100.{number}/24"),
        interface: None,
        holder: Some(number % 16),
        moving: None,
    }));
    world.services.extend((3..=200).map(|number| Service {
        name: format!("service{number}"),
        unit: format!("service{number}.service"),
        with: format!("vip{}", number / 3 + 3),
        failures: 0,
        healthy: true,
    }));
    world
}
