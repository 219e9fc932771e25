//! What can happen to the dashboard, and what it asks for.

use jiff::Timestamp;
use sfha_config::stonith::settings::FencingSettings;
use sfha_proto::message::LogLine;
use tui_input::InputRequest;
use tui_logger::TuiWidgetEvent;

use super::{Item, Kind, View};
use crate::client::link::{LinkEvent, Order};
use crate::problem::Problem;

/// What is asked of the service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DaemonOrder {
    /// Start the daemon.
    Start,
    /// Start it at boot from now on.
    Enable,
}

/// Everything that can happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// A second has passed.
    Tick(Timestamp),
    /// Something came from the daemon.
    Heard(LinkEvent, Timestamp),
    /// The service manager answered.
    Daemon(DaemonOrder, Result<(), Problem>),
    /// How fencing is set up now.
    Fencing(Box<FencingSettings>),
    /// Leave.
    Quit,
    /// Ctrl-Z.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Other colours.
    Theme,
    /// Show a view.
    Show(View),
    /// The next view.
    NextView,
    /// The one before.
    PreviousView,
    /// Move the selection by lines.
    Move(i32),
    /// Move it by pages.
    Page(i32),
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// This one; once more: its details.
    Select(Item),
    /// Details of the selection.
    Open,
    /// Sort by the next column.
    Sort,
    /// The other way round.
    Reverse,
    /// Search.
    Search,
    /// The other pane.
    Pane,
    /// A key for the widgets of the log.
    Log(TuiWidgetEvent),
    /// Only events of the next kind, or of the one before.
    Only(i32),
    /// Only worse events; after the worst, all again.
    Worse,
    /// Everything that is not as it should be.
    Concerns,
    /// What can be done.
    Menu,
    /// A line of that menu.
    Pick(usize),
    /// Close what lies over the view, go back, cancel.
    Close,
    /// Leave a wizard, whatever it is doing.
    Leave,
    /// Open a wizard, about the selection.
    Begin(Kind),
    /// A key for the line that is being edited.
    Edit(InputRequest),
    /// Another field.
    Focus(i32),
    /// Go on: next field, next stage; done with a search.
    Next,
    /// The token to the clipboard, once more.
    Copy,
}

/// What the console has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Stop until continued.
    Suspend,
    /// Clear the screen first.
    Redraw,
    /// Ask the daemon.
    Send(Order),
    /// Ask the service manager.
    Daemon(DaemonOrder),
    /// Read how fencing is set up now.
    ReadFencing,
    /// This line is for tui-logger.
    Record(LogLine),
    /// This is for the terminal's clipboard.
    Copy(String),
}
