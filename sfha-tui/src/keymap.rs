//! One table of keys: what they do, and what footer and help call them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use tui_input::InputRequest;
use tui_logger::TuiWidgetEvent as Log;

use crate::app::{App, Kind, Msg, Popup, Stage, View};
use crate::{assess, t};

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Everything in short.
    Overview,
    /// The mesh.
    Mesh,
    /// VIPs, services, checks.
    Resources,
    /// Nodes.
    Nodes,
    /// Fencing.
    Fencing,
    /// What has happened.
    Events,
    /// The log.
    Logs,
    /// The help.
    Help,
    /// A popup that shows something.
    Popup,
    /// The menu of wizards.
    Menu,
    /// A search is being typed.
    Search,
    /// A form is being filled in.
    Form,
    /// A name has to be typed to confirm.
    Typed,
    /// A yes or a no.
    Confirm,
    /// It is under way.
    Running,
    /// A token waits for its joiner.
    Token,
    /// It is over.
    Outcome,
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

use Context::{
    Confirm, Events, Fencing, Form, Help, Logs, Menu, Mesh, Nodes, Outcome, Overview, Popup as Over,
    Resources, Running, Search, Token, Typed,
};

/// Every context.
#[cfg(test)]
const ALL: &[Context] = &[
    Overview, Mesh, Resources, Nodes, Fencing, Events, Logs, Help, Over, Menu, Search, Form, Typed, Confirm,
    Running, Token, Outcome,
];
const VIEWS: &[Context] = &[Overview, Mesh, Resources, Nodes, Fencing, Events, Logs, Help];
const LISTS: &[Context] = &[Overview, Mesh, Resources, Nodes, Fencing, Events];
const SORTED: &[Context] = &[Mesh, Resources, Nodes, Fencing];
const SEARCHED: &[Context] = &[Mesh, Resources, Nodes, Fencing, Events, Logs];
const WITH_NODES: &[Context] = &[Overview, Mesh, Nodes, Fencing];
const WIZARDS: &[Context] = &[Form, Typed, Confirm, Running, Token, Outcome];
const EVERYWHERE_ELSE: &[Context] = &[Over, Menu, Search, Form, Typed, Confirm, Running, Token, Outcome];

/// An upper bound of the lines of the help, so that it cannot be scrolled away.
pub const HELP_LINES: usize = 60;

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
    bind!(LISTS, [key(KeyCode::Up), ch('k')], Msg::Move(-1), 0, t!("key-up")),
    bind!(LISTS, [key(KeyCode::Down), ch('j')], Msg::Move(1), 0, t!("key-down")),
    bind!(LISTS, [key(KeyCode::Enter)], Msg::Open, 8, t!("key-open")),
    bind!(VIEWS, [ch('w')], Msg::Menu, 9, t!("key-menu")),
    bind!(SEARCHED, [ch('/')], Msg::Search, 7, t!("key-search")),
    bind!(SORTED, [ch('o')], Msg::Sort, 6, t!("key-sort")),
    bind!(SORTED, [ch('O')], Msg::Reverse, 0, t!("key-reverse")),
    bind!(&[Mesh], [ch('x')], Msg::Pane, 6, t!("key-pane")),
    bind!(&[Mesh], [ch('n')], Msg::Begin(Kind::Token), 5, t!("key-token")),
    bind!(&[Mesh, Nodes], [ch('d')], Msg::Begin(Kind::Remove), 3, t!("key-remove")),
    bind!(&[Resources], [ch('n')], Msg::Begin(Kind::VipAdd), 5, t!("key-vip-add")),
    bind!(&[Resources], [ch('d')], Msg::Begin(Kind::VipRemove), 4, t!("key-remove")),
    bind!(WITH_NODES, [ch('s')], Msg::Begin(Kind::Standby), 4, t!("key-standby")),
    bind!(WITH_NODES, [ch('S')], Msg::Begin(Kind::Unstandby), 4, t!("key-unstandby")),
    bind!(&[Fencing], [ch('n')], Msg::Begin(Kind::Setup), 3, t!("key-setup")),
    bind!(&[Fencing], [ch('F')], Msg::Begin(Kind::Fence), 5, t!("key-fence")),
    bind!(&[Fencing], [ch('c')], Msg::Begin(Kind::Confirm), 5, t!("key-confirm-off")),
    bind!(&[Fencing], [ch('u')], Msg::Begin(Kind::Unfence), 3, t!("key-unfence")),
    bind!(LISTS, [ch('f')], Msg::Begin(Kind::Failover), 2, t!("key-failover")),
    bind!(LISTS, [ch('m')], Msg::Begin(Kind::Maintenance), 3, t!("key-maintenance")),
    bind!(LISTS, [ch('a')], Msg::Concerns, 4, t!("key-concerns")),
    bind!(&[Events], [key(KeyCode::Left), ch('h')], Msg::Only(-1)),
    bind!(&[Events], [key(KeyCode::Right), ch('l')], Msg::Only(1), 6, t!("key-only")),
    bind!(&[Events], [ch('v')], Msg::Worse, 6, t!("key-worse")),
    bind!(&[Logs], [key(KeyCode::Up), ch('k')], Msg::Log(Log::UpKey), 0, t!("key-target")),
    bind!(&[Logs], [key(KeyCode::Down), ch('j')], Msg::Log(Log::DownKey)),
    bind!(&[Logs], [key(KeyCode::Left), ch('h')], Msg::Log(Log::LeftKey), 5, t!("key-level-less")),
    bind!(&[Logs], [key(KeyCode::Right), ch('l')], Msg::Log(Log::RightKey), 5, t!("key-level-more")),
    bind!(&[Logs], [ch('f')], Msg::Log(Log::FocusKey), 4, t!("key-focus")),
    bind!(&[Logs], [ch('t')], Msg::Log(Log::HideKey), 3, t!("key-targets")),
    bind!(&[Logs], [ch(' ')], Msg::Log(Log::SpaceKey), 0, t!("key-off-targets")),
    bind!(&[Logs], [key(KeyCode::Enter)], Msg::Log(Log::EscapeKey), 0, t!("key-follow")),
    bind!(&[Help], [key(KeyCode::Up), ch('k')], Msg::Move(-1)),
    bind!(&[Help], [key(KeyCode::Down), ch('j')], Msg::Move(1)),
    bind!(VIEWS, [key(KeyCode::PageUp)], Msg::Page(-1), 0, t!("key-page-up")),
    bind!(VIEWS, [key(KeyCode::PageDown)], Msg::Page(1), 0, t!("key-page-down")),
    bind!(VIEWS, [key(KeyCode::Home), ch('g')], Msg::First, 0, t!("key-first")),
    bind!(VIEWS, [key(KeyCode::End), ch('G')], Msg::Last, 0, t!("key-last")),
    bind!(VIEWS, [key(KeyCode::Tab)], Msg::NextView, 1, t!("key-next-view")),
    bind!(VIEWS, [key(KeyCode::BackTab)], Msg::PreviousView, 0, t!("key-previous-view")),
    bind!(VIEWS, [ch('1')], Msg::Show(View::Overview), 0, t!("key-overview")),
    bind!(VIEWS, [ch('2')], Msg::Show(View::Mesh), 0, t!("key-mesh")),
    bind!(VIEWS, [ch('3')], Msg::Show(View::Resources), 0, t!("key-resources")),
    bind!(VIEWS, [ch('4')], Msg::Show(View::Nodes), 0, t!("key-nodes")),
    bind!(VIEWS, [ch('5')], Msg::Show(View::Fencing), 0, t!("key-fencing")),
    bind!(VIEWS, [ch('6')], Msg::Show(View::Events), 0, t!("key-events")),
    bind!(VIEWS, [ch('7')], Msg::Show(View::Logs), 0, t!("key-logs")),
    bind!(VIEWS, [ch('?')], Msg::Show(View::Help), 9, t!("key-help")),
    bind!(VIEWS, [key(KeyCode::Esc)], Msg::Close, 0, t!("key-back")),
    bind!(VIEWS, [ch('T')], Msg::Theme, 0, t!("key-theme")),
    bind!(VIEWS, [ctrl('l')], Msg::Redraw, 0, t!("key-redraw")),
    bind!(VIEWS, [ctrl('z')], Msg::Suspend, 0, t!("key-suspend")),
    bind!(VIEWS, [ch('q'), ctrl('c')], Msg::Quit, 9, t!("key-quit")),
    bind!(&[Over], [key(KeyCode::Esc), key(KeyCode::Enter), ch('q')], Msg::Close, 9, t!("key-close")),
    bind!(&[Over], [key(KeyCode::Up), ch('k')], Msg::Move(-1), 5, t!("key-up")),
    bind!(&[Over], [key(KeyCode::Down), ch('j')], Msg::Move(1), 5, t!("key-down")),
    bind!(&[Menu], [key(KeyCode::Enter)], Msg::Open, 9, t!("key-begin")),
    bind!(&[Menu], [key(KeyCode::Up), ch('k')], Msg::Move(-1), 5, t!("key-up")),
    bind!(&[Menu], [key(KeyCode::Down), ch('j')], Msg::Move(1), 5, t!("key-down")),
    bind!(&[Menu], [key(KeyCode::Esc), ch('q')], Msg::Close, 8, t!("key-close")),
    bind!(&[Search], [key(KeyCode::Enter)], Msg::Next, 9, t!("key-keep")),
    bind!(&[Search], [key(KeyCode::Esc)], Msg::Close, 8, t!("key-cancel")),
    bind!(&[Form], [key(KeyCode::Enter)], Msg::Next, 9, t!("key-next")),
    bind!(&[Form], [key(KeyCode::Up), key(KeyCode::BackTab)], Msg::Focus(-1), 5, t!("key-field-before")),
    bind!(&[Form], [key(KeyCode::Down), key(KeyCode::Tab)], Msg::Focus(1), 6, t!("key-field-after")),
    bind!(&[Typed], [key(KeyCode::Enter)], Msg::Next, 9, t!("key-confirm")),
    bind!(&[Confirm], [ch('o'), ch('y'), key(KeyCode::Enter)], Msg::Next, 9, t!("key-confirm")),
    bind!(&[Confirm], [ch('n'), ch('q'), key(KeyCode::Esc)], Msg::Close, 8, t!("key-cancel")),
    bind!(&[Form, Typed], [key(KeyCode::Esc)], Msg::Close, 8, t!("key-back")),
    bind!(&[Running], [key(KeyCode::Esc), key(KeyCode::Enter), ch('q')], Msg::Leave, 8, t!("key-leave")),
    bind!(&[Token], [ch('c')], Msg::Copy, 9, t!("key-copy")),
    bind!(&[Token], [key(KeyCode::Esc), key(KeyCode::Enter), ch('q')], Msg::Leave, 8, t!("key-leave")),
    bind!(&[Outcome], [key(KeyCode::Enter)], Msg::Next, 9, t!("key-close-or-mend")),
    bind!(&[Outcome], [key(KeyCode::Esc), ch('q')], Msg::Leave, 8, t!("key-close")),
    bind!(EVERYWHERE_ELSE, [ctrl('c')], Msg::Quit),
    bind!(EVERYWHERE_ELSE, [ctrl('z')], Msg::Suspend),
    bind!(WIZARDS, [ctrl('l')], Msg::Redraw),
];

/// Where the dashboard is now.
pub fn context(app: &App) -> Context {
    if app.search.is_some() {
        return Search;
    }
    if let Some(wizard) = &app.wizard {
        return match &wizard.stage {
            Stage::Form => Form,
            Stage::Review { .. } if wizard.password().is_some() => Typed,
            Stage::Review { .. } => Confirm,
            Stage::Running { .. } => Running,
            Stage::Token(_) => Token,
            Stage::Done { .. } | Stage::Failed(_) => Outcome,
        };
    }
    match (&app.popup, app.view) {
        (Some(Popup::Menu(_)), _) => Menu,
        (Some(_), _) => Over,
        (None, View::Overview) => Overview,
        (None, View::Mesh) => Mesh,
        (None, View::Resources) => Resources,
        (None, View::Nodes) => Nodes,
        (None, View::Fencing) => Fencing,
        (None, View::Events) => Events,
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
        .or_else(|| matches!(here, Search | Form | Typed).then(|| edit(pressed)).flatten())
}

/// What a key does to a line that is being edited.
fn edit(key: Key) -> Option<Msg> {
    let request = match (key.code, key.ctrl) {
        (KeyCode::Char(c), false) => InputRequest::InsertChar(c),
        (KeyCode::Backspace, _) | (KeyCode::Char('h'), true) => InputRequest::DeletePrevChar,
        (KeyCode::Delete, _) | (KeyCode::Char('d'), true) => InputRequest::DeleteNextChar,
        (KeyCode::Left, false) | (KeyCode::Char('b'), true) => InputRequest::GoToPrevChar,
        (KeyCode::Right, false) | (KeyCode::Char('f'), true) => InputRequest::GoToNextChar,
        (KeyCode::Left, true) => InputRequest::GoToPrevWord,
        (KeyCode::Right, true) => InputRequest::GoToNextWord,
        (KeyCode::Home, _) | (KeyCode::Char('a'), true) => InputRequest::GoToStart,
        (KeyCode::End, _) | (KeyCode::Char('e'), true) => InputRequest::GoToEnd,
        (KeyCode::Char('u'), true) => InputRequest::DeleteLine,
        (KeyCode::Char('w'), true) => InputRequest::DeletePrevWord,
        (KeyCode::Char('k'), true) => InputRequest::DeleteTillEnd,
        _ => return None,
    };
    Some(Msg::Edit(request))
}

/// What the mouse means, given what is drawn under it.
pub fn mouse(app: &App, event: MouseEvent, under: Option<Msg>) -> Option<Msg> {
    let reading = app.wizard.is_some() || app.search.is_some();
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => under,
        MouseEventKind::ScrollUp if !reading => Some(Msg::Move(-3)),
        MouseEventKind::ScrollDown if !reading => Some(Msg::Move(3)),
        _ => None,
    }
}

/// Whether there is anything that the message could do now: what cannot be done is not in the footer.
pub fn possible(app: &App, msg: &Msg) -> bool {
    match msg {
        Msg::Begin(Kind::Standby) => app.selected_standby() == Some(false),
        Msg::Begin(Kind::Unstandby) => app.selected_standby() == Some(true),
        Msg::Begin(kind) => app.offers(*kind),
        Msg::Menu => !app.wizards().is_empty(),
        Msg::Concerns => app.status.as_ref().is_some_and(|status| assess::concerns(status).len() > 1),
        Msg::Open if app.view == View::Events => app.events.all().len() > 0,
        Msg::Open => app.popup.is_some() || app.selected().is_some(),
        _ => true,
    }
}

/// A key as people call it.
pub fn name(key: Key, utf8: bool) -> String {
    let arrow = |sign: &str, word: String| if utf8 { sign.to_owned() } else { word };
    match key.code {
        KeyCode::Char(' ') => t!("key-name-space"),
        KeyCode::Char(c) if key.ctrl => format!("Ctrl-{}", c.to_uppercase()),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Up => arrow("↑", t!("key-name-up")),
        KeyCode::Down => arrow("↓", t!("key-name-down")),
        KeyCode::Left => arrow("←", t!("key-name-left")),
        KeyCode::Right => arrow("→", t!("key-name-right")),
        KeyCode::Enter => t!("key-name-enter"),
        KeyCode::Esc => t!("key-name-esc"),
        KeyCode::Tab => "Tab".to_owned(),
        KeyCode::BackTab => t!("key-name-back-tab"),
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
        for context in ALL {
            let mut seen: Vec<Key> = Vec::new();
            for binding in BINDINGS.iter().filter(|binding| binding.contexts.contains(context)) {
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

    #[test]
    fn where_text_is_typed_no_letter_is_a_command() {
        let typing = [Search, Form, Typed];
        let letter = |key: &Key| matches!(key.code, KeyCode::Char(_)) && !key.ctrl;
        for binding in BINDINGS.iter().filter(|b| b.contexts.iter().any(|c| typing.contains(c))) {
            assert!(!binding.keys.iter().any(letter), "{:?}", binding.msg);
        }
    }
}
