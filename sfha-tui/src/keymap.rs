//! Every key of the dashboard, once: for dispatch, footer and help.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::app::{App, Msg, Popup, Verb, View};
use crate::{assess, t};

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Nodes, VIPs, mesh.
    Overview,
    /// The log.
    Logs,
    /// The help.
    Help,
    /// A popup that shows something.
    Popup,
    /// A popup that asks.
    Confirm,
}

/// A key, with or without Ctrl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    code: KeyCode,
    ctrl: bool,
}

const fn key(code: KeyCode) -> Key {
    Key { code, ctrl: false }
}

const fn ch(c: char) -> Key {
    key(KeyCode::Char(c))
}

const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), ctrl: true }
}

/// One line of the table.
pub struct Binding {
    /// Where.
    pub contexts: &'static [Context],
    /// Which keys.
    pub keys: &'static [Key],
    /// What they do.
    pub msg: Msg,
    /// What the footer and the help call them; nothing leaves them out.
    pub label: Option<fn() -> String>,
    /// Place in the footer: the lowest go first where it is narrow; 0 is never there.
    pub rank: u8,
}

use Context::{Confirm, Help, Logs, Overview, Popup as Over};

const VIEWS: &[Context] = &[Overview, Logs, Help];
const LISTS: &[Context] = &[Overview, Logs];

/// An upper bound of the lines of the help, so that it cannot be scrolled away.
pub const HELP_LINES: usize = 30;

macro_rules! bind {
    ($contexts:expr, [$($key:expr),*], $msg:expr, $rank:literal, $label:expr) => {
        Binding { contexts: $contexts, keys: &[$($key),*], msg: $msg, rank: $rank, label: Some(|| $label) }
    };
    ($contexts:expr, [$($key:expr),*], $msg:expr) => {
        Binding { contexts: $contexts, keys: &[$($key),*], msg: $msg, rank: 0, label: None }
    };
}

/// The table.
pub const BINDINGS: &[Binding] = &[
    bind!(&[Overview], [key(KeyCode::Up), ch('k')], Msg::Move(-1), 0, t!("key-up")),
    bind!(&[Overview], [key(KeyCode::Down), ch('j')], Msg::Move(1), 0, t!("key-down")),
    bind!(LISTS, [key(KeyCode::Enter)], Msg::Open, 6, t!("key-open")),
    bind!(&[Overview], [ch('s')], Msg::Ask(Verb::Standby), 5, t!("key-standby")),
    bind!(&[Overview], [ch('S')], Msg::Ask(Verb::Unstandby), 4, t!("key-unstandby")),
    bind!(&[Overview], [ch('m')], Msg::Ask(Verb::Maintenance), 3, t!("key-maintenance")),
    bind!(&[Overview], [ch('a')], Msg::Concerns, 4, t!("key-concerns")),
    bind!(&[Logs, Help], [key(KeyCode::Up), ch('k')], Msg::Move(-1)),
    bind!(&[Logs, Help], [key(KeyCode::Down), ch('j')], Msg::Move(1)),
    bind!(VIEWS, [key(KeyCode::PageUp)], Msg::Page(-1), 0, t!("key-page-up")),
    bind!(VIEWS, [key(KeyCode::PageDown)], Msg::Page(1), 0, t!("key-page-down")),
    bind!(VIEWS, [key(KeyCode::Home), ch('g')], Msg::First, 0, t!("key-first")),
    bind!(VIEWS, [key(KeyCode::End), ch('G')], Msg::Last, 0, t!("key-last")),
    bind!(VIEWS, [key(KeyCode::Tab)], Msg::NextView, 2, t!("key-next-view")),
    bind!(VIEWS, [key(KeyCode::BackTab)], Msg::PreviousView),
    bind!(VIEWS, [ch('1')], Msg::Show(View::Overview), 0, t!("key-overview")),
    bind!(VIEWS, [ch('2')], Msg::Show(View::Logs), 0, t!("key-logs")),
    bind!(VIEWS, [ch('?'), ch('3')], Msg::Show(View::Help), 7, t!("key-help")),
    bind!(&[Logs, Help], [key(KeyCode::Esc)], Msg::Close, 1, t!("key-back")),
    bind!(VIEWS, [ctrl('l')], Msg::Redraw, 0, t!("key-redraw")),
    bind!(VIEWS, [ctrl('z')], Msg::Suspend, 0, t!("key-suspend")),
    bind!(VIEWS, [ch('q'), ctrl('c')], Msg::Quit, 8, t!("key-quit")),
    bind!(&[Confirm], [ch('o'), ch('y')], Msg::Confirm, 9, t!("key-confirm")),
    bind!(&[Confirm], [ch('n'), key(KeyCode::Esc), ch('q')], Msg::Close, 8, t!("key-cancel")),
    bind!(&[Over], [key(KeyCode::Esc), key(KeyCode::Enter), ch('q')], Msg::Close, 9, t!("key-close")),
    bind!(&[Over, Confirm], [ctrl('c')], Msg::Quit),
    bind!(&[Over, Confirm], [ctrl('z')], Msg::Suspend),
];

/// Where the dashboard is now.
pub fn context(app: &App) -> Context {
    match (&app.popup, app.view) {
        (Some(Popup::Confirm(_)), _) => Confirm,
        (Some(_), _) => Over,
        (None, View::Overview) => Overview,
        (None, View::Logs) => Logs,
        (None, View::Help) => Help,
    }
}

/// What a key means now.
pub fn dispatch(app: &App, event: KeyEvent) -> Option<Msg> {
    let pressed = Key { code: event.code, ctrl: event.modifiers.contains(KeyModifiers::CONTROL) };
    let here = context(app);
    BINDINGS
        .iter()
        .find(|binding| binding.contexts.contains(&here) && binding.keys.contains(&pressed))
        .map(|binding| binding.msg.clone())
}

/// Whether there is anything that the message could do now: what cannot be done is not in the footer.
pub fn possible(app: &App, msg: &Msg) -> bool {
    match msg {
        Msg::Ask(Verb::Standby) => app.selected_standby() == Some(false),
        Msg::Ask(Verb::Unstandby) => app.selected_standby() == Some(true),
        Msg::Ask(Verb::Maintenance) => app.can_order(),
        Msg::Concerns => app.status.as_ref().is_some_and(|status| assess::concerns(status).len() > 1),
        Msg::Open if app.view == View::Overview => app.selected.is_some(),
        Msg::Open => app.journal.current().is_some(),
        _ => true,
    }
}

/// A key as people call it.
pub fn name(key: Key, utf8: bool) -> String {
    let arrow = |sign: &str, word: String| if utf8 { sign.to_owned() } else { word };
    match key.code {
        KeyCode::Char(c) if key.ctrl => format!("Ctrl-{}", c.to_uppercase()),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Up => arrow("↑", t!("key-name-up")),
        KeyCode::Down => arrow("↓", t!("key-name-down")),
        KeyCode::Enter => t!("key-name-enter"),
        KeyCode::Esc => t!("key-name-esc"),
        KeyCode::Tab => "Tab".to_owned(),
        KeyCode::PageUp => t!("key-name-page-up"),
        KeyCode::PageDown => t!("key-name-page-down"),
        KeyCode::Home => t!("key-name-home"),
        KeyCode::End => t!("key-name-end"),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for context in [Overview, Logs, Help, Over, Confirm] {
            let mut seen: Vec<Key> = Vec::new();
            for binding in BINDINGS.iter().filter(|binding| binding.contexts.contains(&context)) {
                for key in binding.keys {
                    assert!(!seen.contains(key), "{context:?} {key:?}");
                    seen.push(*key);
                }
            }
            assert!(seen.contains(&ctrl('c')), "{context:?} cannot be left");
        }
    }

    #[test]
    fn every_key_of_the_footer_has_a_label() {
        assert!(BINDINGS.iter().all(|binding| binding.rank == 0 || binding.label.is_some()));
    }
}
