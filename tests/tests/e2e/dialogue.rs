//! A command on a terminal inside a node, which `script` makes.

use std::process::{ChildStdin, Stdio};

use sfha_tests::lab::Node;

#[path = "../../../sfha-tui/tests/common/dialogue.rs"]
mod common;

pub type Dialogue = common::Dialogue<ChildStdin>;

pub fn start(node: &Node, line: &str) -> Dialogue {
    let mut command = node.command(&["script", "-qefc", line, "/dev/null"]).unwrap();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.env("TERM", "xterm").spawn().unwrap();
    let (keyboard, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    Dialogue::new(child, keyboard, screen)
}
