//! What switches nodes off: drivers behind one trait. When and whom, `sfha_core::fencing` decides.
//!
//! A driver does what it is told once, within a deadline, and says what it found; it never tries again by
//! itself. Switching off what is off is done already. Errors are codes; credentials come from files that only
//! root can read, stay in memory that is wiped, and are in no error, log or argument list.

pub mod agent;
pub mod calls;
pub mod guard;
pub mod https;
pub mod proxmox;
pub mod requests;
pub mod secret;
pub mod watchdog;
pub mod webhook;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use sfha_core::fencing::settings::{FencingSettings, Level};
use sfha_core::fencing::{Call, Power};
use sfha_proto::{ErrorCode, Failure};

/// What a call leads to.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Power, Failure>> + Send + 'a>>;

/// One way to switch nodes.
pub trait Driver: Send + Sync {
    /// Does it, for the node of that name. Dropping the future gives it up.
    fn call<'a>(&'a self, node: &'a str, call: Call) -> Answer<'a>;

    /// Finds out what is wrong with the settings for that node, without switching anything: credentials, the
    /// way there, whether the node is known.
    fn test<'a>(&'a self, node: &'a str) -> Answer<'a> {
        self.call(node, Call::Status)
    }
}

/// The driver of a level; `None` for the watchdog, which needs none.
///
/// # Errors
/// `invalid-parameter` where the level is not set up; `file-mode`, `file-invalid` for its files;
/// `agent-missing`.
pub fn driver(settings: &FencingSettings, level: &Level) -> Result<Option<Box<dyn Driver>>, Failure> {
    let missing = |parameter: &str| {
        Failure::new(ErrorCode::InvalidParameter)
            .with("parameter", format!("stonith.{parameter}"))
            .with("value", "")
            .with("reason", "missing")
    };
    Ok(match level {
        Level::Watchdog => None,
        Level::Proxmox => {
            let with = settings.proxmox.as_ref().ok_or_else(|| missing("proxmox"))?;
            Some(Box::new(proxmox::ProxmoxDriver::new(with, &settings.nodes)?))
        }
        Level::Webhook => {
            let with = settings.webhook.as_ref().ok_or_else(|| missing("webhook"))?;
            Some(Box::new(webhook::WebhookDriver::new(with)?))
        }
        Level::Agent(name) => {
            let with = settings.agents.get(name).ok_or_else(|| missing(&format!("agents.{name}")))?;
            Some(Box::new(agent::AgentDriver::new(with, &settings.nodes)?))
        }
    })
}

/// Calls a driver, for so long.
///
/// # Errors
/// The driver's; `timed-out`.
pub async fn call(driver: &dyn Driver, node: &str, call: Call, deadline: Duration) -> Result<Power, Failure> {
    tokio::time::timeout(deadline, driver.call(node, call)).await.map_err(|_| late(deadline))?
}

fn late(deadline: Duration) -> Failure {
    Failure::new(ErrorCode::TimedOut).with("what", "fencing").with("seconds", deadline.as_secs())
}

fn failed(driver: &str, cause: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::FenceFailed).with("driver", driver).with("cause", cause.into())
}
