//! The console in a node, before a real daemon: keys in, and what an operator sees on 80 columns and 24 lines, in
//! French.

use sfha_tests::cluster::{Cluster, PATIENCE};
use sfha_tests::lab::LabOptions;
use sfha_tests::terminal::Terminal;

const ENTER: &str = "\r";

/// `sfha` on a terminal in a node.
struct Console(Terminal);

impl Console {
    fn open(cluster: &Cluster, node: usize) -> Self {
        let command = cluster.node(node).command(&["sfha", "--lang", "fr"]).unwrap();
        Self(Terminal::start(command, 80, 24).unwrap())
    }

    fn see(&mut self, wanted: &[&str]) {
        self.0.see(wanted, PATIENCE).unwrap_or_else(|error| panic!("{error:#}"));
    }

    fn press(&mut self, keys: &str) {
        self.0.press(keys).unwrap();
    }

    /// Chooses from the menu.
    fn pick(&mut self, title: &str) {
        self.press("w");
        self.see(&["▸ ", title]);
        let shown = self.0.shown();
        let line = |text: &str| shown.lines().position(|line| line.contains(text)).unwrap();
        let down = "j".repeat(line(title) - line("▸ "));
        self.press(&down);
        self.see(&[&format!("▸ {title}")]);
        self.press(ENTER);
    }

    /// The token that is shown: over several lines, between the borders of its box.
    fn token(&self) -> String {
        let shown = self.0.shown();
        let inside = shown.lines().map(|line| line.split('│').nth(1).unwrap_or_default().trim());
        let token = inside.skip_while(|line| !line.starts_with("sfha-join://"));
        token.take_while(|line| !line.contains(' ')).collect()
    }

    fn quit(mut self) {
        self.press("\x03");
        assert_eq!(self.0.end(PATIENCE).unwrap(), Some(0));
    }
}

#[test]
fn an_operator_adds_an_address_moves_it_and_takes_a_node_out_of_service() {
    let cluster = Cluster::formed("console", 3).unwrap();
    let mut console = Console::open(&cluster, 0);
    console.see(&["sfha prod vu de node1", "● en direct", "Nœuds 3/3", "Aucune VIP"]);

    // A VIP: name, address, and the plan of the simulator before anything is done.
    console.press("3n");
    console.see(&["Ajouter une VIP", "Saisie"]);
    console.press("web");
    console.press(ENTER);
    console.press("10.77.0.100/24");
    console.press(ENTER);
    console.press(ENTER);
    console.see(&["10.77.0.100/24 est posée", "1 ressource sera servie par node1 en", "web."]);
    assert!(cluster.status(0).unwrap().vips.is_empty(), "it was only asked");
    console.press("o");
    console.see(&["VIP web (10.77.0.100/24) ajoutée"]);
    let holder = cluster.wait_active("web", &cluster.all(), PATIENCE).unwrap();
    assert_eq!(holder, 0);
    console.press(ENTER);
    console.see(&["VIP 1/1", "● web", "active", "node1"]);

    // Failover to a chosen node: what was foreseen is what happens.
    console.press("f");
    console.see(&["Basculer", "le mieux placé"]);
    console.press("\x1b[C\x1b[C\x1b[C");
    console.see(&["◂ node3"]);
    console.press(ENTER);
    console.see(&["1 ressource passe de node1 à node3 en", "web."]);
    console.press("o");
    console.see(&["1 VIP passée sur node3 en"]);
    assert_eq!(cluster.wait_active("web", &cluster.all(), PATIENCE).unwrap(), 2);
    console.press(ENTER);

    // Standby, and back: node3 is the third line of the overview.
    console.press("1gjjs");
    console.see(&["Mettre un nœud en veille", "passe de node3 à node"]);
    console.press("o");
    console.see(&["node3 est en veille", "▸○ node3"]);
    let holder = cluster.wait_active("web", &cluster.all(), PATIENCE).unwrap();
    assert_ne!(holder, 2);
    console.press("S");
    console.see(&["Rien ne bouge."]);
    console.press("o");
    console.see(&["node3 est de nouveau en service"]);
    assert_eq!(cluster.wait_active("web", &cluster.all(), PATIENCE).unwrap(), holder, "nothing moves back");

    // All of it is in the view of events, with what was there before the console was opened.
    console.press("6");
    console.see(&["VIP web ajoutée", "VIP web passée de node1 à node3", "node3 est mis en veille"]);
    console.quit();

    // A second console knows it from the daemon.
    let mut console = Console::open(&cluster, 1);
    console.see(&["Nœuds 3/3"]);
    console.press("6");
    console.see(&["VIP web passée de node1 à node3", "node3 est remis en service"]);
    console.quit();
    cluster.check_journals(&cluster.all()).unwrap();
}

#[test]
fn a_cluster_is_founded_and_joined_from_the_console_alone() {
    let cluster = Cluster::fresh(LabOptions::unique("console-init").nodes(2)).unwrap();
    let mut first = Console::open(&cluster, 0);
    first.see(&["pas de connexion", "créer un cluster ou en rejoindre un"]);
    first.press("w");
    first.see(&["▸ Créer un cluster"]);
    first.press(ENTER);
    first.see(&["Nom du cluster"]);
    first.press("prod");
    first.press(&ENTER.repeat(5));
    first.see(&["Le cluster prod est créé avec ce seul nœud"]);
    first.press("o");
    first.see(&["node1 en est le premier nœud"]);
    first.press(ENTER);
    first.see(&["sfha prod vu de node1", "● en direct", "Nœuds 1/1"]);

    first.press("2n");
    first.see(&["Inviter un nœud", "Saisie"]);
    first.press(&ENTER.repeat(2));
    first.see(&["Un jeton est créé"]);
    first.press("o");
    first.see(&["En attente du nouveau nœud", "sfha-join://", "OSC 52"]);
    let token = first.token();

    let mut second = Console::open(&cluster, 1);
    second.see(&["pas de connexion", "créer un cluster ou en rejoindre un"]);
    second.press("w");
    second.see(&["▸ Créer un cluster"]);
    second.press("j");
    second.press(ENTER);
    second.see(&["Rejoindre un cluster", "Jeton"]);
    second.press(&token);
    second.press(&ENTER.repeat(3));
    second.see(&["Le tunnel est établi"]);
    second.press("o");
    second.see(&["node2 est membre du cluster prod"]);
    // Whoever invited it sees it arrive.
    first.see(&["Utilisé par node2", "node2\u{a0}: en ligne", "connecté"]);
    second.press(ENTER);
    second.see(&["sfha prod vu de node2", "Nœuds 2/2"]);
    cluster.wait_in_step(&[0, 1], PATIENCE).unwrap();

    // New keys for both.
    first.press(ENTER);
    first.pick("Changer les clés");
    first.press(ENTER);
    first.see(&["Tous les nœuds changent de clé"]);
    first.press("o");
    first.see(&["node1 a changé de clé", "node2 a changé de clé"]);
    first.quit();
    second.quit();
    cluster.check_journals(&cluster.all()).unwrap();
}
