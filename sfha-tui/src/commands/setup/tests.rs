use std::cell::RefCell;
use std::io::Write;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::Value;

use super::*;
use crate::fake::{self, Fake};

/// Starting it makes a daemon appear, if there is one to appear.
struct FakeUnits {
    calls: RefCell<Vec<&'static str>>,
    socket: PathBuf,
    answers: Option<fn(&Value) -> Vec<Value>>,
    fake: RefCell<Option<Fake>>,
    told: Sink,
}

impl Units for &FakeUnits {
    async fn start(&self) -> Result<(), Failure> {
        self.calls.borrow_mut().push("start");
        if let Some(answers) = self.answers {
            let greeting = json!({"sfha": "0.1.0", "protocol": 1});
            *self.fake.borrow_mut() = Some(Fake::listen(&self.socket, greeting, answers));
        }
        Ok(())
    }

    async fn stop(&self) {
        self.calls.borrow_mut().push("stop");
    }

    async fn enable(&self) -> bool {
        self.calls.borrow_mut().push("enable");
        true
    }
}

fn units(folder: &tempfile::TempDir, answers: Option<fn(&Value) -> Vec<Value>>) -> FakeUnits {
    FakeUnits {
        calls: RefCell::default(),
        socket: folder.path().join("sfhad.sock"),
        answers,
        fake: RefCell::default(),
        told: Sink::default(),
    }
}

fn work<'a>(
    socket: &'a Path,
    managed: bool,
    root: bool,
    units: &'a FakeUnits,
) -> Work<'a, &'a FakeUnits, fn() -> Problem> {
    let steps = Steps::new(Paint { colour: false, utf8: true }, false, Box::new(units.told.clone()));
    Work { socket, managed, root, units, steps, interrupted: || Problem::connection_lost() }
}

/// What was told.
#[derive(Default, Clone)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink {
    /// The lines, each without its time.
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.borrow();
        let text = String::from_utf8(bytes.clone()).unwrap();
        text.lines().map(|line| line.split("   ").next().unwrap_or_default().to_owned()).collect()
    }
}

fn steps_then_refused(request: &Value) -> Vec<Value> {
    let steps = ["checking", "corosync", "corosync", "from-the-future"];
    let mut lines: Vec<Value> = steps.iter().map(|step| fake::progress(request, step, 1)).collect();
    lines.extend(refused(request));
    lines
}

fn done(request: &Value) -> Vec<Value> {
    fake::result(request, json!({"well": "done"}))
}

fn refused(request: &Value) -> Vec<Value> {
    fake::error(request, "corosync-missing", json!({"program": "corosync"}))
}

async fn run(work: &Work<'_, &FakeUnits, fn() -> Problem>) -> Result<Value, Problem> {
    work.run("init", &json!({}), Duration::from_secs(5)).await
}

#[tokio::test]
async fn a_daemon_that_was_started_here_is_enabled_on_success() {
    let folder = tempfile::tempdir().unwrap();
    let units = units(&folder, Some(done));
    let answer = run(&work(&units.socket, true, true, &units)).await.unwrap();
    assert_eq!(answer, json!({"well": "done"}));
    assert_eq!(*units.calls.borrow(), ["start", "enable"]);
}

#[tokio::test]
async fn a_daemon_that_was_started_here_is_stopped_on_failure() {
    let folder = tempfile::tempdir().unwrap();
    let units = units(&folder, Some(refused));
    let problem = run(&work(&units.socket, true, true, &units)).await.unwrap_err();
    assert_eq!(problem.code, "corosync-missing");
    assert_eq!(*units.calls.borrow(), ["start", "stop"]);
}

#[tokio::test]
async fn a_daemon_that_was_there_is_left_alone_on_failure() {
    let folder = tempfile::tempdir().unwrap();
    let units = units(&folder, None);
    let _fake = Fake::listen(&units.socket, json!({"sfha": "0.1.0", "protocol": 1}), refused);
    run(&work(&units.socket, true, true, &units)).await.unwrap_err();
    assert_eq!(*units.calls.borrow(), Vec::<&str>::new());
}

#[tokio::test]
async fn only_root_starts_it() {
    let folder = tempfile::tempdir().unwrap();
    let units = units(&folder, Some(done));
    let problem = run(&work(&units.socket, true, false, &units)).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.exit), ("not-permitted", 5));
    assert_eq!(*units.calls.borrow(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_daemon_at_another_socket_is_not_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let units = units(&folder, Some(done));
    let problem = run(&work(&units.socket, false, true, &units)).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.exit), ("no-daemon", 3));
    let _fake = Fake::listen(&units.socket, json!({"sfha": "0.1.0", "protocol": 1}), done);
    run(&work(&units.socket, false, true, &units)).await.unwrap();
    assert_eq!(*units.calls.borrow(), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_never_appears_is_waited_for_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let units = units(&folder, None);
    let before = Instant::now();
    let problem = run(&work(&units.socket, true, true, &units)).await.unwrap_err();
    let waited = before.elapsed();
    assert_eq!(problem.code, "no-daemon");
    assert!(waited >= SOCKET_WAIT && waited < SOCKET_WAIT + Duration::from_secs(1), "{waited:?}");
    assert_eq!(*units.calls.borrow(), ["start", "stop"]);
}

#[tokio::test]
async fn each_step_is_told_once_and_the_last_one_failed() {
    let folder = tempfile::tempdir().unwrap();
    let units = units(&folder, Some(steps_then_refused));
    run(&work(&units.socket, true, true, &units)).await.unwrap_err();
    let told = [
        "● Démarrage du démon",
        "● Vérification des prérequis",
        "● Démarrage de Corosync",
        "✗ Étape suivante",
    ];
    assert_eq!(units.told.lines(), told);
}
