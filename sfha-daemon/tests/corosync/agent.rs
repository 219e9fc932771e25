//! The code under test, running in a node: commands come as lines, events and answers go as JSON lines.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, Write as _};
use std::time::Duration;

use serde_json::{Value, json};
use sfha_daemon::io::corosync::{Corosync, CorosyncEvent, send_once};

/// Set in the environment of the test binary, it makes an agent of it; the value is the group.
pub const GROUP: &str = "SFHA_TEST_COROSYNC_GROUP";

/// Set as well, it makes a helper that sends one message: its length and its seed.
pub const ONCE: &str = "SFHA_TEST_COROSYNC_ONCE";

/// What an agent says of a payload instead of repeating it.
pub fn digest(payload: &[u8]) -> Value {
    let mut hasher = DefaultHasher::new();
    payload.hash(&mut hasher);
    json!({ "len": payload.len(), "hash": format!("{:016x}", hasher.finish()) })
}

/// A payload that differs with every seed, in all its parts. Quickly made: the ring is to be the bottleneck.
pub fn payload(len: usize, seed: u64) -> Vec<u8> {
    let block: Vec<_> = (0..1021u64).flat_map(|word| (seed << 32 | word).to_le_bytes()).collect();
    let mut payload = block.repeat(len.div_ceil(block.len()));
    payload.truncate(len);
    payload
}

fn say(value: &Value) {
    // The test may have gone; then there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{value}");
}

/// Sends one message as `length seed` says.
pub fn run_once(group: &str, message: &str) {
    let numbers: Vec<u64> = message.split(' ').map(|number| number.parse().unwrap()).collect();
    let payload = payload(usize::try_from(numbers[0]).unwrap(), numbers[1]);
    send_once(group, payload, Duration::from_secs(10)).unwrap();
}

/// Runs until standard input ends.
pub fn run(group: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(serve(group));
}

async fn serve(group: &str) {
    let (corosync, mut events) = Corosync::start(group).unwrap();
    let (sender, mut commands) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => say(&shown(event)),
            line = commands.recv() => match line {
                Some(line) => obey(&corosync, &line).await,
                None => return,
            },
        }
    }
}

fn shown(event: CorosyncEvent) -> Value {
    match event {
        CorosyncEvent::Message { from, payload } => {
            json!({ "event": "message", "from": from, "payload": digest(&payload) })
        }
        other => serde_json::to_value(other).unwrap(),
    }
}

async fn obey(corosync: &Corosync, line: &str) {
    let words: Vec<_> = line.split_whitespace().collect();
    let number = |index: usize| words[index].parse::<u64>().unwrap();
    let answer = match words[0] {
        "multicast" => {
            let payload = payload(usize::try_from(number(1)).unwrap(), number(2));
            corosync.multicast(payload).map(|()| Value::Null)
        }
        "answer_deadline_ms" => {
            corosync.set_answer_deadline(Duration::from_millis(number(1)));
            Ok(Value::Null)
        }
        "reload" => corosync.reload().await.map(|()| Value::Null),
        "versions" => corosync.config_versions().await.map(|versions| json!(versions)),
        "links" => corosync.links(u32::try_from(number(1)).unwrap()).await.map(|links| json!(links)),
        "leave" => {
            corosync.leave(Duration::from_secs(5)).await;
            Ok(Value::Null)
        }
        other => panic!("no such command: {other}"),
    };
    if words[0] != "multicast" || answer.is_err() {
        let (ok, value) = match answer {
            Ok(value) => (true, value),
            Err(error) => (false, json!(error.to_string())),
        };
        say(&json!({ "event": "answer", "to": words[0], "ok": ok, "value": value }));
    }
}
