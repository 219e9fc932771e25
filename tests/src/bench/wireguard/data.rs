//! What a device carries between two rooms, and what that costs it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sfha_daemon::io::wireguard::PrivateKey;

use super::{INTERFACE, Kind, PORT, Room, Running, SYSTEM};
use crate::bench::{Plan, Report, tell};
use crate::lab::run as run_program;

/// Streams at once.
const STREAMS: [usize; 2] = [1, 4];

/// Between the begin of the streams and that of the measurement.
const WARM_UP: Duration = Duration::from_millis(500);

/// Bytes handed to the kernel at once.
const CHUNK: usize = 128 * 1024;

/// What was carried.
struct Carried {
    gbit_per_s: f64,
    cpu_s_per_gb: f64,
}

/// Alternating rounds of each device, with one stream and with several.
pub(super) fn run(kinds: &[Kind; 2], plan: Plan, report: &mut Report) -> Result<()> {
    let time = plan.idle / 12;
    for round in 0..plan.runs {
        for streams in STREAMS {
            let mut rates = [0.0; 2];
            let mut costs = [0.0; 2];
            // Whatever the machine does meanwhile, it does not always do it to the same one.
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for which in order {
                let carried = carry(&kinds[which], streams, time)?;
                report.add(kinds[which].name, &format!("gbit_{streams}"), carried.gbit_per_s);
                report.add(kinds[which].name, &format!("cpu_{streams}"), carried.cpu_s_per_gb);
                (rates[which], costs[which]) = (carried.gbit_per_s, carried.cpu_s_per_gb);
            }
            report.add(SYSTEM, &format!("rate_ratio_{streams}"), rates[1] / rates[0]);
            report.add(SYSTEM, &format!("cpu_ratio_{streams}"), costs[0] / costs[1]);
        }
        tell(&format!("data path, round {}", round + 1));
    }
    Ok(())
}

fn carry(kind: &Kind, streams: usize, time: Duration) -> Result<Carried> {
    let rooms = [Room::new()?, Room::new()?];
    let keys = [PrivateKey::generate()?, PrivateKey::generate()?];
    rooms[0].connect(&rooms[1])?;
    let mut devices = Vec::new();
    for (number, room) in (0_u8..).zip(&rooms) {
        let (own, other) = (keys[usize::from(number)].clone(), keys[usize::from(1 - number)].public());
        let kind = Kind { name: kind.name, program: kind.program.clone() };
        devices.push(room.run(move || {
            let address = |network: u8, host: u8| Ipv4Addr::new(192, 168, network, 1 + host).to_string();
            run_program("ip", &["addr", "add", &format!("{}/24", address(1, number)), "dev", "eth0"])?;
            run_program("ip", &["link", "set", "eth0", "up"])?;
            let device = Running::start(&kind)?;
            let key = tempfile::NamedTempFile::new()?;
            std::fs::write(key.path(), own.to_base64().as_bytes())?;
            let set = ["set", INTERFACE, "listen-port", &PORT.to_string(), "private-key"];
            let peer = ["peer", &other.to_string(), "allowed-ips", &format!("{}/32", address(2, 1 - number))];
            let endpoint = ["endpoint", &format!("{}:{PORT}", address(1, 1 - number))];
            let file = key.path().to_string_lossy().into_owned();
            run_program("wg", &[&set[..], &[&file], &peer, &endpoint].concat())?;
            run_program("ip", &["addr", "add", &format!("{}/24", address(2, number)), "dev", INTERFACE])?;
            run_program("ip", &["link", "set", INTERFACE, "mtu", "1420", "up"])?;
            Ok(device)
        })?);
    }
    let inside = Ipv4Addr::new(192, 168, 2, 2);
    let listener = rooms[1].run(move || Ok(TcpListener::bind((inside, PORT))?))?;
    let mut ends = Vec::new();
    for _ in 0..streams {
        let out = rooms[0].run(move || Ok(TcpStream::connect((inside, PORT))?))?;
        ends.push((out, listener.accept()?.0));
    }
    measure(ends, &devices, time)
}

fn measure(ends: Vec<(TcpStream, TcpStream)>, devices: &[Running], time: Duration) -> Result<Carried> {
    let bytes = Arc::new(AtomicU64::new(0));
    let mut threads = Vec::new();
    let closers = ends.iter().map(|(out, _)| out.try_clone()).collect::<Result<Vec<_>, _>>()?;
    for (mut out, mut back) in ends {
        let bytes = Arc::clone(&bytes);
        threads.push(thread::spawn(move || {
            let chunk = vec![0; CHUNK];
            while out.write_all(&chunk).is_ok() {}
        }));
        threads.push(thread::spawn(move || {
            let mut buffer = vec![0; CHUNK];
            while let Ok(length @ 1..) = back.read(&mut buffer) {
                bytes.fetch_add(length as u64, Ordering::Relaxed);
            }
        }));
    }
    thread::sleep(WARM_UP);
    let cpu = || devices.iter().map(Running::cpu).sum::<Result<Duration>>();
    let (cpu_before, start, before) = (cpu()?, Instant::now(), bytes.load(Ordering::Relaxed));
    thread::sleep(time);
    let (cpu_spent, elapsed) = (cpu()? - cpu_before, start.elapsed());
    let carried = (bytes.load(Ordering::Relaxed) - before) as f64;
    for stream in closers {
        stream.shutdown(Shutdown::Both).context("ending a stream")?;
    }
    for thread in threads {
        ensure!(thread.join().is_ok(), "a stream panicked");
    }
    ensure!(carried > 0.0, "nothing was carried");
    Ok(Carried {
        gbit_per_s: carried * 8.0 / 1e9 / elapsed.as_secs_f64(),
        cpu_s_per_gb: cpu_spent.as_secs_f64() * 1e9 / carried,
    })
}
