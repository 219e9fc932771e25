//! Where a lab keeps its things: every name and path follows from the lab's name alone, so that a lab
//! whose owner was killed can be removed by anyone who reads its name in [`ROOT`].

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// One folder a lab, each of them a tmpfs.
pub const ROOT: &str = "/run/sfha-lab";

/// Leaves room for `sfha.` and `.node16` in a host name of 64 characters.
const MAX_NAME_CHARS: usize = 40;

/// The names and folders of one lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    name: String,
}

impl Place {
    /// A lab's name is made of lower-case letters, digits and `-`: the dot separates it from its parts.
    pub fn new(name: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(
            !name.is_empty() && name.len() <= MAX_NAME_CHARS && name.chars().all(allowed),
            "a lab's name has 1 to {MAX_NAME_CHARS} of a-z, 0-9 and '-', not {name:?}"
        );
        Ok(Self { name: name.to_owned() })
    }

    /// The name of the lab.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lab's tmpfs.
    pub fn dir(&self) -> PathBuf {
        Path::new(ROOT).join(&self.name)
    }

    /// Who holds the lab: see [`reap`](super::reap).
    pub fn owner_file(&self) -> PathBuf {
        self.dir().join("owner")
    }

    /// What a part (`switch`, `client`, `node1`) is called wherever the machine wants one name for it.
    pub fn part(&self, part: &str) -> String {
        format!("{}{part}", self.prefix())
    }

    /// The beginning of every name this lab uses outside its folder.
    pub fn prefix(&self) -> String {
        format!("sfha.{}.", self.name)
    }

    /// The lab's control group, under the root of each hierarchy.
    pub fn cgroup(&self) -> PathBuf {
        Path::new("sfha-lab").join(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_lab_can_take_another_ones_names() {
        assert!(Place::new("a.b").is_err());
        assert!(Place::new("../x").is_err());
        assert!(Place::new("").is_err());
        let (a, ab) = (Place::new("a").unwrap(), Place::new("a-b").unwrap());
        assert!(!ab.part("switch").starts_with(&a.prefix()));
    }
}
