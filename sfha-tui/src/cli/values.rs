//! Readers of argument values: their errors are in the user's language.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::t;

/// `ADDRESS/PREFIX`.
pub fn cidr(text: &str) -> Result<String, String> {
    let bad = || t!("value-not-cidr", example = "10.100.0.1/24");
    let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
    let address: IpAddr = address.parse().map_err(|_| bad())?;
    let prefix: u8 = prefix.parse().map_err(|_| bad())?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    if prefix > longest { Err(bad()) } else { Ok(text.to_owned()) }
}

/// An address.
pub fn ip(text: &str) -> Result<String, String> {
    text.parse::<IpAddr>().map(|ip| ip.to_string()).map_err(|_| t!("value-not-ip", example = "10.100.0.2"))
}

/// A UDP port.
pub fn port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| t!("value-not-port"))
}

/// An MTU that IPv6 and WireGuard can live with.
pub fn mtu(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|mtu| (1280..=9000).contains(mtu)).ok_or_else(|| t!("value-not-mtu"))
}

/// `7d`, or `off`: seconds.
pub fn auto_remove(text: &str) -> Result<Option<u64>, String> {
    if text == "off" {
        return Ok(None);
    }
    let seconds = humantime::parse_duration(text).ok().map(|duration| duration.as_secs());
    let seconds = seconds.filter(|seconds| *seconds >= 60);
    seconds.map(Some).ok_or_else(|| t!("value-not-auto-remove", example = "7d"))
}

/// A moment, `2026-01-01T12:00:00Z`, or how long ago it was, `1h`.
pub fn since(text: &str) -> Result<Timestamp, String> {
    let ago = || Timestamp::now().checked_sub(humantime::parse_duration(text).ok()?).ok();
    text.parse()
        .ok()
        .or_else(ago)
        .ok_or_else(|| t!("value-not-since", example = "1h, 2days, 2026-01-01T12:00:00Z"))
}

/// `1h`, `90s`, `1h 30min`.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .ok()
        .filter(|duration| *duration >= Duration::from_secs(1))
        .ok_or_else(|| t!("value-not-duration", example = "90s, 1h, 2days"))
}
