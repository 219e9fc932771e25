//! The daemon's log as far as it was heard: the last lines, followed or looked through.

use std::collections::VecDeque;

use sfha_proto::message::LogLine;

/// Lines kept.
const KEPT: usize = 1000;

/// The last lines of the log.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    lines: VecDeque<LogLine>,
    /// Index of the selected line; `None` follows the end.
    cursor: Option<usize>,
}

impl Journal {
    /// Adds a line; a line that is looked at stays where it is.
    pub fn push(&mut self, line: LogLine) {
        self.lines.push_back(line);
        if self.lines.len() > KEPT {
            self.lines.pop_front();
            self.cursor = self.cursor.map(|at| at.saturating_sub(1));
        }
    }

    /// All lines, oldest first.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &LogLine> + DoubleEndedIterator {
        self.lines.iter()
    }

    /// A line by index.
    pub fn get(&self, at: usize) -> Option<&LogLine> {
        self.lines.get(at)
    }

    /// The end is followed.
    pub fn following(&self) -> bool {
        self.cursor.is_none()
    }

    /// Index of the selected line.
    pub fn current(&self) -> Option<usize> {
        self.cursor.or_else(|| self.lines.len().checked_sub(1))
    }

    /// Follows the end again.
    pub fn follow(&mut self) {
        self.cursor = None;
    }

    /// Moves the selection; at the end it follows.
    pub fn shift(&mut self, by: i32) {
        let Some(current) = self.current() else { return };
        let next = current.saturating_add_signed(isize::try_from(by).unwrap_or(0));
        self.cursor = (next + 1 < self.lines.len()).then_some(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: usize) -> LogLine {
        LogLine { time: String::new(), level: "INFO".into(), target: String::new(), message: n.to_string() }
    }

    #[test]
    fn a_line_that_is_looked_at_stays_while_others_come_and_go() {
        let mut journal = Journal::default();
        (0..KEPT).for_each(|n| journal.push(line(n)));
        journal.shift(-10);
        let looked_at = journal.get(journal.current().unwrap()).unwrap().message.clone();
        (0..50).for_each(|n| journal.push(line(KEPT + n)));
        assert_eq!(journal.lines().len(), KEPT);
        assert_eq!(journal.get(journal.current().unwrap()).unwrap().message, looked_at);
    }

    #[test]
    fn the_end_is_followed_until_one_moves_up_and_again_at_the_end() {
        let mut journal = Journal::default();
        journal.shift(-1);
        assert_eq!(journal.current(), None);
        (0..5).for_each(|n| journal.push(line(n)));
        assert!(journal.following());
        journal.shift(-1);
        assert_eq!((journal.following(), journal.current()), (false, Some(3)));
        journal.shift(1);
        assert!(journal.following());
    }
}
