//! The demonstration's sentences, in French and English, and times as either language writes them.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::LazyLock;
use std::time::Duration;

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed::{I18nAssets, LanguageLoader};

const FRENCH: &str = include_str!("../../../i18n/fr/sfha_tests.ftl");
const ENGLISH: &str = include_str!("../../../i18n/en/sfha_tests.ftl");

/// A message by id, in the language of this thread.
macro_rules! t {
    ($id:literal) => { i18n_embed_fl::fl!($crate::demo::words::loader(), $id) };
    ($id:literal, $($args:tt)*) => { i18n_embed_fl::fl!($crate::demo::words::loader(), $id, $($args)*) };
}
pub(crate) use t;

/// A language of the demonstration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// The default.
    French,
    /// By `--lang`, by `SFHA_LANG` or by locale.
    English,
}

impl Lang {
    /// As the command line of sfha wants it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::French => "fr",
            Self::English => "en",
        }
    }

    /// As `sfha` chooses: the flag, `SFHA_LANG`, the locale; what is not English is French.
    pub fn choose(args: &[String], env: impl Fn(&str) -> Option<String>) -> Self {
        let flag = args.iter().enumerate().find_map(|(index, arg)| match arg.strip_prefix("--lang") {
            Some("") => args.get(index + 1).cloned(),
            Some(value) => value.strip_prefix('=').map(str::to_owned),
            None => None,
        });
        let set = |name: &&str| env(name).filter(|value| !value.is_empty());
        let tag = flag.or_else(|| ["SFHA_LANG", "LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set));
        let tag = tag.unwrap_or_default().to_ascii_lowercase();
        let is_english = tag.split(['_', '-', '.', '@']).next() == Some("en");
        if is_english { Self::English } else { Self::French }
    }
}

thread_local! {
    static CURRENT: Cell<Lang> = const { Cell::new(Lang::French) };
}

/// Sets the language of this thread.
pub fn set(lang: Lang) {
    CURRENT.set(lang);
}

/// The language of this thread.
pub fn current() -> Lang {
    CURRENT.get()
}

/// The messages of the language of this thread.
pub(crate) fn loader() -> &'static FluentLanguageLoader {
    static FR: LazyLock<FluentLanguageLoader> = LazyLock::new(|| load("fr"));
    static EN: LazyLock<FluentLanguageLoader> = LazyLock::new(|| load("en"));
    match current() {
        Lang::French => &FR,
        Lang::English => &EN,
    }
}

fn load(tag: &str) -> FluentLanguageLoader {
    let loader = FluentLanguageLoader::new("sfha_tests", "fr".parse().expect("fr is a language tag"));
    let wanted = tag.parse().expect("a language tag");
    loader.load_languages(&Catalogues, &[wanted]).expect("the catalogues are compiled in");
    loader.set_use_isolating(false);
    loader
}

struct Catalogues;

impl I18nAssets for Catalogues {
    fn get_files(&self, file_path: &str) -> Vec<Cow<'_, [u8]>> {
        match file_path {
            "fr/sfha_tests.ftl" => vec![Cow::Borrowed(FRENCH.as_bytes())],
            "en/sfha_tests.ftl" => vec![Cow::Borrowed(ENGLISH.as_bytes())],
            _ => Vec::new(),
        }
    }

    fn filenames_iter(&self) -> Box<dyn Iterator<Item = String> + '_> {
        Box::new(["fr/sfha_tests.ftl", "en/sfha_tests.ftl"].into_iter().map(str::to_owned))
    }
}

/// A message without variables, by an id that is known to be one.
pub fn text(id: &str) -> String {
    loader().get(id)
}

/// What is said when the demonstration fails.
pub fn failed(what: &str) -> String {
    t!("demo-failed", what = what)
}

/// A time as people say it: `8 ms`, `1,42 s`.
pub fn time(time: Duration) -> String {
    let text = match time.as_millis() {
        0..1000 => format!("{}\u{a0}ms", time.as_millis()),
        _ => format!("{:.2}\u{a0}s", time.as_secs_f64()),
    };
    match current() {
        Lang::French => text.replace('.', ","),
        Lang::English => text,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Message ids with the variables they use; the catalogues hold one message a line.
    fn messages(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| {
                let (id, value) = line.split_once(" = ").expect(line);
                let variables = value.split("{ $").skip(1).filter_map(|rest| rest.split(" }").next());
                (id, variables.collect())
            })
            .collect()
    }

    #[test]
    fn both_languages_have_the_same_messages_with_the_same_variables() {
        assert_eq!(messages(FRENCH), messages(ENGLISH));
        assert!(messages(FRENCH).len() > 20);
    }

    #[test]
    fn french_has_its_no_break_spaces() {
        for line in FRENCH.lines().filter(|line| !line.starts_with('#')) {
            for mark in [" :", " ;", " !", " ?", " »", "« "] {
                assert!(!line.contains(mark), "{mark:?} in {line}");
            }
        }
    }

    #[test]
    fn every_message_is_used() {
        let program = concat!(
            include_str!("../demo.rs"),
            include_str!("words.rs"),
            include_str!("../bin/sfha-demo.rs")
        );
        for id in messages(FRENCH).keys() {
            assert!(program.contains(&format!("\"{id}\"")), "{id} is not used");
        }
    }

    #[test]
    fn times_are_written_as_the_language_does() {
        set(Lang::French);
        assert_eq!(time(Duration::from_millis(1421)), "1,42\u{a0}s");
        set(Lang::English);
        assert_eq!(time(Duration::from_millis(1421)), "1.42\u{a0}s");
        assert_eq!(time(Duration::from_micros(8100)), "8\u{a0}ms");
    }

    #[test]
    fn the_language_is_chosen_as_sfha_does() {
        let args = |list: &[&str]| list.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
        let locale = |name: &str| (name == "LANG").then(|| "en_GB.UTF-8".to_owned());
        assert_eq!(Lang::choose(&[], |_| None), Lang::French);
        assert_eq!(Lang::choose(&[], locale), Lang::English);
        assert_eq!(Lang::choose(&args(&["--lang", "fr"]), locale), Lang::French);
        assert_eq!(Lang::choose(&args(&["--lang=en"]), |_| None), Lang::English);
    }
}
