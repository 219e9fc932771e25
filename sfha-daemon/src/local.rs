//! What `config.yml` says about this node alone: access, metrics, hooks. Read when the daemon starts and whenever
//! it is told to reload.

use std::sync::Arc;
use std::time::Duration;

use sfha_config::local::Local;
use sfha_config::{Checked, Context};
use tokio::sync::watch;
use tracing::warn;

use crate::access::Rules;
use crate::config_file::read;
use crate::paths::Paths;

/// How long a caller waits for names to have been looked up.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is in force.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// As the file has it.
    pub local: Local,
    /// Who may use the socket.
    pub rules: Rules,
}

/// Keeps it.
#[derive(Debug)]
pub struct LocalSettings {
    paths: Paths,
    /// `None` until the file was read for the first time.
    current: watch::Sender<Option<Arc<Settings>>>,
}

impl LocalSettings {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(paths: Paths) -> Self {
        Self { paths, current: watch::channel(None).0 }
    }

    /// Reads the file. One with a fault in these parts changes nothing; at the first time it lets nobody in but
    /// root. Names are looked up in a thread of their own, since that may take long.
    pub async fn load(&self) {
        let (paths, first) = (self.paths.clone(), self.current.borrow().is_none());
        let (tell, told) = tokio::sync::oneshot::channel();
        let spawned = std::thread::Builder::new().name("local".to_owned()).spawn(move || {
            let settings = match find(&paths) {
                Some(local) => Some(Settings { rules: Rules::resolve(&local.access), local }),
                None => first.then(|| Settings { local: Local::default(), rules: Rules::closed() }),
            };
            // The daemon may have stopped meanwhile.
            let _ = tell.send(settings);
        });
        if let Err(error) = spawned {
            warn!(%error, "config.yml cannot be read");
        }
        if let Ok(Some(settings)) = told.await {
            self.current.send_if_modified(|current| {
                let changed = current.as_deref() != Some(&settings);
                *current = Some(Arc::new(settings));
                changed
            });
        }
    }

    /// What is in force, to be watched.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Option<Arc<Settings>>> {
        self.current.subscribe()
    }

    /// Who may use the socket; waits for the first look at the file.
    pub async fn rules(&self) -> Rules {
        let mut current = self.watch();
        match tokio::time::timeout(PATIENCE, current.wait_for(Option::is_some)).await {
            Ok(Ok(settings)) => settings.as_ref().map_or_else(Rules::closed, |found| found.rules.clone()),
            _ => Rules::closed(),
        }
    }
}

/// What the file says; nothing where there is none; `None` when it cannot be known.
fn find(paths: &Paths) -> Option<Local> {
    match read(paths, &Context::default()) {
        Ok(None) => Some(Local::default()),
        Ok(Some((_, checked))) => usable(&checked),
        Err(_) => None,
    }
}

/// A fault elsewhere in the file is the business of others.
fn usable(checked: &Checked) -> Option<Local> {
    let parts = ["access", "metrics", "hooks"];
    let ours = |key: &str| parts.iter().any(|part| key.strip_prefix(part).is_some_and(ends));
    if let Some(fault) = checked.errors().find(|finding| ours(&finding.key)) {
        warn!(line = fault.line, key = fault.key, "config.yml: access, metrics and hooks stay as they were");
        return None;
    }
    checked.config.as_ref().map(|config| config.local.clone())
}

fn ends(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['.', '['])
}

#[cfg(test)]
mod tests {
    use sfha_config::local::Access;
    use sfha_proto::message::method;

    use super::*;
    use crate::access::Caller;
    use crate::files;

    fn written(text: &str) -> (tempfile::TempDir, LocalSettings) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        write(&paths, text);
        (root, LocalSettings::new(paths))
    }

    fn write(paths: &Paths, text: &str) {
        let head = "cluster: {name: prod}\nnode: {name: node1}\n";
        files::write_atomic(&paths.config(), format!("{head}{text}").as_bytes(), 0o644).unwrap();
    }

    async fn may_look(settings: &LocalSettings) -> bool {
        let nobody = Caller { uid: 65_534, groups: vec![65_534] };
        settings.rules().await.check(&nobody, method::STATUS).is_ok()
    }

    #[tokio::test]
    async fn a_fault_in_these_parts_lets_nobody_in_at_first_and_changes_nothing_later() {
        let (_root, settings) = written("access: {read: nonsense}\n");
        settings.load().await;
        assert!(!may_look(&settings).await);
        write(&settings.paths, "access: {write: []}\n");
        settings.load().await;
        assert!(may_look(&settings).await);
        write(&settings.paths, "access: {reed: []}\n");
        settings.load().await;
        assert!(may_look(&settings).await, "as it was");
        write(&settings.paths, "access: {read: []}\n");
        settings.load().await;
        assert!(!may_look(&settings).await);
    }

    #[tokio::test]
    async fn a_fault_elsewhere_is_no_reason() {
        let (_root, settings) = written("vips: nonsense\nmetrics: {listen: '127.0.0.1:9777'}\n");
        settings.load().await;
        assert!(may_look(&settings).await);
        let current = settings.watch().borrow().clone().unwrap();
        assert_eq!(current.local.access, Access::default());
        assert!(current.local.metrics.is_some());
    }

    #[tokio::test]
    async fn a_node_without_a_cluster_lets_people_look() {
        let root = tempfile::tempdir().unwrap();
        let settings = LocalSettings::new(Paths::under(root.path()));
        settings.load().await;
        assert!(may_look(&settings).await);
    }
}
