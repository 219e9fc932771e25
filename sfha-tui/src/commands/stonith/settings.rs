//! From what an operator answered to the settings of fencing. Secrets go beside them, by the file that is to
//! hold them.

use std::collections::BTreeMap;

use sfha_config::stonith::settings::{
    Agent, FencingSettings, GuestType, Level, Proxmox, Target, Trust, Webhook,
};
use sfha_config::stonith::{PROXMOX_SECRET, WEBHOOK_SECRET, agent_secret, is_agent};

use crate::cli::SetupTask;
use crate::problem::Problem;
use crate::t;

/// What a fence agent is called here: its program without what all of them begin with.
fn agent_name(program: &str) -> &str {
    program.strip_prefix("fence_").unwrap_or(program)
}

/// What is known by that word.
pub fn is_provider(text: &str) -> bool {
    matches!(text, "proxmox" | "webhook" | "watchdog") || is_agent(text)
}

/// Where the secret of that provider belongs; `None`: it has none.
pub fn secret_path(provider: &str) -> Option<String> {
    match provider {
        "proxmox" => Some(PROXMOX_SECRET.to_owned()),
        "webhook" => Some(WEBHOOK_SECRET.to_owned()),
        "watchdog" => None,
        program => Some(agent_secret(agent_name(program))),
    }
}

/// The settings that come of the answers, over those that are; a secret was given if `secret`.
///
/// # Errors
/// Wrong usage: what does not read.
pub fn build(
    task: &SetupTask,
    mut settings: FencingSettings,
    secret: bool,
) -> Result<FencingSettings, Problem> {
    let provider = task.provider.as_deref().unwrap_or_default();
    if !is_provider(provider) {
        return Err(wrong("--provider", provider));
    }
    let trust = match (&task.fingerprint, &task.ca_file) {
        (Some(fingerprint), _) => Trust::Fingerprint(fingerprint.clone()),
        (None, Some(file)) => Trust::CaFile(file.into()),
        (None, None) => Trust::System,
    };
    let file = |wanted: bool| secret_path(provider).filter(|_| wanted).map(Into::into);
    let level = match provider {
        "proxmox" => {
            let known = settings.proxmox.take();
            settings.proxmox = Some(Proxmox {
                api_urls: some(&task.urls, "--url")?,
                token_id: given(task.token_id.as_ref(), "--token-id")?,
                token_secret_file: known
                    .filter(|_| !secret)
                    .map_or_else(|| PROXMOX_SECRET.into(), |known| known.token_secret_file),
                trust,
                host: None,
            });
            Level::Proxmox
        }
        "webhook" => {
            settings.webhook = Some(Webhook {
                fence_url: some(&task.urls, "--url")?.swap_remove(0),
                unfence_url: task.unfence_url.clone(),
                status_url: task.status_url.clone(),
                method: "POST".to_owned(),
                headers: BTreeMap::new(),
                headers_file: file(secret),
                body_template: None,
                timeout_ms: 30_000,
                trust,
                answer_is_proof: false,
            });
            Level::Webhook
        }
        "watchdog" => Level::Watchdog,
        program => {
            let name = agent_name(program).to_owned();
            let parameters = pairs(&task.options, "--option")?;
            let agent = Agent { program: program.to_owned(), parameters, secrets_file: file(secret) };
            settings.agents.insert(name.clone(), agent);
            Level::Agent(name)
        }
    };
    for (node, value) in pairs(&task.nodes, "--node")? {
        let target = settings.nodes.entry(node.clone()).or_default();
        map(target, &level, &value).ok_or_else(|| wrong("--node", &format!("{node}={value}")))?;
    }
    if !task.add {
        settings.levels.clear();
    }
    if !settings.levels.contains(&level) {
        settings.levels.push(level);
    }
    settings.enabled = true;
    Ok(settings)
}

/// How a driver knows a node: `qemu/101`, an outlet, or parameters of its own.
fn map(target: &mut Target, level: &Level, value: &str) -> Option<()> {
    if *level == Level::Proxmox {
        let (kind, vmid) = value.split_once('/')?;
        target.guest = Some(match kind {
            "qemu" => GuestType::Qemu,
            "lxc" => GuestType::Lxc,
            _ => return None,
        });
        target.vmid = Some(vmid.parse().ok()?);
    } else if value.contains('=') {
        for pair in value.split(',') {
            let (name, text) = pair.split_once('=')?;
            target.parameters.insert(name.to_owned(), text.to_owned());
        }
    } else {
        target.parameters.insert("plug".to_owned(), value.to_owned());
    }
    Some(())
}

fn pairs(texts: &[String], option: &str) -> Result<BTreeMap<String, String>, Problem> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
        Some((name.to_owned(), value.to_owned()))
    };
    texts.iter().map(|text| pair(text).ok_or_else(|| wrong(option, text))).collect()
}

fn some(values: &[String], option: &str) -> Result<Vec<String>, Problem> {
    if values.is_empty() { Err(missing(option)) } else { Ok(values.to_vec()) }
}

fn given(value: Option<&String>, option: &str) -> Result<String, Problem> {
    value.cloned().ok_or_else(|| missing(option))
}

/// An option that has to be there.
pub fn missing(option: &str) -> Problem {
    Problem::local("usage", 2, t!("setup-missing", option = option), Some(t!("setup-next")))
}

fn wrong(option: &str, value: &str) -> Problem {
    let text = t!("usage-bad-value", value = value, name = option);
    Problem::local("usage", 2, text, Some(t!("setup-next")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxmox() -> SetupTask {
        SetupTask {
            provider: Some("proxmox".into()),
            urls: vec!["https://pve:8006".into()],
            token_id: Some("a@pve!b".into()),
            nodes: vec!["node1=qemu/101".into(), "node2=lxc/102".into()],
            ..SetupTask::default()
        }
    }

    #[test]
    fn whatever_comes_out_can_be_written_into_a_file() {
        let settings = build(&proxmox(), FencingSettings::off(), true).unwrap();
        assert_eq!(
            (settings.nodes["node2"].guest, settings.nodes["node2"].vmid),
            (Some(GuestType::Lxc), Some(102))
        );
        sfha_config::stonith::judge(&settings).unwrap();
        let agent = SetupTask {
            provider: Some("fence_ipmilan".into()),
            options: vec!["lanplus=1".into()],
            nodes: vec!["node1=ip=10.0.0.1,cipher=3".into(), "node2=7".into()],
            add: true,
            ..SetupTask::default()
        };
        let both = build(&agent, settings, true).unwrap();
        assert_eq!(both.levels, [Level::Proxmox, Level::Agent("ipmilan".into())]);
        assert_eq!(both.nodes["node1"].parameters["cipher"], "3");
        assert_eq!(both.nodes["node2"].parameters["plug"], "7");
        assert_eq!(both.nodes["node2"].vmid, Some(102));
        sfha_config::stonith::judge(&both).unwrap();
    }

    #[test]
    fn what_does_not_read_is_told_with_its_option() {
        for (change, option) in [
            (SetupTask { provider: Some("reboot".into()), ..proxmox() }, "--provider"),
            (SetupTask { urls: Vec::new(), ..proxmox() }, "--url"),
            (SetupTask { token_id: None, ..proxmox() }, "--token-id"),
            (SetupTask { nodes: vec!["node1".into()], ..proxmox() }, "--node"),
            (SetupTask { nodes: vec!["node1=kvm/101".into()], ..proxmox() }, "--node"),
        ] {
            let problem = build(&change, FencingSettings::off(), true).unwrap_err();
            assert!(problem.exit == 2 && problem.message.contains(option), "{option}: {problem:?}");
        }
    }
}
