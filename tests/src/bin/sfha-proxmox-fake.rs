//! `sfha-proxmox-fake`: the Proxmox VE stand-in by hand. Prints where it is, its fingerprint and its token; a
//! program per guest can do what power means.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use sfha_tests::proxmox::{Fake, Kind, PASSWORD, TOKEN_ID, TOKEN_SECRET, USER};

/// A stand-in for Proxmox VE's API, for tests of fencing
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8006")]
    listen: SocketAddr,
    /// Guests, `qemu/101@pve1` or `lxc/102@pve2`
    #[arg(required = true)]
    guests: Vec<String>,
    /// Run with `on` or `off` and the number of the guest when its power is switched
    #[arg(long)]
    power: Option<String>,
    /// File for the authority's certificate, PEM
    #[arg(long)]
    authority: Option<std::path::PathBuf>,
}

fn parse(text: &str) -> Result<(Kind, u32, String)> {
    let (guest, host) = text.split_once('@').context("a guest is TYPE/VMID@HOST")?;
    let (kind, vmid) = guest.split_once('/').context("a guest is TYPE/VMID@HOST")?;
    let kind = match kind {
        "qemu" => Kind::Qemu,
        "lxc" => Kind::Lxc,
        _ => bail!("{kind} is neither qemu nor lxc"),
    };
    Ok((kind, vmid.parse().context("VMID is a number")?, host.to_owned()))
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let guests = arguments.guests.iter().map(|text| parse(text)).collect::<Result<Vec<_>>>()?;
    let mut hosts: Vec<&str> = guests.iter().map(|(_, _, host)| host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let fake = Fake::start_on(arguments.listen, &hosts)?;
    for (kind, vmid, host) in &guests {
        fake.add_guest(*kind, *vmid, host);
        if let Some(program) = arguments.power.clone() {
            let vmid = *vmid;
            fake.on_power(vmid, move |on| {
                let word = if on { "on" } else { "off" };
                let status = Command::new(&program).args([word, &vmid.to_string()]).status();
                match status {
                    Ok(status) if status.success() => Ok(()),
                    Ok(status) => Err(format!("{program}: {status}")),
                    Err(error) => Err(format!("{program}: {error}")),
                }
            });
        }
    }
    if let Some(path) = &arguments.authority {
        std::fs::write(path, fake.authority())?;
    }
    let mut out = std::io::stdout();
    writeln!(out, "url {}", fake.url())?;
    writeln!(out, "fingerprint {}", fake.fingerprint())?;
    writeln!(out, "token {TOKEN_ID} {TOKEN_SECRET}")?;
    writeln!(out, "user {USER} {PASSWORD}")?;
    out.flush()?;
    loop {
        std::thread::park();
    }
}
