//! From arguments to a task.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use clap::error::ErrorKind;
use clap_complete::Shell;
use sfha_proto::SOCKET_PATH;
use sfha_proto::message::{
    InitMesh, InitParams, RotateParams, RotateStep, TokenParams, VipAddParams, VipAnnounceParams,
};

use super::{
    Global, JoinTask, Task, TokenSource, command, config, history, members, services, stonith, support, usage,
};
use crate::problem::Problem;

/// What came of reading the command line.
pub enum Parsed {
    /// Do this.
    Run(Global, Box<Task>),
    /// Print this and be done: help or version.
    Print(String),
    /// Wrong usage.
    Wrong(Problem),
}

/// Reads the command line.
pub fn parse(args: &[OsString], colour: bool) -> Parsed {
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => return refused(&error, colour),
    };
    if let Some(("help", inner)) = matches.subcommand() {
        return help(inner, colour);
    }
    Parsed::Run(global(&matches), Box::new(task(&matches)))
}

fn refused(error: &clap::Error, colour: bool) -> Parsed {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Parsed::Print(styled(&error.render(), colour))
        }
        _ => Parsed::Wrong(usage::problem(error)),
    }
}

fn styled(text: &clap::builder::StyledStr, colour: bool) -> String {
    if colour { text.ansi().to_string() } else { text.to_string() }
}

fn help(matches: &ArgMatches, colour: bool) -> Parsed {
    let mut path: Vec<OsString> = vec!["sfha".into()];
    path.extend(matches.get_many::<String>("command").into_iter().flatten().map(Into::into));
    path.push("--help".into());
    match command().try_get_matches_from(path) {
        Err(error) => refused(&error, colour),
        Ok(_) => Parsed::Print(styled(&command().render_help(), colour)),
    }
}

fn global(matches: &ArgMatches) -> Global {
    Global {
        json: matches.get_flag("json"),
        socket: matches.get_one::<PathBuf>("socket").cloned().unwrap_or_else(|| SOCKET_PATH.into()),
        verbose: matches.get_flag("verbose"),
        yes: matches.get_flag("yes"),
        demo: matches.get_flag("demo")
            || matches.subcommand_matches("dashboard").is_some_and(|m| m.get_flag("demo")),
        theme: matches
            .subcommand_matches("dashboard")
            .and_then(|m| text(m, "theme"))
            .or_else(|| text(matches, "theme")),
    }
}

fn text(matches: &ArgMatches, id: &str) -> Option<String> {
    matches.get_one::<String>(id).cloned()
}

/// An argument that clap has made sure of.
fn required(matches: &ArgMatches, id: &str) -> String {
    text(matches, id).unwrap_or_default()
}

fn task(matches: &ArgMatches) -> Task {
    let Some((name, m)) = matches.subcommand() else { return Task::Default };
    match (name, m.subcommand()) {
        ("status", _) if m.get_flag("exit-code") => Task::Check,
        ("status", _) => Task::Status,
        ("history", _) => Task::History(history::params(m)),
        ("events", _) => Task::Events(history::params(m)),
        ("dashboard", _) => Task::Dashboard,
        ("nodes", _) => Task::Nodes,
        ("resources", _) => Task::Resources,
        ("health", _) => Task::Health,
        ("init", _) => Task::Init(init(m)),
        ("join", _) => Task::Join(join(m)),
        ("mesh", Some(("status", _))) => Task::MeshStatus,
        ("mesh", Some(("token", m))) => Task::MeshToken(TokenParams {
            expires_s: m.get_one::<Duration>("expires").map(Duration::as_secs),
            ip: text(m, "ip"),
        }),
        ("mesh", Some(("tokens", _))) => Task::MeshTokens,
        ("mesh", Some(("revoke", m))) => Task::MeshRevoke(required(m, "id")),
        ("mesh", Some(("rotate-keys", m))) => Task::MeshRotateKeys(RotateParams {
            step: [
                ("prepare", RotateStep::Prepare),
                ("commit", RotateStep::Commit),
                ("cleanup", RotateStep::Cleanup),
            ]
            .into_iter()
            .find_map(|(flag, step)| m.get_flag(flag).then_some(step)),
            node: text(m, "node"),
            all: m.get_flag("all"),
        }),
        ("vip", Some(("list", _))) => Task::VipList,
        ("vip", Some(("add", m))) => Task::VipAdd(VipAddParams {
            name: required(m, "name"),
            address: required(m, "address"),
            interface: text(m, "interface"),
        }),
        ("vip", Some(("remove", m))) => Task::VipRemove(required(m, "name")),
        ("vip", Some(("announce", m))) => Task::VipAnnounce(VipAnnounceParams {
            names: m.get_many("names").into_iter().flatten().cloned().collect(),
        }),
        ("service", _) => services::task(m).map_or_else(|| Task::Later(name.to_owned()), Task::Service),
        ("standby", _) => Task::Standby(text(m, "node")),
        ("unstandby", _) => Task::Unstandby(text(m, "node")),
        ("failover", _) => {
            Task::Failover(text(m, "to"), m.get_many("names").into_iter().flatten().cloned().collect())
        }
        ("maintenance", _) => {
            Task::Maintenance(text(m, "state").as_deref() == Some("on"), m.get_one("until").copied())
        }
        ("simulate", _) => Task::Simulate(m.get_many("events").into_iter().flatten().cloned().collect()),
        ("logs", _) => Task::Logs { follow: m.get_flag("follow") },
        ("run", _) => Task::Run(m.get_many::<OsString>("args").into_iter().flatten().cloned().collect()),
        ("completions", _) => Task::Completions(m.get_one::<Shell>("shell").copied().unwrap_or(Shell::Bash)),
        ("version", _) => Task::Version,
        (other, _) => config::task(other, m)
            .map(Task::Config)
            .or_else(|| support::task(other, m).map(Task::Support))
            .or_else(|| members::task(matches).map(Task::Membership))
            .or_else(|| stonith::task(matches).map(Task::Stonith))
            .unwrap_or_else(|| Task::Later(other.to_owned())),
    }
}

fn init(m: &ArgMatches) -> InitParams {
    let mesh = text(m, "ip").map(|ip| InitMesh {
        ip,
        port: m.get_one::<u16>("port").copied(),
        endpoint: text(m, "endpoint"),
        mtu: m.get_one::<u32>("mtu").copied(),
        links: m.get_many::<String>("links").map(|links| links.cloned().collect()),
        lan_ip: text(m, "lan-ip"),
    });
    InitParams {
        cluster: required(m, "cluster"),
        name: text(m, "name"),
        mesh,
        profile: text(m, "profile"),
        force: m.get_flag("force"),
    }
}

fn join(m: &ArgMatches) -> JoinTask {
    let token = match (text(m, "token"), m.get_one::<PathBuf>("token-file")) {
        (_, Some(path)) => TokenSource::File(path.clone()),
        (Some(token), None) if token != "-" => TokenSource::Argument(token),
        _ => TokenSource::Stdin,
    };
    JoinTask {
        token,
        name: text(m, "name"),
        endpoint: text(m, "endpoint"),
        lan_ip: text(m, "lan-ip"),
        timeout: m.get_one::<Duration>("timeout").copied().unwrap_or(Duration::from_secs(60)),
        force: m.get_flag("force"),
    }
}

#[cfg(test)]
mod tests {
    use sfha_proto::message::ServiceAddParams;

    use super::*;
    use crate::cli::ConfigTask;
    use crate::cli::ServiceTask;

    fn run(line: &str) -> (Global, Task) {
        let args: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        match parse(&args, false) {
            Parsed::Run(global, task) => (global, *task),
            Parsed::Print(text) => panic!("printed: {text}"),
            Parsed::Wrong(problem) => panic!("refused: {}", problem.message),
        }
    }

    fn wrong(line: &str) -> Problem {
        let args: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        match parse(&args, false) {
            Parsed::Wrong(problem) => problem,
            Parsed::Run(_, task) => panic!("accepted: {task:?}"),
            Parsed::Print(text) => panic!("printed: {text}"),
        }
    }

    #[test]
    fn the_commands_are_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn global_flags_are_taken_before_and_after_the_command() {
        for line in
            ["sfha -j --socket /s status", "sfha status -j --socket /s", "sfha mesh -j status --socket /s"]
        {
            let (global, _) = run(line);
            assert!(global.json, "{line}");
            assert_eq!(global.socket, PathBuf::from("/s"), "{line}");
        }
        assert_eq!(run("sfha").0.socket, PathBuf::from(SOCKET_PATH));
    }

    #[test]
    fn init_has_a_mesh_only_when_asked() {
        let Task::Init(plain) = run("sfha init --cluster prod").1 else { panic!("not init") };
        assert_eq!((plain.cluster.as_str(), plain.mesh), ("prod", None));
        let line = "sfha init --cluster prod --mesh --ip 10.100.0.1/24 --port 51821 --endpoint a.example:1";
        let Task::Init(meshed) = run(line).1 else { panic!("not init") };
        let mesh = meshed.mesh.unwrap();
        assert_eq!((mesh.ip.as_str(), mesh.port), ("10.100.0.1/24", Some(51821)));
        assert_eq!(mesh.endpoint.as_deref(), Some("a.example:1"));
        assert_eq!(wrong("sfha init --cluster prod --ip 10.0.0.1/24").exit, 2);
        assert_eq!(wrong("sfha init --cluster prod --mesh").exit, 2);
    }

    #[test]
    fn a_token_comes_from_one_place() {
        let source = |line: &str| match run(line).1 {
            Task::Join(join) => join.token,
            other => panic!("{other:?}"),
        };
        assert!(
            matches!(source("sfha join sfha-join://x"), TokenSource::Argument(t) if t == "sfha-join://x")
        );
        assert!(matches!(source("sfha join -"), TokenSource::Stdin));
        assert!(matches!(source("sfha join"), TokenSource::Stdin));
        assert!(
            matches!(source("sfha join --token-file /t"), TokenSource::File(p) if p == std::path::Path::new("/t"))
        );
        wrong("sfha join sfha-join://x --token-file /t");
    }

    #[test]
    fn durations_and_addresses_are_checked_here() {
        let Task::MeshToken(params) = run("sfha mesh token --expires 90s --ip 10.0.0.9").1 else { panic!() };
        assert_eq!((params.expires_s, params.ip.as_deref()), (Some(90), Some("10.0.0.9")));
        for line in [
            "sfha mesh token --expires soon",
            "sfha mesh token --expires 0s",
            "sfha mesh token --ip 10.0.0",
            "sfha vip add web 10.0.0.9",
            "sfha vip add web 10.0.0.9/33",
            "sfha init --cluster c --mesh --ip 10.0.0.1/24 --port 0",
            "sfha maintenance maybe",
        ] {
            assert_eq!(wrong(line).exit, 2, "{line}");
        }
    }

    #[test]
    fn a_key_is_rotated_in_one_step_or_all_on_one_node_or_all() {
        let asked = |line: &str| match run(line).1 {
            Task::MeshRotateKeys(params) => params,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(asked("sfha mesh rotate-keys"), RotateParams::default());
        let commit = asked("sfha mesh rotate-keys --commit --node node2");
        assert_eq!((commit.step, commit.node.as_deref()), (Some(RotateStep::Commit), Some("node2")));
        let all = asked("sfha mesh rotate-keys --all --prepare");
        assert!(all.all && all.step == Some(RotateStep::Prepare));
        for line in ["--prepare --commit", "--all --node node2", "node2", "--commit --cleanup"] {
            assert_eq!(wrong(&format!("sfha mesh rotate-keys {line}")).exit, 2, "{line}");
        }
    }

    #[test]
    fn a_service_is_added_with_what_is_said_of_it() {
        let asked = |line: &str| match run(line).1 {
            Task::Service(ServiceTask::Add(params)) => params,
            other => panic!("{line}: {other:?}"),
        };
        let plain = asked("sfha service add web nginx");
        assert_eq!(
            plain,
            ServiceAddParams { name: "web".into(), unit: "nginx".into(), ..ServiceAddParams::default() }
        );
        let line = "sfha service add db postgresql.service --prefer node2,node3 --critical --restarts 2 \
                    --start-timeout 2min --stop-timeout 90s";
        let full = asked(line);
        assert_eq!(full.prefer, ["node2", "node3"]);
        assert!(full.critical);
        assert_eq!(
            (full.restarts, full.start_timeout_ms, full.stop_timeout_ms),
            (Some(2), Some(120_000), Some(90_000))
        );
        for line in ["web", "web nginx --restarts -1", "web nginx --stop-timeout 0s", "web nginx extra"] {
            assert_eq!(wrong(&format!("sfha service add {line}")).exit, 2, "{line}");
        }
    }

    #[test]
    fn config_yml_has_its_commands() {
        let asked = |line: &str| match run(line).1 {
            Task::Config(task) => task,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(asked("sfha config-check"), ConfigTask::Check(None));
        assert_eq!(asked("sfha config-check /x.yml"), ConfigTask::Check(Some("/x.yml".into())));
        assert_eq!(asked("sfha config-example"), ConfigTask::Example);
        assert_eq!(asked("sfha reload"), ConfigTask::Reload { dry_run: false });
        assert_eq!(asked("sfha reload --dry-run -j"), ConfigTask::Reload { dry_run: true });
        assert_eq!(asked("sfha propagate"), ConfigTask::Propagate);
        assert_eq!(wrong("sfha reload node2").exit, 2);
    }
}
