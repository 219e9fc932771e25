//! The same faults on keepalived, on the same nodes.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Plan, Report, Sight, tell};
use crate::cluster::PATIENCE;
use crate::lab::{Lab, Task};

/// Its own address, so that nothing of sfha's is mistaken for it.
const ADDRESS: &str = "10.77.0.120";

/// How long a killed keepalived is left with the address, before the run takes it away: for ever, otherwise.
const LEFT_ALONE: Duration = Duration::from_secs(4);

/// One way to configure it.
pub(super) struct Settings {
    pub(super) name: &'static str,
    advertisement: &'static str,
}

/// As it comes, and as those tune it who want to be quick.
pub(super) const SETTINGS: &[Settings] = &[
    Settings { name: "keepalived", advertisement: "1" },
    Settings { name: "keepalived-0.1", advertisement: "0.1" },
];

fn configuration(node: usize, settings: &Settings) -> String {
    let priority = 150 - 20 * node;
    format!(
        "global_defs {{\n  vrrp_version 3\n  router_id node{node}\n}}\n\
         vrrp_instance web {{\n  state BACKUP\n  nopreempt\n  interface eth0\n  virtual_router_id 51\n  \
         priority {priority}\n  advert_int {}\n  virtual_ipaddress {{\n    {ADDRESS}/32\n  }}\n}}\n",
        settings.advertisement
    )
}

/// The keepaliveds of a lab, by node.
struct Group<'a> {
    lab: &'a Lab,
    running: Vec<Option<Task>>,
}

impl<'a> Group<'a> {
    fn start(lab: &'a Lab, settings: &Settings) -> Result<Self> {
        let mut group = Self { lab, running: lab.nodes().iter().map(|_| None).collect() };
        for (index, node) in lab.nodes().iter().enumerate() {
            node.write_file("/etc/keepalived/keepalived.conf", &configuration(index, settings))?;
            group.start_on(index)?;
        }
        Ok(group)
    }

    fn start_on(&mut self, node: usize) -> Result<()> {
        let command = [
            "sh",
            "-c",
            "rm -f /run/keepalived*.pid /run/keepalived/*.pid; exec keepalived -n -D >/run/keepalived.log 2>&1",
        ];
        self.running[node] = Some(self.lab.node(node).spawn(&command)?);
        Ok(())
    }

    /// In step means here: one has it, and the others have had the time to hear of it.
    fn settle(&self, settings: &Settings) -> Result<()> {
        let advertisement: f64 = settings.advertisement.parse()?;
        thread::sleep(Duration::from_secs_f64(advertisement * 4.0 + 0.5));
        Ok(())
    }
}

/// Every fault, as many times as planned.
pub(super) fn faults(lab: &Lab, settings: &Settings, plan: Plan, report: &mut Report) -> Result<()> {
    let address: IpAddr = ADDRESS.parse()?;
    let mut group = Group::start(lab, settings)?;
    for run in 1..=plan.runs {
        tell(&format!("{}, run {run} of {}", settings.name, plan.runs));
        group.settle(settings)?;
        let (sight, holder) = Sight::on(lab, address)?;
        lab.node(holder).cut()?;
        sight.wait_moved(holder)?;
        let seen = sight.finish()?;
        report.add_ms(settings.name, "cut_gap", seen.gap()?);
        group.running[holder] = None;
        lab.node(holder).boot()?;
        lab.node(holder).exec_ok(&["systemctl", "stop", "sfha.service"])?;
        group.start_on(holder)?;
        group.settle(settings)?;

        let (sight, holder) = Sight::on(lab, address)?;
        lab.node(holder).sh("kill -TERM $(pgrep -o -x keepalived)")?;
        sight.wait_moved(holder)?;
        report.add_ms(settings.name, "stop_gap", sight.finish()?.gap()?);
        group.start_on(holder)?;
        group.settle(settings)?;

        let (sight, holder) = Sight::on(lab, address)?;
        // The child first: it gives the address up when it sees its parent die.
        lab.node(holder).sh("pgrep -x keepalived | sort -rn | xargs kill -KILL")?;
        sight.wait_moved(holder)?;
        thread::sleep(LEFT_ALONE);
        let node = lab.node(holder);
        ensure!(node.has_address(address)?, "the dead keepalived's address is gone");
        node.exec_ok(&["ip", "addr", "del", &format!("{ADDRESS}/32"), "dev", "eth0"])?;
        sight.watcher.wait_one_holder(PATIENCE)?;
        let seen = sight.finish()?;
        report.add_ms(settings.name, "two_holders", seen.watch.two_holders);
        group.start_on(holder)?;
    }
    // Killed, they leave their address behind.
    drop(group);
    for node in lab.nodes() {
        let _ = node.exec(&["ip", "addr", "del", &format!("{ADDRESS}/32"), "dev", "eth0"])?;
    }
    Ok(())
}
