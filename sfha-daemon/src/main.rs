//! `sfhad`: the daemon, and what its unit runs after its death.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use sd_notify::NotifyState;
use serde::Serialize;
use sfha_daemon::archive;
use sfha_daemon::config_file;
use sfha_daemon::control_socket;
use sfha_daemon::daemon::Daemon;
use sfha_daemon::hooks::{self, Tally};
use sfha_daemon::io::journal::Journal;
use sfha_daemon::io::netlink::Netlink;
use sfha_daemon::io::systemd::Systemd;
use sfha_daemon::log_feed::LogFeed;
use sfha_daemon::metrics;
use sfha_daemon::paths::Paths;
use sfha_daemon::replay;
use sfha_daemon::services::{self, Kept};
use sfha_proto::Failure;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use zeroize::Zeroizing;

/// The daemon of sfha. It is started by systemd; operators use `sfha`.
#[derive(Debug, Parser)]
#[command(name = "sfhad", version, about)]
struct Args {
    #[command(subcommand)]
    command: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Take every VIP of ours off its interface, then stop our services (the unit's ExecStopPost).
    Release,
    /// Print what is well and what is not on this node, as JSON with codes: `sfha doctor` makes sentences of it.
    Doctor,
    /// Print everything that makes this node one of its cluster, keys included: `sfha backup` keeps it.
    Backup,
    /// Put back what is read from standard input; this node's daemon and Corosync are stopped for it.
    Restore {
        /// What the document is called, for errors.
        #[arg(long, default_value = "-")]
        name: String,
        /// The other nodes are lost: go on as a cluster of one.
        #[arg(long)]
        alone: bool,
    },
    /// Tell the decisions again what a recording says (logging.record of config.yml), and print the first difference.
    Replay {
        /// One of /var/lib/sfha/record.
        file: PathBuf,
    },
    /// Write what helps to understand a fault to a file, without secrets: `sfha report`.
    Report {
        /// A gzipped tar that is not there yet.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    // SAFETY: this is the beginning of `main`: there is one thread.
    unsafe { sfha_daemon::io::wireguard::forbid_programs() };
    let args = Args::parse();
    let logs = LogFeed::default();
    // What releases addresses waits for no file.
    let level = match args.command {
        Some(_) => None,
        None => config_file::logging(&Paths::system()).level,
    };
    set_up_logging(logs.clone(), level.as_deref().unwrap_or("info"));
    let outcome = match args.command {
        Some(Action::Release) => run(let_everything_go()),
        Some(Action::Doctor) => run(print_diagnosis()),
        Some(Action::Backup) => run(async { print(&archive::make(&Paths::system())) }),
        Some(Action::Restore { name, alone }) => run(restore(name, alone)),
        Some(Action::Report { file }) => {
            run(async { print(&sfha_daemon::report::write(&Paths::system(), &file).await) })
        }
        Some(Action::Replay { file }) => replay::run(&file),
        None => run(daemon(logs)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "sfhad ends");
            ExitCode::FAILURE
        }
    }
}

fn run(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    keep_secrets_in()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()
        .context("no runtime")?;
    let outcome = runtime.block_on(work);
    // A blocking call that hangs (a stuck disk) must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

fn set_up_logging(feed: LogFeed, level: &str) {
    // A certificate that is refused is told by whoever asked, once, and not with every question.
    let usual = format!("{level},zbus=warn,netlink_proto::connection=off,rustls_platform_verifier=off");
    let wanted = std::env::var("SFHA_LOG").ok().and_then(|text| text.parse().ok());
    let filter: Targets = wanted
        .or_else(|| usual.parse().ok())
        .unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let registry = tracing_subscriber::registry().with(filter).with(feed);
    // Under systemd the journal gets fields; elsewhere people get text.
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| Journal::connect("sfhad").ok());
    match journal {
        Some(journal) => registry.with(journal).init(),
        None => registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr)).init(),
    }
}

/// No core dump and no debugger: the memory holds keys (prctl(2), PR_SET_DUMPABLE).
fn keep_secrets_in() -> anyhow::Result<()> {
    nix::sys::prctl::set_dumpable(false).context("PR_SET_DUMPABLE")?;
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0).context("RLIMIT_CORE")
}

async fn print_diagnosis() -> anyhow::Result<()> {
    print(&Ok(sfha_daemon::doctor::diagnose(&Paths::system()).await))
}

async fn restore(name: String, alone: bool) -> anyhow::Result<()> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().take(archive::MAX_ARCHIVE).read_to_string(&mut text).context(name.clone())?;
    let restored = match archive::read(&name, &text) {
        Ok(document) => {
            archive::restore(&Paths::system(), &Systemd::default(), &name, &document, alone).await
        }
        Err(failure) => Err(failure),
    };
    print(&restored)
}

/// One JSON document for `sfha`: what was asked for, or why not.
fn print<T: Serialize>(outcome: &Result<T, Failure>) -> anyhow::Result<()> {
    let text = Zeroizing::new(match outcome {
        Ok(document) => serde_json::to_string(document)?,
        Err(failure) => serde_json::json!({"error": failure}).to_string(),
    });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", *text).and_then(|()| stdout.flush()).context("standard output")
}

/// For the addresses; the services have their own times.
const RELEASE_DEADLINE: Duration = Duration::from_secs(2);

/// systemd starts nothing anew before this has ended.
async fn let_everything_go() -> anyhow::Result<()> {
    // First and quickly: others may have the addresses in a moment. Services they wait for longer.
    let released = tokio::time::timeout(RELEASE_DEADLINE, release())
        .await
        .context("the kernel does not answer; the addresses' lifetime ends them")
        .flatten();
    let kept = Kept::load(&Paths::system().services());
    let left = services::stop_left_behind(&kept, &Systemd::default()).await;
    if !left.is_empty() {
        bail!("these services may still run: {}", left.join(", "));
    }
    released
}

async fn release() -> anyhow::Result<()> {
    let (netlink, _) = Netlink::open().await.context("netlink")?;
    let removed = netlink.vip_remove_all().await.context("removing VIPs")?;
    info!(removed = removed.len(), "released");
    Ok(())
}

async fn daemon(logs: LogFeed) -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("sfhad must run as root");
    }
    let paths = Paths::system();
    std::fs::create_dir_all(paths.run()).context("/run/sfha")?;
    let _lock = lock(&paths)?;
    // Whatever an earlier process left behind goes before anything else happens.
    release().await?;
    let listener = control_socket::listen(&paths.socket()).context("control socket")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;

    let daemon = Daemon::new(paths, Systemd::default());
    let serving = tokio::spawn(control_socket::serve(listener, std::sync::Arc::clone(&daemon), logs));
    let tally = Tally::default();
    let hooks = tokio::spawn(hooks::follow(std::sync::Arc::clone(&daemon), tally.clone()));
    let source = metrics::Source { daemon: std::sync::Arc::clone(&daemon), hooks: tally };
    let metrics = tokio::spawn(metrics::serve(source));
    notify(&[NotifyState::Ready]);
    let removal = tokio::spawn(std::sync::Arc::clone(&daemon).watch_removal());
    let watchdog = tokio::spawn(feed_watchdog());
    let stopped = async {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => drop(tokio::spawn(std::sync::Arc::clone(&daemon).hang_up())),
            }
        }
    };
    tokio::pin!(stopped);
    let start = async {
        stop_what_an_earlier_process_started().await;
        daemon.start().await;
    };
    tokio::select! {
        () = start => stopped.await,
        () = &mut stopped => {}
    }
    info!("stopping");
    notify(&[NotifyState::Stopping]);
    removal.abort();
    daemon.stop().await;
    serving.abort();
    metrics.abort();
    hooks.abort();
    watchdog.abort();
    Ok(())
}

/// Time between two tries to stop what an earlier process started.
const STOP_AGAIN: Duration = Duration::from_secs(5);

/// Returns when all of it has stopped: until then this node must not say that it has nothing, since others would
/// start it. After the systemd that this runs under is told that the daemon is there, since it may take long.
async fn stop_what_an_earlier_process_started() {
    let (kept, systemd) = (Kept::load(&Paths::system().services()), Systemd::default());
    loop {
        let left = services::stop_left_behind(&kept, &systemd).await;
        if left.is_empty() {
            return;
        }
        warn!(?left, "an earlier process has started them and they do not stop; this node takes no part");
        tokio::time::sleep(STOP_AGAIN).await;
    }
}

fn lock(paths: &Paths) -> anyhow::Result<File> {
    let path = paths.lock();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another sfhad runs already ({} is locked)", path.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd not told");
    }
}

/// Tells systemd that the event loop turns (sd_watchdog_enabled(3)). The task runs on the loop's own
/// thread: when that hangs, so does this. What speaks to systemd is a thread of its own: a systemd that stands still
/// reads nothing, and after a few words (`net.unix.max_dgram_qlen`, 10) whoever speaks to it waits.
async fn feed_watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let speak = move || told.iter().for_each(|()| notify(&[NotifyState::Watchdog]));
    if let Err(error) = std::thread::Builder::new().name("watchdog".to_owned()).spawn(speak) {
        warn!(%error, "systemd will not be told that this program is well");
    }
    let mut tick = tokio::time::interval(limit / 3);
    loop {
        tick.tick().await;
        // Where one word waits, another one says no more.
        let _ = tell.try_send(());
    }
}
