//! The archive that a kernel unpacks into its first file system: cpio in the `newc` format (cpio(5)).

use std::io::{self, Write};

const FOLDER: u32 = 0o04_0755;
const PROGRAM: u32 = 0o10_0755;
const LAST: &str = "TRAILER!!!";

/// Writes an archive; [`finish`](Self::finish) completes it.
#[derive(Debug)]
pub(crate) struct Archive<W> {
    to: W,
    entries: u32,
}

impl<W: Write> Archive<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to, entries: 0 }
    }

    /// A folder; the one it is in comes first.
    pub(crate) fn folder(&mut self, path: &str) -> io::Result<()> {
        self.entry(path, FOLDER, &[])
    }

    /// A file that everybody may read and execute.
    pub(crate) fn file(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.entry(path, PROGRAM, content)
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.entry(LAST, 0, &[])?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.entries += 1;
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        let name_length = u32::try_from(path.len() + 1).map_err(io::Error::other)?;
        // Inode, mode, owner, group, links, time, length, device twice, special file's device twice, length of
        // the name, checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0];
        let mut header = String::from("070701");
        for field in fields {
            header += &format!("{field:08x}");
        }
        self.to.write_all(header.as_bytes())?;
        self.to.write_all(path.as_bytes())?;
        self.pad(header.len() + path.len(), 1)?;
        self.to.write_all(content)?;
        self.pad(content.len(), 0)
    }

    /// At least that many zeros, up to a multiple of four.
    fn pad(&mut self, written: usize, at_least: usize) -> io::Result<()> {
        let zeros = (written + at_least).next_multiple_of(4) - written;
        self.to.write_all(&[0; 4][..zeros])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents_begin_at_multiples_of_four() {
        for name in ["a", "ab", "abc", "abcd", "abcde"] {
            let mut archive = Archive::new(Vec::new());
            archive.folder(name).unwrap();
            archive.file("f", b"12345").unwrap();
            let bytes = archive.finish().unwrap();
            let starts: Vec<_> = bytes.windows(6).enumerate().filter(|(_, six)| six == b"070701").collect();
            assert_eq!(starts.len(), 3);
            assert!(starts.iter().all(|(at, _)| at % 4 == 0), "{name}: {starts:?}");
            let content = bytes.windows(5).position(|five| five == b"12345").unwrap();
            assert_eq!(content, starts[1].0 + (110 + 2_usize).next_multiple_of(4));
        }
    }
}
