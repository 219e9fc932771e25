//! The quick start of the documentation, followed to the letter on three servers that have nothing but Debian 12.

use std::path::Path;
use std::thread;
use std::time::Duration;

use sfha_tests::cluster::{Cluster, PATIENCE, package};
use sfha_tests::lab::{Lab, LabOptions, Node, bare_debian, wait_until};

/// The page, in each language.
const PAGES: [&str; 2] =
    [include_str!("../../../docs/fr/prise-en-main.md"), include_str!("../../../docs/en/quick-start.md")];

/// The same lines as they are in both READMEs.
const READMES: [&str; 2] = [include_str!("../../../README.md"), include_str!("../../../README.en.md")];

/// The address that the page makes float.
const WEB: &str = "192.0.2.10";

/// apt has to unpack all that Corosync needs.
const INSTALL: Duration = Duration::from_secs(300);

/// What is to be typed in a page, block by block, without the comments.
fn blocks(page: &str) -> Vec<Vec<String>> {
    let fenced = page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    let lines = |block: &str| {
        let typed = block.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        typed.filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    fenced.map(lines).collect()
}

/// Types a line in a root shell, and agrees to what it asks.
fn enter(node: &Node, line: &str) -> String {
    let typed = format!("cd /root; export TERM=dumb; {line}");
    let output = node.exec_with_input(INSTALL, &["bash", "-ec", &typed], "y\n").unwrap();
    assert!(output.success(), "{}: {line}: {output:#?}", node.name());
    output.stdout
}

#[test]
fn the_page_says_the_same_in_both_languages_and_so_do_the_readmes() {
    let [french, english] = PAGES.map(blocks);
    assert_eq!(french, english);
    let [french, english] = READMES.map(|page| blocks(page).concat());
    assert_eq!(french, english);
    let page = blocks(PAGES[0]).concat();
    let strange: Vec<&String> = french
        .iter()
        .filter(|line| !line.starts_with("make ") && *line != "sfha" && !page.contains(line))
        .collect();
    assert_eq!(strange, Vec::<&String>::new(), "only in the README");
}

#[test]
fn three_bare_servers_become_a_cluster_by_what_the_page_says() {
    let system = bare_debian(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let cluster = Cluster::on(Lab::up(&LabOptions::unique("quick").of_system(system)).unwrap());
    let nodes = cluster.lab().nodes();
    let file = package().unwrap();
    let name = file.file_name().unwrap();
    for (index, node) in nodes.iter().enumerate() {
        std::fs::copy(&file, node.disk().join("root").join(name)).unwrap();
        // The network that the page's address is in.
        let own = format!("ip addr add 192.0.2.{}/24 dev eth0", index + 1);
        let added = std::process::Command::new("ip")
            .args(["-n", &node.netns()])
            .args(own.split(' ').skip(1))
            .status()
            .unwrap();
        assert!(added.success());
    }
    cluster.lab().client().exec_ok(&["ip", "addr", "add", "192.0.2.250/24", "dev", "eth0"]).unwrap();

    let blocks = blocks(PAGES[0]);
    let [install, init, join, address, moves] = blocks.as_slice() else { panic!("{blocks:#?}") };
    thread::scope(|scope| {
        for node in nodes {
            scope.spawn(move || install.iter().for_each(|line| drop(enter(node, line))));
        }
    });
    let first = &nodes[0];
    let mut said: String = init.iter().map(|line| enter(first, line)).collect();
    for node in &nodes[1..] {
        let token = said.split_whitespace().find(|word| word.starts_with("sfha-join://")).unwrap();
        for line in join {
            assert!(line.contains("sfha-join://..."), "{line}");
            enter(node, &line.replace("sfha-join://...", token));
        }
        said = enter(first, "sfha mesh token");
    }
    cluster.wait_in_step(&[0, 1, 2], PATIENCE).unwrap();
    for line in address {
        enter(&nodes[1], line);
    }
    let holder = cluster.wait_active("web", &[0, 1, 2], PATIENCE).unwrap();
    cluster.wait_active("web6", &[0, 1, 2], PATIENCE).unwrap();
    let prober = cluster.lab().client().probe(WEB.parse().unwrap()).unwrap();
    prober.wait_answered_by(holder, PATIENCE).unwrap();

    // It moves, and node1 holds nothing any more.
    assert_eq!(moves.len(), 2, "{moves:?}");
    enter(&nodes[2], &moves[0]);
    wait_until("another holder", PATIENCE, || {
        cluster.wait_active("web", &[0, 1, 2], PATIENCE).is_ok_and(|now| now != holder)
    })
    .unwrap();
    enter(&nodes[2], &moves[1]);
    let now = cluster.wait_active("web", &[1, 2], PATIENCE).unwrap();
    prober.wait_answered_by(now, PATIENCE).unwrap();
    prober.wait_answered_again(PATIENCE).unwrap();

    // Who may look.
    first
        .sh("useradd mary; adduser mary sfha; setpriv --reuid mary --regid mary --init-groups sfha status")
        .unwrap();
    cluster.check_journals(&[0, 1, 2]).unwrap();
    cluster.down().unwrap();
}
