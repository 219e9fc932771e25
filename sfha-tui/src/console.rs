//! Runs the dashboard: keys and news in, frames and orders out.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sfha_proto::{ErrorCode, Failure, SOCKET_PATH};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::app::{self, App, DaemonOrder, Effect, Look, Msg};
use crate::client::link::{self, LinkEvent, Order};
use crate::client::user;
use crate::commands::units::{Systemd, Units};
use crate::problem::Problem;
use crate::ui::Spots;
use crate::{demo, fencing_setup, keymap, ui};

mod terminal;

use terminal::Screen;

/// Shortest time between two frames: a flood of news costs no more than this.
const FRAME: Duration = Duration::from_millis(33);

/// Where the dashboard's news come from.
pub enum Source {
    /// The daemon at this socket.
    Daemon(PathBuf),
    /// An invented cluster.
    Demo,
}

/// How the dashboard ended.
pub enum End {
    /// The operator left.
    Quit,
    /// This signal came.
    Signal(i32),
}

/// Shows the dashboard until it is left.
pub async fn run(source: Source, look: Look) -> Result<End, Problem> {
    let demo = matches!(source, Source::Demo);
    let (events_tx, events) = mpsc::channel(64);
    let (orders, orders_rx) = mpsc::channel(16);
    let (units, units_rx) = mpsc::channel(4);
    // The daemon at the usual socket is the unit's; any other one is somebody else's business.
    let managed = matches!(&source, Source::Daemon(socket) if socket == Path::new(SOCKET_PATH));
    let feed = tokio::spawn(async move {
        match source {
            Source::Daemon(socket) => link::run(&socket, events_tx, orders_rx).await,
            Source::Demo => demo::run(events_tx, orders_rx).await,
        }
    });
    app::prepare_logs();
    let app = App::new(Timestamp::now(), TimeZone::system(), look, demo);
    let screen = Screen::enter().map_err(|error| Problem::program("terminal", &error))?;
    let end = Console { app, screen, spots: Spots::default(), events, orders, units, units_rx, managed }
        .run()
        .await;
    feed.abort();
    end.map_err(|error| Problem::program("terminal", &error))
}

struct Console {
    app: App,
    screen: Screen,
    /// What the last frame can be clicked at.
    spots: Spots,
    events: mpsc::Receiver<LinkEvent>,
    orders: mpsc::Sender<Order>,
    /// What the service manager answered.
    units: mpsc::Sender<(DaemonOrder, Result<(), Problem>)>,
    units_rx: mpsc::Receiver<(DaemonOrder, Result<(), Problem>)>,
    managed: bool,
}

impl Console {
    async fn run(mut self) -> io::Result<End> {
        let mut keys = EventStream::new();
        let mut signals = Signals::new()?;
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut dirty = true;
        let mut next_frame = Instant::now();
        loop {
            let effects = tokio::select! {
                () = sleep_until(next_frame), if dirty => {
                    self.screen.draw(|frame| self.spots = ui::draw(&self.app, frame))?;
                    dirty = false;
                    next_frame = Instant::now() + FRAME;
                    continue;
                }
                event = keys.next() => match event {
                    Some(Ok(event)) => self.terminal_event(&event),
                    // The terminal is gone.
                    Some(Err(_)) | None => return Ok(End::Quit),
                },
                Some(event) = self.events.recv() => self.app.update(Msg::Heard(event, Timestamp::now())),
                Some((order, outcome)) = self.units_rx.recv() => self.app.update(Msg::Daemon(order, outcome)),
                _ = seconds.tick() => self.app.update(Msg::Tick(Timestamp::now())),
                number = signals.next() => match number {
                    libc::SIGTSTP => vec![Effect::Suspend],
                    number => return Ok(End::Signal(number)),
                },
            };
            dirty = true;
            for effect in effects {
                match effect {
                    Effect::Quit => return Ok(End::Quit),
                    Effect::Suspend => self.screen.suspend()?,
                    Effect::Redraw => self.screen.clear()?,
                    Effect::Send(order) => self.send(order),
                    Effect::Daemon(order) => self.daemon(order),
                    Effect::ReadFencing => self.read_fencing(),
                    Effect::Record(line) => app::record(&line),
                    Effect::Copy(text) => self.screen.copy(&text)?,
                }
            }
        }
    }

    fn terminal_event(&mut self, event: &Event) -> Vec<Effect> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                keymap::dispatch(&self.app, *key).map(|msg| self.app.update(msg)).unwrap_or_default()
            }
            Event::Mouse(mouse) => {
                let under = self.spots.at(mouse.column, mouse.row);
                keymap::mouse(&self.app, *mouse, under).map(|msg| self.app.update(msg)).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Asks the service manager, beside everything else.
    fn daemon(&self, order: DaemonOrder) {
        let (units, managed) = (self.units.clone(), self.managed);
        tokio::spawn(async move {
            let outcome = match order {
                _ if !managed => Err(Failure::new(ErrorCode::NoDaemon)),
                DaemonOrder::Start if !nix::unistd::geteuid().is_root() => {
                    Err(Failure::new(ErrorCode::NotPermitted).with("user", user()))
                }
                DaemonOrder::Start => Systemd.start().await,
                DaemonOrder::Enable if Systemd.enable().await => Ok(()),
                DaemonOrder::Enable => Err(Failure::new(ErrorCode::Internal)),
            };
            // A dashboard that is gone does not want to know.
            let _ = units.send((order, outcome.map_err(Problem::from))).await;
        });
    }

    /// An invented cluster has no file.
    fn read_fencing(&mut self) {
        if !self.app.demo {
            self.app.update(Msg::Fencing(Box::new(fencing_setup::current())));
        }
    }

    fn send(&mut self, order: Order) {
        // A full queue means that the daemon does not answer: the answer says so.
        if let Err(error) = self.orders.try_send(order) {
            let (mpsc::error::TrySendError::Full(order) | mpsc::error::TrySendError::Closed(order)) = error;
            let lost = LinkEvent::Answer { tag: order.tag, outcome: Err(crate::client::ClientError::Lost) };
            self.app.update(Msg::Heard(lost, Timestamp::now()));
        }
    }
}

/// Signals that end or stop the dashboard.
struct Signals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
    stop: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            stop: signal(SignalKind::from_raw(libc::SIGTSTP))?,
        })
    }

    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => libc::SIGTERM,
            _ = self.hang_up.recv() => libc::SIGHUP,
            _ = self.interrupt.recv() => libc::SIGINT,
            _ = self.stop.recv() => libc::SIGTSTP,
        }
    }
}
