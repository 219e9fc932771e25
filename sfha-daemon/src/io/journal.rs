//! The journal, by its native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL>).
//!
//! `MESSAGE` holds the text with every field's value, so that plain `journalctl` shows what happened;
//! each field is also a journal field of its own (`SFHA_VIP=web`), so that scripts can filter.

use std::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixDatagram;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

const SOCKET: &str = "/run/systemd/journal/socket";

/// The field that says what kind of message it is.
const MESSAGE_ID: &str = "message_id";

/// Longest text of one field, in bytes: a datagram must fit the socket's buffer.
const MAX_TEXT: usize = 16 * 1024;

/// A layer that writes to the journal.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
    identifier: &'static str,
}

impl Journal {
    /// Connects; what is written then never blocks: a journal that does not read loses lines.
    ///
    /// # Errors
    /// There is no journal.
    pub fn connect(identifier: &'static str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(SOCKET)?;
        Ok(Self { socket, identifier })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        // Lost when the journal does not read: better than a daemon that waits for it.
        let _ = self.socket.send(&fields.datagram(self.identifier, *meta.level(), meta.target()));
    }
}

/// The fields of one event, as text.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Fields {
    fn datagram(&self, identifier: &str, level: Level, target: &str) -> Vec<u8> {
        let mut text = self.message.clone();
        for (name, value) in self.fields.iter().filter(|(name, _)| *name != MESSAGE_ID) {
            let _ = write!(text, " {name}={value}");
        }
        let mut datagram = Vec::new();
        put(&mut datagram, "MESSAGE", &text);
        put(&mut datagram, "PRIORITY", priority(level));
        put(&mut datagram, "SYSLOG_IDENTIFIER", identifier);
        put(&mut datagram, "SFHA_TARGET", target);
        for (name, value) in &self.fields {
            // systemd.journal-fields(7): what kind of message it is, without a prefix.
            let name = if *name == MESSAGE_ID { "MESSAGE_ID".to_owned() } else { journal_name(name) };
            put(&mut datagram, &name, value);
        }
        datagram
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.fields.push((field.name(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}");
        // `Some(x)` comes of fields that may be absent; absent ones do not come at all.
        self.record_str(field, &text);
    }
}

/// Syslog's priorities (syslog(3)).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

/// A field's name as the journal accepts it: capital letters, digits, underscores.
fn journal_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("SFHA_{}", name.chars().map(plain).collect::<String>())
}

/// `NAME=value`, or the form with a length where the value has a line break.
fn put(datagram: &mut Vec<u8>, name: &str, value: &str) {
    let end = (0..=value.len().min(MAX_TEXT)).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
    let value = &value.as_bytes()[..end];
    datagram.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        datagram.push(b'\n');
        datagram.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value);
    datagram.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_shows_every_field_and_each_is_a_field_too() {
        let fields =
            Fields { message: "vip".into(), fields: vec![("holder", "node2".into()), ("a.b", "x".into())] };
        let text = String::from_utf8(fields.datagram("sfhad", Level::WARN, "t")).unwrap();
        assert_eq!(
            text,
            "MESSAGE=vip holder=node2 a.b=x\nPRIORITY=4\nSYSLOG_IDENTIFIER=sfhad\nSFHA_TARGET=t\n\
             SFHA_HOLDER=node2\nSFHA_A_B=x\n"
        );
    }

    #[test]
    fn the_kind_of_a_message_is_a_field_of_the_journals_own_and_no_text() {
        let fields =
            Fields { message: "x".into(), fields: vec![("message_id", "8d".into()), ("vip", "w".into())] };
        let text = String::from_utf8(fields.datagram("sfhad", Level::INFO, "t")).unwrap();
        assert!(text.starts_with("MESSAGE=x vip=w\n") && text.contains("\nMESSAGE_ID=8d\n"), "{text}");
    }

    #[test]
    fn a_line_break_cannot_make_another_field() {
        let mut datagram = Vec::new();
        put(&mut datagram, "SFHA_X", "a\nPRIORITY=0");
        assert_eq!(datagram, b"SFHA_X\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n");
    }
}
