//! Setting up fencing: what is answered is tried, without switching anything, before anything is written.
//!
//! ```text
//! Form ──▶ Running (stonith.check) ──▶ Review ──▶ Running (stonith.configure) ──▶ Done
//!   ▲             │ a level does not work: Failed; a certificate that nobody answers for: its
//!   └─────────────┘ fingerprint is put into the form, for a person to compare
//! ```

use std::collections::BTreeMap;

use serde_json::Value;
use sfha_config::stonith::settings::FencingSettings;
use sfha_proto::fencing::{FencingSettingsParams, FencingTest, FencingTested};
use sfha_proto::message::method;
use tui_input::Input;

use super::{Field, Name, Stage, Wizard, form};
use crate::app::{App, Link, Purpose};
use crate::cli::SetupTask;
use crate::client::ClientError;
use crate::fencing_setup;
use crate::problem::Problem;
use crate::t;

/// Settings that were tried.
#[derive(Debug, Clone)]
pub struct Tried {
    /// What is to be sent to have them written.
    pub params: FencingSettingsParams,
    /// The same, in words.
    pub plan: Vec<String>,
    /// What came of it.
    pub results: Vec<FencingTest>,
    /// Where the secret will be.
    pub secret_path: Option<String>,
}

impl Wizard {
    fn provider(&self) -> String {
        match self.value(Name::Provider).unwrap_or_default().as_str() {
            "agent" => self.value(Name::Program).unwrap_or_default(),
            provider => provider.to_owned(),
        }
    }

    fn setup_task(&self) -> SetupTask {
        let guests = self.fields.iter().filter(|field| field.name == Name::Guest);
        let options = self.value(Name::Options).unwrap_or_default();
        SetupTask {
            provider: Some(self.provider()),
            urls: self.value(Name::Url).into_iter().collect(),
            unfence_url: self.value(Name::UnfenceUrl),
            status_url: self.value(Name::StatusUrl),
            token_id: self.value(Name::TokenId),
            fingerprint: self.value(Name::Fingerprint),
            options: options.split_whitespace().map(str::to_owned).collect(),
            nodes: guests.filter_map(|field| Some(format!("{}={}", field.label, field.value()?))).collect(),
            ..SetupTask::default()
        }
    }
}

impl App {
    /// Another provider asks other questions; what was answered already stays.
    pub(super) fn follow_provider(&mut self) {
        let Some(wizard) = &self.wizard else { return };
        let provider = wizard.value(Name::Provider).unwrap_or_default();
        let mut fields = form::setup(self, &provider);
        let same = |a: &Field, b: &Field| (a.name, &a.label) == (b.name, &b.label);
        if fields.len() == wizard.fields.len() && fields.iter().zip(&wizard.fields).all(|(a, b)| same(a, b)) {
            return;
        }
        for field in &mut fields {
            if let Some(known) = wizard.fields.iter().find(|known| same(known, field)) {
                (field.input, field.chosen) = (known.input.clone(), known.chosen);
            }
        }
        let Some(wizard) = &mut self.wizard else { return };
        wizard.fields = fields;
        wizard.complaining = false;
    }

    /// Has the daemon try what was answered.
    pub(super) fn try_out(&mut self) {
        let Some(wizard) = &self.wizard else { return };
        let secret = wizard.value(Name::Secret);
        let secret_path = fencing_setup::secret_path(&wizard.provider()).filter(|_| secret.is_some());
        let known = self.fencing_known.clone().map_or_else(FencingSettings::off, |known| *known);
        let built = fencing_setup::build(&wizard.setup_task(), known, secret.is_some());
        let stage = match built {
            Err(problem) => Stage::Failed(problem),
            Ok(_) if self.link != Link::Up => Stage::Failed(Problem::connection_lost()),
            Ok(settings) => {
                let plan = fencing_setup::plan(&settings, secret_path.as_deref());
                let secrets: BTreeMap<String, String> = secret_path.clone().zip(secret).into_iter().collect();
                let settings = serde_json::to_value(&settings).unwrap_or_default();
                let params = FencingSettingsParams { settings, secrets };
                let document = serde_json::to_value(&params).unwrap_or_default();
                let tag = self.send(method::STONITH_CHECK, document, Purpose::Tried);
                if let Some(wizard) = &mut self.wizard {
                    wizard.tried = Some(Box::new(Tried { params, plan, results: Vec::new(), secret_path }));
                }
                Stage::Running { tag: Some(tag), since: self.now, steps: Vec::new() }
            }
        };
        if let Some(wizard) = &mut self.wizard {
            wizard.stage = stage;
        }
    }

    /// What came of it.
    pub(super) fn tried(&mut self, tag: u64, outcome: Result<Value, ClientError>) {
        let Some(wizard) = self.all_wizards().find(|wizard| super::run::is_at(wizard, tag)) else { return };
        let tested =
            match outcome {
                Ok(value) => serde_json::from_value::<FencingTested>(value)
                    .unwrap_or_else(|_| FencingTested { schema: 0, by: String::new(), results: Vec::new() }),
                Err(error) => {
                    wizard.stage = Stage::Failed(error.into());
                    return;
                }
            };
        let asked = wizard.fields.iter().position(|field| field.name == Name::Fingerprint);
        let unknown = fencing_setup::unknown_certificate(&tested);
        if let (Some((endpoint, fingerprint)), Some(at)) = (unknown, asked) {
            // Both halves of it are to be seen.
            let (one, other) = fingerprint.split_at_checked(fingerprint.len() / 2 + 1).unwrap_or_default();
            let field = &mut wizard.fields[at];
            field.hint =
                t!("hint-fingerprint-found", endpoint = endpoint, fingerprint = format!("{one} {other}"));
            field.input = Input::new(fingerprint);
            wizard.focus = at;
            wizard.stage = Stage::Form;
            return;
        }
        let failed: Vec<&FencingTest> = tested.results.iter().filter(|test| test.error.is_some()).collect();
        if failed.is_empty() {
            if let Some(tried) = &mut wizard.tried {
                tried.results = tested.results;
            }
            wizard.stage = Stage::Review { typed: Input::default() };
            return;
        }
        let told = failed.iter().filter_map(|test| {
            let why = Problem::from(test.error.clone()?).message;
            Some(t!("setup-failed", node = test.node.as_str(), level = test.level.as_str(), why = why))
        });
        let message = told.collect::<Vec<_>>().join("\n");
        let next = Some(t!("setup-mend"));
        wizard.stage = Stage::Failed(Problem::local("test-failed", 1, message, next));
    }
}
