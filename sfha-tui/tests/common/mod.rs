//! A daemon that says what it is told to, on a socket of its own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

#[allow(dead_code, reason = "only some tests have a terminal")]
pub mod dialogue;

/// The lines that answer a request; `null` closes the connection.
type Answers = dyn Fn(&Value) -> Vec<Value> + Send + Sync;

/// The daemon; its threads end with the test process.
pub struct Fake {
    requests: Arc<Mutex<Vec<Value>>>,
    socket: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

impl Fake {
    /// Listens on a new socket.
    pub fn start(answers: impl Fn(&Value) -> Vec<Value> + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("sfhad.sock");
        let mut fake = Self::listen(&socket, json!({"sfha": "0.1.0", "protocol": 1}), answers);
        fake._folder = Some(folder);
        fake
    }

    /// Listens on this socket, with this greeting.
    pub fn listen(
        socket: &Path,
        greeting: Value,
        answers: impl Fn(&Value) -> Vec<Value> + Send + Sync + 'static,
    ) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let answers: Arc<Answers> = Arc::new(answers);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answers, greeting) = (Arc::clone(&seen), Arc::clone(&answers), greeting.clone());
                std::thread::spawn(move || serve(stream, &greeting, &seen, &*answers));
            }
        });
        Self { requests, socket: socket.to_owned(), _folder: None }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What it was asked.
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(stream: UnixStream, greeting: &Value, seen: &Mutex<Vec<Value>>, answers: &Answers) {
    let mut writer = stream.try_clone().unwrap();
    if writeln!(writer, "{greeting}").is_err() {
        return;
    }
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let request: Value = serde_json::from_str(&line).unwrap();
        seen.lock().unwrap().push(request.clone());
        for answer in answers(&request) {
            if answer.is_null() {
                let _ = writer.shutdown(std::net::Shutdown::Both);
                return;
            }
            if let Some(pause) = answer.get("pause_ms").and_then(Value::as_u64) {
                std::thread::sleep(std::time::Duration::from_millis(pause));
            } else if writeln!(writer, "{answer}").is_err() {
                return;
            }
        }
    }
}

/// The answer to a request.
pub fn result(request: &Value, result: Value) -> Vec<Value> {
    vec![json!({"id": request["id"], "result": result})]
}

/// Its refusal.
pub fn error(request: &Value, code: &str, details: Value) -> Vec<Value> {
    vec![json!({"id": request["id"], "error": {"code": code, "details": details}})]
}

/// A step of a long command.
pub fn progress(request: &Value, step: &str, elapsed_ms: u64) -> Value {
    json!({"event": "progress", "seq": 1, "data": {"id": request["id"], "step": step, "elapsed_ms": elapsed_ms}})
}
