//! The VIPs of this node as a file: one line for each, interface and address.
//!
//! Only kernels without `IFA_PROTO` need it. It lies in `/run`, so it ends when the addresses do.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::NetlinkError;

/// The file and what it says.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    vips: BTreeSet<(String, IpAddr)>,
}

impl StateFile {
    /// Reads the file. One that is not there says nothing, and so does a line that is damaged: what is not known
    /// to be ours is not touched, and a lease ends by itself.
    pub fn load(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let vips = text.lines().filter_map(|line| {
            let (interface, address) = line.split_once(' ')?;
            Some((interface.to_owned(), address.parse().ok()?))
        });
        Self { path: path.to_owned(), vips: vips.collect() }
    }

    pub fn contains(&self, interface: &str, address: IpAddr) -> bool {
        self.vips.contains(&(interface.to_owned(), address))
    }

    pub fn insert(&mut self, interface: &str, address: IpAddr) -> Result<(), NetlinkError> {
        match self.vips.insert((interface.to_owned(), address)) {
            true => self.save(),
            false => Ok(()),
        }
    }

    pub fn remove(&mut self, interface: &str, address: IpAddr) -> Result<(), NetlinkError> {
        match self.vips.remove(&(interface.to_owned(), address)) {
            true => self.save(),
            false => Ok(()),
        }
    }

    pub fn clear(&mut self) -> Result<(), NetlinkError> {
        match std::mem::take(&mut self.vips).is_empty() {
            true => Ok(()),
            false => self.save(),
        }
    }

    /// Replaces the file in one step. No fsync: it does not outlive the kernel anyway.
    fn save(&self) -> Result<(), NetlinkError> {
        self.write().map_err(|source| NetlinkError::StateFile { path: self.path.clone(), source })
    }

    fn write(&self) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(directory)?;
        let mut text = String::new();
        for (interface, address) in &self.vips {
            let _ = writeln!(text, "{interface} {address}");
        }
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.persist(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sfha/vips");
        let mut file = StateFile::load(&path);
        let (v4, v6) = ("10.0.0.9".parse().unwrap(), "fd00::9".parse().unwrap());
        file.insert("eth0", v4).unwrap();
        file.insert("eth1", v6).unwrap();
        file.insert("eth1", v6).unwrap();
        file.remove("eth0", v4).unwrap();

        let read = StateFile::load(&path);
        assert!(read.contains("eth1", v6));
        assert!(!read.contains("eth0", v4));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "eth1 fd00::9\n");
    }

    #[test]
    fn a_damaged_line_claims_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vips");
        std::fs::write(&path, "eth0\n\neth0 10.0.0\neth0 10.0.0.8\n\u{0}\u{1} x").unwrap();
        let read = StateFile::load(&path);
        assert_eq!(read.vips.len(), 1);
        assert!(read.contains("eth0", "10.0.0.8".parse().unwrap()));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let mut file = StateFile::load(Path::new("/proc/nowhere/vips"));
        let error = file.insert("eth0", "10.0.0.9".parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "cannot keep /proc/nowhere/vips");
    }
}
