//! Texts: which language, and the `t!` macro that checks ids and arguments when it is compiled.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::LazyLock;

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed::{I18nAssets, LanguageLoader};

#[cfg(test)]
pub(crate) mod tests;

/// The French catalogue, source and fallback.
pub const FRENCH: &str = include_str!("../../i18n/fr/sfha_tui.ftl");
/// The English catalogue.
pub const ENGLISH: &str = include_str!("../../i18n/en/sfha_tui.ftl");

/// A message by id, in the language of this thread: `t!("id", name = value)`.
#[macro_export]
macro_rules! t {
    ($id:literal) => { i18n_embed_fl::fl!($crate::i18n::loader(), $id) };
    ($id:literal, $($args:tt)*) => { i18n_embed_fl::fl!($crate::i18n::loader(), $id, $($args)*) };
}

/// A language that sfha speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// The default.
    French,
    /// Chosen by flag, by `SFHA_LANG` or by locale.
    English,
}

thread_local! {
    static CURRENT: Cell<Lang> = const { Cell::new(Lang::French) };
}

/// Sets the language of this thread. Every text is made on the main thread.
pub fn set(lang: Lang) {
    CURRENT.set(lang);
}

/// The language of this thread.
pub fn current() -> Lang {
    CURRENT.get()
}

/// The messages of the language of this thread.
pub fn loader() -> &'static FluentLanguageLoader {
    static FR: LazyLock<FluentLanguageLoader> = LazyLock::new(|| load("fr"));
    static EN: LazyLock<FluentLanguageLoader> = LazyLock::new(|| load("en"));
    match current() {
        Lang::French => &FR,
        Lang::English => &EN,
    }
}

fn load(tag: &str) -> FluentLanguageLoader {
    let fallback = "fr".parse().expect("fr is a language tag");
    let loader = FluentLanguageLoader::new("sfha_tui", fallback);
    let wanted = tag.parse().expect("a language tag");
    loader.load_languages(&Catalogues, &[wanted]).expect("the catalogues are compiled in");
    loader.set_use_isolating(false);
    loader
}

struct Catalogues;

impl I18nAssets for Catalogues {
    fn get_files(&self, file_path: &str) -> Vec<Cow<'_, [u8]>> {
        match file_path {
            "fr/sfha_tui.ftl" => vec![Cow::Borrowed(FRENCH.as_bytes())],
            "en/sfha_tui.ftl" => vec![Cow::Borrowed(ENGLISH.as_bytes())],
            _ => Vec::new(),
        }
    }

    fn filenames_iter(&self) -> Box<dyn Iterator<Item = String> + '_> {
        Box::new(["fr/sfha_tui.ftl", "en/sfha_tui.ftl"].into_iter().map(str::to_owned))
    }
}

/// Which language: `--lang` (looked for by hand, since help and usage errors need it before the command
/// line is parsed), `SFHA_LANG`, then the locale. Anything that is not English is French.
pub fn choose<'a>(args: impl Iterator<Item = &'a str>, env: impl Fn(&str) -> Option<String>) -> Lang {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    flag(args)
        .or_else(|| set("SFHA_LANG"))
        .or_else(|| ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| set(name)))
        .map_or(Lang::French, |tag| named(&tag))
}

fn named(tag: &str) -> Lang {
    let language = tag.split(['_', '-', '.', '@']).next().unwrap_or_default();
    if language.eq_ignore_ascii_case("en") { Lang::English } else { Lang::French }
}

fn flag<'a>(mut args: impl Iterator<Item = &'a str>) -> Option<String> {
    while let Some(arg) = args.next() {
        if arg == "--" {
            return None;
        }
        if arg == "--lang" {
            return args.next().map(str::to_owned);
        }
        if let Some(value) = arg.strip_prefix("--lang=") {
            return Some(value.to_owned());
        }
    }
    None
}
