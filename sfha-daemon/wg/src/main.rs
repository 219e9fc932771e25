//! `sfha-wg`: see the library of the same name.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use sfha_wg::{Options, check_interface_name, process, run, server};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A WireGuard interface without the kernel's help. Runs in the foreground until SIGTERM.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// MTU of the interface, in bytes
    #[arg(long, default_value_t = 1420, value_parser = clap::value_parser!(u16).range(1280..=9000))]
    mtu: u16,
    /// Name of the interface to create; it must not exist
    #[arg(value_parser = check_interface_name)]
    interface: String,
}

/// gotatun logs every packet that it cannot send as an error: nothing of it is shown unless asked for.
const DEFAULT_LOG: &str = "warn,sfha_wg=info,gotatun=off";

/// More threads than this do not make a mesh of sixteen nodes faster, and each costs memory.
const MAX_THREADS: usize = 4;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log();
    process::end_on_panic();
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            error.downcast_ref().map_or(ExitCode::FAILURE, process::exit_code)
        }
    }
}

fn start(arguments: Arguments) -> anyhow::Result<()> {
    process::harden().context("cannot turn off core dumps")?;
    let options = Options {
        interface: arguments.interface,
        mtu: arguments.mtu,
        socket_directory: PathBuf::from(server::SOCKET_DIRECTORY),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(run(&options))?;
    Ok(())
}

/// To the journal under systemd, to stderr otherwise. `SFHA_WG_LOG` has the form of [`Targets`].
fn log() {
    let filter: Targets =
        std::env::var("SFHA_WG_LOG").ok().and_then(|filter| filter.parse().ok()).unwrap_or_else(|| {
            // The constant is parsed by a test of every start.
            DEFAULT_LOG.parse().unwrap_or_default()
        });
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    let stderr = journal.is_none().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
    });
    tracing_subscriber::registry().with(filter).with(journal).with(stderr).init();
}
