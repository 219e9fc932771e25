//! `/etc/sfha/config.yml`: what an operator writes about this node and its cluster.
//!
//! Keys keep the names and the meaning of the original program's file; those that this version does
//! not use yet are kept as they are.

use serde::{Deserialize, Serialize};
use sfha_core::command::check_name;
use sfha_proto::Failure;

use crate::files;
use crate::paths::Paths;

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigFile {
    /// The cluster.
    pub cluster: ClusterSection,
    /// This node.
    pub node: NodeSection,
    /// The mesh, as far as it concerns this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh: Option<MeshSection>,
    /// What is logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<LoggingSection>,
}

/// `cluster:`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSection {
    /// Its name.
    pub name: String,
}

/// `node:`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSection {
    /// Its name.
    pub name: String,
}

/// `mesh:`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshSection {
    /// On or off.
    #[serde(default)]
    pub enabled: bool,
}

/// `logging:`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggingSection {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    #[serde(default)]
    pub level: Option<String>,
}

impl ConfigFile {
    /// The file of a node that has just got a cluster.
    #[must_use]
    pub fn new(cluster: &str, node: &str, mesh: bool) -> Self {
        Self {
            cluster: ClusterSection { name: cluster.to_owned() },
            node: NodeSection { name: node.to_owned() },
            mesh: Some(MeshSection { enabled: mesh }),
            logging: None,
        }
    }

    /// Reads it; `None` when this node has no cluster.
    ///
    /// # Errors
    /// `file-invalid` with the line.
    pub fn load(paths: &Paths) -> Result<Option<Self>, Failure> {
        let path = paths.config();
        let Some(text) = files::read_text(&path)? else { return Ok(None) };
        let config: Self = files::parse_yaml(&path, &text)?;
        for (key, name) in [("cluster.name", &config.cluster.name), ("node.name", &config.node.name)] {
            check_name(key, name).map_err(|_| {
                let keys: Vec<&str> = key.split('.').collect();
                let line = files::line_of(&text, &keys);
                files::invalid_at(&path, line, &format!("{key}: {name:?} is not a name"))
            })?;
        }
        Ok(Some(config))
    }

    /// Writes it.
    ///
    /// # Errors
    /// `file-write`.
    pub fn save(&self, paths: &Paths) -> Result<(), Failure> {
        let head = "# sfha: this node and its cluster. VIPs and the rest of the cluster's state are shared by\n\
                    # all nodes and changed with `sfha`; this file names who we are.\n";
        let body = serde_yaml::to_string(self)
            .map_err(|error| files::invalid(&paths.config(), &error.to_string()))?;
        files::write_atomic(&paths.config(), format!("{head}{body}").as_bytes(), 0o644)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_that_is_shipped_is_understood() {
        let text = include_str!("../../assets/config.example.yml");
        let config: ConfigFile = files::parse_yaml(std::path::Path::new("config.example.yml"), text).unwrap();
        assert_eq!((config.cluster.name.as_str(), config.node.name.as_str()), ("prod", "node1"));
        assert_eq!(config.mesh, Some(MeshSection { enabled: true }));
        assert_eq!(config.logging.and_then(|logging| logging.level).as_deref(), Some("info"));
    }
}
