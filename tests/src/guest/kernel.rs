//! The kernel of the guest, one of those that are installed here, and what it needs to find its disk.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::cpio::Archive;
use crate::lab::run;

/// What the kernel itself needs to reach its disk. It loads everything else from there, when it is asked for
/// it, as on any machine.
const MODULES: &[&str] = &["virtio_pci", "9pnet_virtio", "9p", "overlay"];

/// What the tests need it to have.
const WANTED: &[&str] = &["wireguard", "veth", "bridge", "tun", "nf_tables", "softdog"];

const BUSYBOX: &str = "/bin/busybox";
const FIRST_PROGRAM: &str = include_str!("init.sh");

/// An installed kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kernel {
    version: String,
}

impl Kernel {
    /// The newest one.
    pub(crate) fn find() -> Result<Self> {
        let entries = fs::read_dir("/usr/lib/modules").into_iter().flatten().flatten();
        let versions = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let kernels = versions.map(|version| Self { version }).filter(|kernel| kernel.image().exists());
        let newest = kernels.max_by_key(|kernel| numbers(&kernel.version));
        let kernel =
            newest.context("no kernel in /boot with its modules: apt-get install linux-image-amd64")?;
        for module in WANTED {
            kernel.files_of(module).with_context(|| {
                format!("the kernel {} lacks {module}: apt-get install linux-image-amd64", kernel.version)
            })?;
        }
        ensure!(Path::new(BUSYBOX).exists(), "no {BUSYBOX}: apt-get install busybox-static");
        Ok(kernel)
    }

    /// What QEMU boots.
    pub(crate) fn image(&self) -> PathBuf {
        format!("/boot/vmlinuz-{}", self.version).into()
    }

    /// The first file system: busybox, modules in the order in which they load, and a script that mounts the disk.
    pub(crate) fn initramfs(&self) -> Result<Vec<u8>> {
        let mut archive = Archive::new(Vec::new());
        let mut files: Vec<PathBuf> = Vec::new();
        for module in MODULES {
            for file in self.files_of(module)? {
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        for folder in ["bin", "modules", "proc", "disk", "memory", "root"] {
            archive.folder(folder)?;
        }
        archive.file("init", FIRST_PROGRAM.as_bytes())?;
        archive.file("bin/busybox", &read(Path::new(BUSYBOX))?)?;
        for (number, file) in files.iter().enumerate() {
            let name = file.file_name().and_then(|name| name.to_str()).context("a module without a name")?;
            archive.file(&format!("modules/{number:02}-{name}"), &read(file)?)?;
        }
        Ok(archive.finish()?)
    }

    /// The files of a module and of those it needs, in the order in which they load; none for what is built in.
    fn files_of(&self, module: &str) -> Result<Vec<PathBuf>> {
        let told = run("modprobe", &["-S", &self.version, "--show-depends", module])?;
        let mut files = Vec::new();
        for line in told.lines() {
            match line.trim().split_once(' ') {
                Some(("insmod", file)) => files.push(file.trim().into()),
                Some(("builtin", _)) => {}
                _ => bail!("modprobe says {line:?}"),
            }
        }
        Ok(files)
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// What makes 6.1.0-56 newer than 6.1.0-9.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(numbers("6.1.0-56-amd64") > numbers("6.1.0-9-amd64"));
        assert!(numbers("6.12.1-amd64") > numbers("6.1.0-56-amd64"));
    }
}
