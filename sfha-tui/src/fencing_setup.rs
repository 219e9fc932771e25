//! From what an operator answered, on the command line or in the dashboard, to the settings of fencing. Secrets go
//! beside them, by the file that is to hold them.

use std::collections::BTreeMap;

use sfha_config::stonith::settings::{
    Agent, FencingSettings, GuestType, Level, Proxmox, Target, Trust, Webhook,
};
use sfha_config::stonith::{PROXMOX_SECRET, WEBHOOK_SECRET, agent_secret, is_agent};

use sfha_proto::ErrorCode;
use sfha_proto::fencing::FencingTested;

use crate::cli::SetupTask;
use crate::problem::Problem;
use crate::t;

/// Where what is set up now can be read.
const CONFIG: &str = "/etc/sfha/config.yml";

/// What this node's file says now; nothing where it cannot be read: the daemon has it judged anyway.
pub fn current() -> FencingSettings {
    let text = std::fs::read_to_string(CONFIG).unwrap_or_default();
    let checked = sfha_config::check(&text, &sfha_config::Context::default());
    checked.valid().map_or_else(FencingSettings::off, |config| config.shared.stonith.clone())
}

/// What a fence agent is called here: its program without what all of them begin with.
fn agent_name(program: &str) -> &str {
    program.strip_prefix("fence_").unwrap_or(program)
}

/// What is known by that word.
pub fn is_provider(text: &str) -> bool {
    matches!(text, "proxmox" | "webhook" | "watchdog") || is_agent(text)
}

/// Whether that can be the URL of Proxmox's API: the token is in every request.
pub fn is_https(text: &str) -> bool {
    text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
}

/// Whether that can be the id of a token, `USER@REALM!NAME`.
pub fn is_token_id(text: &str) -> bool {
    text.split_once('!').is_some_and(|(user, name)| user.contains('@') && !name.is_empty())
}

/// Whether that can be a fingerprint: 64 hexadecimal digits, with or without colons.
pub fn is_fingerprint(text: &str) -> bool {
    let digits = text.chars().filter(|c| *c != ':');
    digits.clone().count() == 64 && digits.clone().all(|c| c.is_ascii_hexdigit())
}

/// Whether that names a guest, `qemu/101`.
pub fn is_guest(text: &str) -> bool {
    guest(text).is_some()
}

fn guest(text: &str) -> Option<(GuestType, u32)> {
    let (kind, vmid) = text.split_once('/')?;
    let kind = match kind {
        "qemu" => GuestType::Qemu,
        "lxc" => GuestType::Lxc,
        _ => return None,
    };
    vmid.parse().ok().filter(|vmid| *vmid > 0).map(|vmid| (kind, vmid))
}

/// A certificate that no authority answers for, where nothing else was said: its endpoint and its fingerprint.
pub fn unknown_certificate(tested: &FencingTested) -> Option<(String, String)> {
    let failures = tested.results.iter().filter_map(|result| result.error.as_ref());
    let failure = failures.into_iter().find(|failure| {
        failure.code == ErrorCode::FenceCertificate && failure.details.get("expected").is_none()
    })?;
    let text = |name: &str| failure.details.get(name)?.as_str().map(str::to_owned);
    Some((text("endpoint")?, text("fingerprint")?))
}

/// What will be written, in words; the secret by the file that is to hold it.
pub fn plan(settings: &FencingSettings, secret: Option<&str>) -> Vec<String> {
    let levels: Vec<&str> = settings.levels.iter().map(Level::name).collect();
    let mut lines = vec![t!("setup-plan-level", levels = levels.join(", "))];
    let trusts = [settings.proxmox.as_ref().map(|p| &p.trust), settings.webhook.as_ref().map(|w| &w.trust)];
    for trust in trusts.into_iter().flatten() {
        let word = match trust {
            Trust::Fingerprint(_) => "fingerprint",
            Trust::CaFile(_) => "authority",
            Trust::System | Trust::Any => "system",
        };
        lines.push(t!("setup-plan-trust", trust = word));
    }
    for (name, target) in &settings.nodes {
        let guest = target.guest.zip(target.vmid).map(|(kind, vmid)| format!("{}/{vmid}", kind.as_str()));
        let parameters = target.parameters.iter().map(|(name, value)| format!("{name}={value}"));
        let how: Vec<String> = guest.into_iter().chain(parameters).collect();
        if !how.is_empty() {
            lines.push(t!("setup-plan-node", node = name.as_str(), how = how.join(", ")));
        }
    }
    lines.extend(secret.map(|path| t!("setup-plan-secret", path = path)));
    lines
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
        let (kind, vmid) = guest(value)?;
        (target.guest, target.vmid) = (Some(kind), Some(vmid));
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
