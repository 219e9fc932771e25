//! `config.yml` and the shared state: edited by hand on one node, brought up to date on all.

use std::time::Duration;

use serde_json::Value;
use sfha_proto::config::{FileState, Propagated, Reloaded};
use sfha_tests::cluster::{Cluster, PATIENCE, VIP};
use sfha_tests::lab::{Node, Task, wait_until};

const CONFIG: &str = "/etc/sfha/config.yml";

/// Waits until the file of a node is as wanted.
fn file_of(cluster: &Cluster, node: usize, what: &str, wanted: impl Fn(&str) -> bool) -> String {
    let read = || cluster.node(node).read_file(CONFIG).unwrap();
    wait_until(what, PATIENCE, || wanted(&read())).unwrap_or_else(|error| panic!("{error:#}\n{}", read()));
    read()
}

fn revision(cluster: &Cluster, node: usize) -> (u64, String) {
    let state: Value =
        serde_json::from_str(&cluster.node(node).read_file("/var/lib/sfha/state.json").unwrap()).unwrap();
    (state["revision"].as_u64().unwrap(), state["version"].to_string())
}

fn inode(cluster: &Cluster, node: usize) -> String {
    cluster.node(node).sh(&format!("stat -c %i:%Y {CONFIG}")).unwrap()
}

/// What a node asks of its system bus, and what changes of its network, while it has no VIP to renew.
struct Overheard<'a> {
    node: &'a Node,
    _listening: [Task; 2],
}

impl<'a> Overheard<'a> {
    fn on(node: &'a Node) -> Self {
        let listen = |command: &str| node.spawn(&["sh", "-c", command]).unwrap();
        let listening = [
            listen("exec busctl monitor >/root/bus 2>&1"),
            listen("exec ip monitor address link route >/root/net 2>&1"),
        ];
        let overheard = Self { node, _listening: listening };
        // What comes in between two marks is all that there was.
        wait_until("both to listen", PATIENCE, || {
            overheard.mark();
            overheard.calls().contains(&"Ping".to_owned()) && !overheard.changes().is_empty()
        })
        .unwrap();
        overheard
    }

    fn mark(&self) {
        self.node
            .sh("busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.DBus.Peer Ping; \
                 ip address add 127.9.9.9/32 dev lo; ip address del 127.9.9.9/32 dev lo")
            .unwrap();
    }

    /// The methods that were called.
    fn calls(&self) -> Vec<String> {
        let text = self.node.read_file("/root/bus").unwrap_or_default();
        let messages = text.split("Type=").filter(|message| message.starts_with("method_call"));
        let member =
            |message: &str| Some(message.split("Member=").nth(1)?.split_whitespace().next()?.to_owned());
        messages.filter_map(member).collect()
    }

    fn changes(&self) -> Vec<String> {
        let text = self.node.read_file("/root/net").unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Methods called and changes made, without the marks themselves.
    fn since_it_began(&self) -> (Vec<String>, Vec<String>) {
        let pings = |calls: &[String]| calls.iter().filter(|call| *call == "Ping").count();
        let marks = |changes: &[String]| changes.iter().filter(|line| line.contains("127.9.9.9")).count();
        let (before, changed) = (pings(&self.calls()), marks(&self.changes()));
        self.mark();
        wait_until("the mark", PATIENCE, || {
            pings(&self.calls()) > before && marks(&self.changes()) >= changed + 2
        })
        .unwrap();
        let (mut calls, mut changes) = (self.calls(), self.changes());
        calls.retain(|call| !["Ping", "Hello"].contains(&call.as_str()));
        changes.retain(|line| !line.contains("127.9.9.9") && !line.contains("valid_lft"));
        (calls, changes)
    }
}

fn names(reloaded: &Reloaded) -> Vec<&str> {
    reloaded.changes.iter().map(|change| change.name.as_str()).collect()
}

#[test]
fn what_is_edited_on_one_node_is_on_all_and_no_edit_is_lost() {
    let cluster = Cluster::formed("config", 3).unwrap();
    let append = |node: usize, text: &str| {
        let old = cluster.node(node).read_file(CONFIG).unwrap();
        cluster.node(node).write_file(CONFIG, &format!("{old}{text}")).unwrap();
    };

    // What a command adds comes into every file, beside what people wrote there.
    append(1, "\n# node2's own remark\n");
    cluster.vip_add(0, "web", VIP).unwrap();
    for node in cluster.all() {
        file_of(&cluster, node, "the VIP in the file", |text| text.contains("name: web"));
    }
    let text = cluster.node(1).read_file(CONFIG).unwrap();
    assert!(text.contains("\n# node2's own remark\n"), "{text}");
    let good = cluster.sfha(1, &["config-check", "--json"]).unwrap();
    assert_eq!(good.code, 0, "{good:?}");

    // An edit by hand: shown, then done, on all nodes.
    let edit = "  - name: second   # by hand\n    ip: 10.77.0.150/24\n    prefer: [node2, node1]\n\
                health_checks:\n  - {name: ssh, target: '127.0.0.1:22', interval: 7s}\n";
    append(1, edit);
    let before = revision(&cluster, 0);
    let shown: Reloaded = cluster.ask(1, &["reload", "--dry-run"]).unwrap();
    assert_eq!((names(&shown), shown.dry_run), (vec!["second", "ssh"], true));
    assert_eq!(revision(&cluster, 0), before);
    let done: Reloaded = cluster.ask(1, &["reload"]).unwrap();
    assert_eq!(names(&done), ["second", "ssh"]);
    cluster.wait_active("second", &cluster.all(), PATIENCE).unwrap();
    for node in [0, 2] {
        let text = file_of(&cluster, node, "the edit", |text| text.contains("10.77.0.150"));
        assert!(text.contains("interval: 7s") && text.contains("prefer: [node2, node1]"), "{text}");
        assert!(!text.contains("by hand"), "{text}");
    }
    assert!(cluster.node(1).read_file(CONFIG).unwrap().ends_with(edit));

    // The same again does nothing at all.
    let before: Vec<_> =
        cluster.all().into_iter().map(|node| (revision(&cluster, node), inode(&cluster, node))).collect();
    let overheard = Overheard::on(cluster.node(2));
    for node in cluster.all() {
        let nothing: Reloaded = cluster.ask(node, &["reload"]).unwrap();
        assert_eq!(nothing.changes, []);
    }
    assert_eq!(overheard.since_it_began(), (Vec::new(), Vec::new()));
    cluster.node(0).exec_ok(&["systemctl", "reload", "sfha"]).unwrap();
    let after: Vec<_> =
        cluster.all().into_iter().map(|node| (revision(&cluster, node), inode(&cluster, node))).collect();
    assert_eq!(after, before);

    // A priority is this node's, and everybody's to know.
    let old = cluster.node(2).read_file(CONFIG).unwrap();
    cluster
        .node(2)
        .write_file(CONFIG, &old.replace("  name: node3\n", "  name: node3\n  priority: 50\n"))
        .unwrap();
    let done: Reloaded = cluster.ask(2, &["reload"]).unwrap();
    assert_eq!((names(&done), done.changes[0].kind.as_str()), (vec!["node3"], "priority"));

    // A fault changes nothing, is told whole, and keeps nobody from anything.
    let sound = cluster.node(1).read_file(CONFIG).unwrap();
    let faulty = format!("{}colour: blue\n", sound.replace("interval: 7s", "interval: soon"));
    cluster.node(1).write_file(CONFIG, &faulty).unwrap();
    let before = revision(&cluster, 0);
    let refused = cluster.sfha(1, &["reload", "--json"]).unwrap();
    let error: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!((refused.code, &error["error"]["code"]), (1, &Value::from("file-invalid")));
    assert_eq!(error["error"]["details"]["findings"].as_array().unwrap().len(), 2, "{error}");
    assert_eq!(revision(&cluster, 0), before);
    cluster.vip_add(0, "third", "10.77.0.151").unwrap();
    file_of(&cluster, 2, "the third", |text| text.contains("10.77.0.151"));
    wait_until("the fault in the status", PATIENCE, || {
        cluster.status(1).is_ok_and(|status| status.config_file == Some(FileState::Invalid))
    })
    .unwrap();
    assert_eq!(cluster.node(1).read_file(CONFIG).unwrap(), faulty, "a file with a fault is left alone");

    // Mended: what was added meanwhile comes in, and is not taken for something deleted here.
    cluster.node(1).write_file(CONFIG, &sound).unwrap();
    let mended: Reloaded = cluster.ask(1, &["reload"]).unwrap();
    assert_eq!(mended.changes, []);
    file_of(&cluster, 1, "what came meanwhile", |text| {
        text.contains("10.77.0.151") && text.contains("# by hand")
    });

    // A node that was away follows when it is back, with the edit that waited on it.
    append(2, "# waiting\n");
    cluster.node(2).cut().unwrap();
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();
    let _: Value = cluster.ask(0, &["--yes", "vip", "remove", "web"]).unwrap();
    file_of(&cluster, 1, "the removal", |text| !text.contains("name: web"));
    cluster.boot_operational(2, PATIENCE).unwrap();
    cluster.wait_in_step(&cluster.all(), PATIENCE).unwrap();
    let text = file_of(&cluster, 2, "the removal", |text| !text.contains("name: web"));
    assert!(text.contains("# waiting") && text.contains("priority: 50"), "{text}");

    wait_until("everybody in step", Duration::from_secs(20), || {
        let all: Propagated = cluster.ask(0, &["propagate"]).unwrap();
        let known = all.nodes.iter().all(|node| node.in_step == Some(true) && node.program.is_some());
        all.in_step && known && all.nodes.len() == 3 && all.file == Some(FileState::InStep)
    })
    .unwrap();
    cluster.check_journals(&cluster.all()).unwrap();
}
