//! Text on a stream: colour where it is wanted, aligned tables, and no panic on a closed pipe.

use std::io::{self, IsTerminal, Write};

use unicode_width::UnicodeWidthStr;

use crate::words::{self, Tone};

/// What a stream can show.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    /// ANSI colours.
    pub colour: bool,
    /// Signs outside ASCII.
    pub utf8: bool,
}

impl Paint {
    /// What standard output can show.
    pub fn stdout() -> Self {
        Self { colour: coloured(&io::stdout()), utf8: utf8() }
    }

    /// What standard error can show.
    pub fn stderr() -> Self {
        Self { colour: coloured(&io::stderr()), utf8: utf8() }
    }

    /// The text in the colour of `tone`.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Good => self.code("32", text),
            Tone::Plain => text.to_owned(),
            Tone::Dim => self.code("2", text),
            Tone::Warn => self.code("33", text),
            Tone::Bad => self.code("31", text),
        }
    }

    /// The text in bold.
    pub fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    /// The mark of `tone`, coloured.
    pub fn mark(self, tone: Tone) -> String {
        self.tone(tone, words::mark(tone, self.utf8))
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn coloured(stream: &impl IsTerminal) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The locale's character set is UTF-8.
pub fn utf8() -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            value.ends_with("utf-8") || value.ends_with("utf8")
        })
}

/// Writes to standard output. A reader who has left is no error: there is nothing more to do.
pub fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    if let Err(error) = written {
        let quiet = error.kind() == io::ErrorKind::BrokenPipe;
        std::process::exit(i32::from(!quiet));
    }
}

/// Writes a line to standard error, if anybody reads it.
pub fn err(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{text}");
}

/// Rows of aligned columns.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<(Tone, String)>>,
    right: Vec<usize>,
    header: bool,
}

impl Table {
    /// A table whose columns have these titles.
    pub fn titled(titles: &[String]) -> Self {
        let titles = titles.iter().map(|title| (Tone::Dim, title.clone())).collect();
        Self { rows: vec![titles], right: Vec::new(), header: true }
    }

    /// A table without titles.
    pub fn bare() -> Self {
        Self::default()
    }

    /// Columns that are aligned to the right.
    pub fn right(mut self, columns: &[usize]) -> Self {
        self.right = columns.to_vec();
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<(Tone, String)>) {
        self.rows.push(cells);
    }

    /// Whether it has no row besides its titles.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == usize::from(self.header)
    }

    /// The lines, each ended.
    pub fn render(&self, paint: Paint) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|(_, text)| text.width())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut lines = String::new();
        for row in &self.rows {
            let mut line = String::new();
            let mut plain = 0;
            for (column, (tone, text)) in row.iter().enumerate() {
                let pad = " ".repeat(widths[column] - text.width());
                let cell = paint.tone(*tone, text);
                if column > 0 {
                    line.push_str(if column == 1 && widths[0] == 1 { " " } else { "  " });
                }
                if self.right.contains(&column) {
                    line.push_str(&pad);
                    line.push_str(&cell);
                } else {
                    line.push_str(&cell);
                    line.push_str(&pad);
                }
                plain += text.len();
            }
            if plain > 0 {
                lines.push_str(line.trim_end());
                lines.push('\n');
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_people_see() {
        let mut table = Table::titled(&["NŒUD".into(), "ID".into(), "ÉTAT".into()]).right(&[1]);
        table.row(vec![(Tone::Plain, "a".into()), (Tone::Plain, "12".into()), (Tone::Good, "prêt".into())]);
        let plain = Paint { colour: false, utf8: true };
        assert_eq!(table.render(plain), "NŒUD  ID  ÉTAT\na     12  prêt\n");
        let colour = Paint { colour: true, utf8: true };
        assert!(table.render(colour).contains("\x1b[32mprêt\x1b[0m\n"));
    }
}
