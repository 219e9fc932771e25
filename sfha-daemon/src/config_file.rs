//! `/etc/sfha/config.yml`, as far as this node needs it to be one: who we are.
//!
//! The rest of it is the business of [`config_sync`]. A fault in that rest keeps no node
//! from taking part: what the cluster runs is in its state.

use sfha_config::local::Logging;
use sfha_config::{Checked, Context, Shared, check};
use sfha_proto::Failure;

use crate::config_sync;
use crate::files;
use crate::paths::Paths;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// The cluster.
    pub cluster: ClusterSection,
    /// This node.
    pub node: NodeSection,
    /// Whether the cluster has a mesh.
    pub mesh: bool,
}

/// `cluster:`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSection {
    /// Its name.
    pub name: String,
}

/// `node:`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSection {
    /// Its name.
    pub name: String,
}

impl ConfigFile {
    /// The file of a node that has just got a cluster.
    #[must_use]
    pub fn new(cluster: &str, node: &str, mesh: bool) -> Self {
        Self {
            cluster: ClusterSection { name: cluster.to_owned() },
            node: NodeSection { name: node.to_owned() },
            mesh,
        }
    }

    /// Reads it; `None` when this node has no cluster.
    ///
    /// # Errors
    /// `file-invalid` with all findings, when it does not say who we are.
    pub fn load(paths: &Paths) -> Result<Option<Self>, Failure> {
        let Some((_, checked)) = read(paths, &Context::default())? else { return Ok(None) };
        match &checked.config {
            Some(config) if !config.cluster.is_empty() && !config.node.is_empty() => {
                Ok(Some(Self::new(&config.cluster, &config.node, config.mesh.unwrap_or_default())))
            }
            _ => Err(failure(paths, &checked)),
        }
    }

    /// Writes the file of a node that has just got a cluster. What the cluster runs comes into it from the
    /// state.
    ///
    /// # Errors
    /// `file-write`.
    pub fn save(&self, paths: &Paths) -> Result<(), Failure> {
        config_sync::save_base(paths, &Shared::default())?;
        let text = sfha_config::new_file(&self.cluster.name, &self.node.name, self.mesh);
        files::write_atomic(&paths.config(), text.as_bytes(), 0o644)
    }
}

/// Reads and judges the text; `None` when there is none.
///
/// # Errors
/// `file-invalid` when it is not a text.
pub fn read(paths: &Paths, context: &Context<'_>) -> Result<Option<(String, Checked)>, Failure> {
    let Some(text) = files::read_text(&paths.config())? else { return Ok(None) };
    let checked = check(&text, context);
    Ok(Some((text, checked)))
}

/// `logging:`; nothing where it cannot be read.
#[must_use]
pub fn logging(paths: &Paths) -> Logging {
    let checked = read(paths, &Context::default()).ok().flatten();
    checked.and_then(|(_, checked)| checked.config).map(|config| config.logging).unwrap_or_default()
}

/// Why the file cannot be used.
#[must_use]
pub fn failure(paths: &Paths, checked: &Checked) -> Failure {
    let path = paths.config();
    let failure = checked.failure(&path.display().to_string());
    failure.unwrap_or_else(|| files::invalid(&path, "unusable"))
}
