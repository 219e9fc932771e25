//! The device of the mesh by itself: how long peers take to be applied and what it costs to look at them, by the
//! code of the daemon; and what `sfha-wg` carries, beside Debian's `wireguard-go`.
//!
//! Everything in one run on one machine, in alternating rounds, so that the ratios mean something where the
//! machine is noisy.

mod data;
mod room;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sfha_daemon::io::wireguard::{Device, Peer, PrivateKey};

use self::room::Room;
use super::{Plan, Report, tell};
use crate::cluster::{PATIENCE, package, usage};
use crate::lab::{run as run_program, wait_until};

const SYSTEM: &str = "wireguard";

/// Name of every device: each has a room of its own.
const INTERFACE: &str = "wg-bench";

const PORT: u16 = 51820;

/// Peers of a large mesh.
const PEERS: u16 = 200;

/// How long the peers are looked at, once a second.
const READING: Duration = Duration::from_secs(20);

/// Measures all of it.
pub(super) fn run(plan: Plan, report: &mut Report) -> Result<()> {
    let unpacked = tempfile::tempdir()?;
    let (package, folder) = (package()?, unpacked.path().to_string_lossy().into_owned());
    run_program("dpkg-deb", &["-x", &package.to_string_lossy(), &folder])?;
    let ours = Kind { name: "sfha-wg", program: unpacked.path().join("usr/lib/sfha/sfha-wg") };
    let theirs = Kind { name: "wireguard-go", program: PathBuf::from("/usr/bin/wireguard-go") };
    peers(&ours, unpacked.path(), plan, report)?;
    data::run(&[ours, theirs], plan, report)
}

/// A userspace device's program.
struct Kind {
    name: &'static str,
    program: PathBuf,
}

/// A device that runs, until it is dropped.
struct Running(Child);

impl Running {
    /// Starts it in the room of the calling thread, and waits until it can be configured.
    fn start(kind: &Kind) -> Result<Self> {
        let mut command = Command::new(&kind.program);
        command.arg(INTERFACE).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // wireguard-go's word for: stay in the foreground.
        command.env("WG_PROCESS_FOREGROUND", "1").env_remove("NOTIFY_SOCKET");
        let running = Self(command.spawn().with_context(|| kind.program.display().to_string())?);
        let listens = || run_program("wg", &["show", INTERFACE]).is_ok();
        wait_until(&format!("{} to listen", kind.name), PATIENCE, listens)?;
        Ok(running)
    }

    fn cpu(&self) -> Result<Duration> {
        Ok(usage(self.0.id())?.cpu)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Applies and reads the peers of a large mesh.
fn peers(kind: &Kind, folder: &Path, plan: Plan, report: &mut Report) -> Result<()> {
    tell(&format!("{PEERS} peers, {} rounds", plan.runs));
    let room = Room::new()?;
    let own = PrivateKey::generate()?;
    let wanted = (0..PEERS).map(peer).collect::<Result<Vec<_>>>()?;
    let (full, empty) = (folder.join("full.conf"), folder.join("empty.conf"));
    std::fs::write(&full, conf(&own, &wanted))?;
    std::fs::write(&empty, conf(&own, &[]))?;
    let (program, runs) = (Kind { name: kind.name, program: kind.program.clone() }, plan.runs);
    let (rounds, cpu) = room.run(move || {
        let process = Running::start(&program)?;
        let device = block_on(async {
            let device = Device::ensure(INTERFACE, 1420, async |_, _| Err("it runs already")).await?;
            device.set_private_key(&own, PORT).await?;
            Ok(device)
        })?;
        let mut rounds = Vec::new();
        for _ in 0..runs {
            block_on(async { Ok(device.sync_peers(&[]).await.map(drop)?) })?;
            let start = Instant::now();
            block_on(async { Ok(device.sync_peers(&wanted).await.map(drop)?) })?;
            let applied = start.elapsed();
            let there = block_on(async { Ok(device.status().await?.peers.len()) })?;
            ensure!(there == wanted.len(), "{there} peers");
            set_conf(&empty)?;
            let start = Instant::now();
            set_conf(&full)?;
            rounds.push((applied, start.elapsed()));
        }
        let cpu = || Ok::<_, anyhow::Error>(process.cpu()? + usage(std::process::id())?.cpu);
        let (before, start) = (cpu()?, Instant::now());
        while start.elapsed() < READING {
            block_on(async { Ok(device.status().await.map(drop)?) })?;
            thread::sleep(Duration::from_secs(1));
        }
        Ok((rounds, (cpu()? - before).as_secs_f64() / start.elapsed().as_secs_f64()))
    })?;
    for (ours, theirs) in rounds {
        report.add_ms(SYSTEM, "apply", ours);
        report.add_ms(SYSTEM, "setconf", theirs);
        report.add(SYSTEM, "apply_ratio", ours.as_secs_f64() / theirs.as_secs_f64());
    }
    report.add(SYSTEM, "read_cpu_percent", cpu * 100.0);
    Ok(())
}

/// As the daemon does it: a runtime, and the device's requests on its threads.
fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn set_conf(file: &Path) -> Result<()> {
    run_program("wg", &["setconf", INTERFACE, &file.to_string_lossy()]).map(drop)
}

/// With an endpoint, and without keepalive: a peer that nobody answers for costs nothing by itself.
fn peer(number: u16) -> Result<Peer> {
    let host = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 100, 0, 1)) + u32::from(number));
    let endpoint = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 1)) + u32::from(number));
    Ok(Peer {
        public_key: PrivateKey::generate()?.public(),
        endpoint: Some(SocketAddr::new(endpoint.into(), PORT)),
        allowed_ips: vec![IpAddr::from(host).into()],
        keepalive: None,
    })
}

/// The same for `wg setconf`.
fn conf(own: &PrivateKey, peers: &[Peer]) -> String {
    let mut text = format!("[Interface]\nPrivateKey = {}\nListenPort = {PORT}\n", &*own.to_base64());
    for peer in peers {
        text.push_str(&format!("[Peer]\nPublicKey = {}\n", peer.public_key));
        peer.endpoint.iter().for_each(|endpoint| text.push_str(&format!("Endpoint = {endpoint}\n")));
        peer.allowed_ips.iter().for_each(|net| text.push_str(&format!("AllowedIPs = {net}\n")));
    }
    text
}
