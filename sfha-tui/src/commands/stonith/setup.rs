//! `sfha stonith setup`: asks for what is missing, tests it without switching anything, writes it.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;

use serde_json::{Value, json};
use sfha_proto::SCHEMA;
use sfha_proto::fencing::{FencingSettingsParams, FencingTested};
use sfha_proto::message::method;

use super::{TEST, judge, text};
use crate::cli::{Global, SetupTask};
use crate::commands::{CHANGE, ask, call, show, status};
use crate::fencing_setup as setup;
use crate::paint::{self, Paint};
use crate::problem::Problem;
use crate::t;

/// Does it.
pub async fn run(global: &Global, mut task: SetupTask) -> Result<(), Problem> {
    let names: Vec<String> = status(global).await?.nodes.into_iter().map(|node| node.name).collect();
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !global.yes;
    if terminal {
        questions(&mut task, &names);
    }
    let provider = task.provider.clone().ok_or_else(|| setup::missing("--provider"))?;
    let known = setup::current();
    let secret = match (&task.secret_file, setup::secret_path(&provider)) {
        (Some(path), Some(_)) => Some(read(path)?),
        (None, Some(_)) if terminal => {
            Some(ask::secret(&t!("setup-secret"))?).filter(|text| !text.is_empty())
        }
        _ => None,
    };
    let path = setup::secret_path(&provider).filter(|_| secret.is_some());
    let secrets: BTreeMap<String, String> = path.clone().zip(secret).into_iter().collect();
    let (wanted, params, tested) = loop {
        let wanted = setup::build(&task, known.clone(), path.is_some())?;
        let settings = serde_json::to_value(&wanted).unwrap_or_default();
        let params = FencingSettingsParams { settings, secrets: secrets.clone() };
        let tested: FencingTested = call(global, method::STONITH_CHECK, &params, TEST).await?;
        let unknown = task.fingerprint.is_none() && task.ca_file.is_none() && terminal;
        match setup::unknown_certificate(&tested).filter(|_| unknown) {
            Some((endpoint, fingerprint)) => {
                let shown = fingerprint.as_str();
                ask::confirm(global, &t!("setup-certificate", endpoint = endpoint, fingerprint = shown))?;
                task.fingerprint = Some(fingerprint);
            }
            None => break (wanted, params, tested),
        }
    };
    if !global.json {
        paint::out(&text::tested(&tested, Paint::stdout()));
    }
    if !task.force {
        judge(&tested, t!("setup-failed-next"))?;
    }
    if terminal {
        paint::err(&t!("setup-plan"));
        for line in setup::plan(&wanted, path.as_deref()) {
            paint::err(&format!("  {line}"));
        }
    }
    if !task.dry_run {
        if terminal {
            ask::confirm(global, &t!("setup-write"))?;
        }
        let _: Value = call(global, method::STONITH_CONFIGURE, &params, CHANGE).await?;
    }
    let done = json!({"schema": SCHEMA, "done": !task.dry_run, "tested": tested.results});
    show(global, &done, |_, _| {
        if task.dry_run {
            return format!("{}\n", t!("setup-tested"));
        }
        let mut text = format!("{}\n", t!("setup-done"));
        if let Some(path) = path.as_deref() {
            text.push_str(&format!("{}\n", t!("setup-other-nodes", path = path)));
        }
        text
    })
}

fn read(path: &Path) -> Result<String, Problem> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin().lock())
    } else {
        std::fs::read_to_string(path)
    };
    let name = path.display().to_string();
    text.map(|text| text.trim().to_owned()).map_err(|error| Problem::program(&name, &error))
}

/// Asks for what no option told.
fn questions(task: &mut SetupTask, nodes: &[String]) {
    if task.provider.is_none() {
        paint::err(&t!("setup-providers"));
        task.provider = ask::answer(&t!("setup-provider"), setup::is_provider);
    }
    let provider = task.provider.clone().unwrap_or_default();
    let any = |text: &str| !text.is_empty();
    match provider.as_str() {
        "proxmox" => {
            if task.urls.is_empty() {
                task.urls.extend(ask::answer(&t!("setup-proxmox-url"), setup::is_https));
            }
            if task.token_id.is_none() {
                task.token_id =
                    ask::answer(&t!("setup-token-id", example = "sfha@pve!fence"), setup::is_token_id);
            }
            if task.fingerprint.is_none() && task.ca_file.is_none() {
                let fits = |text: &str| text.is_empty() || setup::is_fingerprint(text);
                task.fingerprint = ask::answer(&t!("setup-fingerprint"), fits).filter(|text| any(text));
            }
        }
        "webhook" => {
            if task.urls.is_empty() {
                task.urls.extend(ask::answer(&t!("setup-fence-url", node = "{{node}}"), any));
            }
            if task.status_url.is_none() {
                task.status_url = ask::answer(&t!("setup-status-url"), |_| true).filter(|text| any(text));
            }
            return;
        }
        "watchdog" => return,
        _ => {
            if task.options.is_empty() {
                let options = ask::answer(&t!("setup-options"), |_| true).unwrap_or_default();
                task.options.extend(options.split_whitespace().map(str::to_owned));
            }
        }
    }
    for node in nodes.iter().filter(|_| task.nodes.is_empty()).cloned().collect::<Vec<_>>() {
        let proxmox = provider == "proxmox";
        let question = match proxmox {
            true => t!("setup-guest", node = node.as_str()),
            false => t!("setup-plug", node = node.as_str()),
        };
        let fits = |text: &str| !proxmox || text.is_empty() || setup::is_guest(text);
        let answer = ask::answer(&question, fits).filter(|text| !text.is_empty());
        task.nodes.extend(answer.map(|value| format!("{node}={value}")));
    }
}
