//! `make demo`: three nodes on this machine, the main job, and the dashboard where there is a terminal.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::thread;

use anyhow::Result;
use clap::{Arg, ArgAction, Command};
use nix::sys::signal::{SigSet, Signal};
use sfha_tests::demo::Demo;
use sfha_tests::demo::words::{self, Lang};
use sfha_tests::lab::{Lab, require};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let lang = Lang::choose(&args, |name| std::env::var(name).ok());
    words::set(lang);
    let command = Command::new("sfha-demo")
        .about(words::text("demo-about"))
        .arg(Arg::new("lang").long("lang").value_parser(["fr", "en"]).help(words::text("demo-lang")))
        .arg(
            Arg::new("no-dashboard")
                .long("no-dashboard")
                .action(ArgAction::SetTrue)
                .help(words::text("demo-no-dashboard")),
        );
    let matches = command.get_matches_from(args);
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let dashboard = terminal && !matches.get_flag("no-dashboard");
    match run(lang, dashboard) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", words::failed(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn run(lang: Lang, dashboard: bool) -> Result<()> {
    // Before anything is made or said: the machine can do this, and we may.
    require::check()?;
    let name = format!("demo-{}", std::process::id());
    clean_up_on_signals(&name, lang)?;
    let mut demo = Demo::up(&name)?;
    let node = demo.run()?;
    if dashboard {
        demo.dashboard(node)?;
    }
    demo.end()
}

/// Ctrl-C at any moment removes the lab. The signals are blocked everywhere and awaited in one thread.
fn clean_up_on_signals(lab: &str, lang: Lang) -> Result<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    let lab = lab.to_owned();
    thread::spawn(move || {
        words::set(lang);
        let Ok(signal) = signals.wait() else { return };
        eprintln!("\n{}", words::text("demo-tearing-down"));
        // What is only just being made escapes this; the next lab on this machine removes it.
        if let Err(error) = Lab::attach(&lab).and_then(Lab::down) {
            eprintln!("{error:#}");
        }
        std::process::exit(128 + signal as i32);
    });
    Ok(())
}
