//! `corosync:` what the cluster's Corosync has beside its nodes.

use sfha_core::qdevice::{Algorithm, QDEVICE_PORT, Qdevice, Tls, is_host};
use sfha_proto::config::FindingCode;

use super::keys;
use crate::reader::{Fields, Reader};

/// Reads `corosync.qdevice`.
pub fn qdevice(corosync: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Qdevice> {
    let node = corosync.get("qdevice")?;
    let path = corosync.path_of("qdevice");
    let fields = reader.fields(node, &path, keys("corosync.qdevice"))?;
    reader.choice(&fields, "model", &[("net", ())]);
    if fields.get("host").is_none() {
        reader.missing(&fields, "host");
    }
    let host =
        reader.judged(&fields, "host", FindingCode::BadHost, |text| is_host(text).then(|| text.to_owned()));
    let port = reader.number(&fields, "port", 1..=u64::from(u16::MAX));
    let algorithms = [("ffsplit", Algorithm::Ffsplit), ("lms", Algorithm::Lms)];
    let ciphers = [("off", Tls::Off), ("on", Tls::On), ("required", Tls::Required)];
    let algorithm = reader.choice(&fields, "algorithm", &algorithms).unwrap_or_default();
    let tls = reader.choice(&fields, "tls", &ciphers).unwrap_or_default();
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(QDEVICE_PORT);
    Some(Qdevice { host: host?, port, algorithm, tls })
}
