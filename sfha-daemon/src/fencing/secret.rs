//! Texts that nobody is to see.

use std::fmt;
use std::path::Path;

use sfha_proto::Failure;
use zeroize::Zeroizing;

use crate::files;

/// A text that is wiped when it is dropped, and that does not print.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes it over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Reads a file that only its owner can read; space around the text is not part of it.
    ///
    /// # Errors
    /// `file-mode`; `file-invalid`, also when it is not there or empty.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = files::read_secret(path)?.ok_or_else(|| files::invalid(path, "missing"))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| files::invalid(path, "not UTF-8"))?.trim();
        if text.is_empty() {
            return Err(files::invalid(path, "empty"));
        }
        Ok(Self::new(text.to_owned()))
    }

    /// Reads a file of such texts, a name and a text a line, with that character between them; empty lines and
    /// those that begin with `#` do not count.
    ///
    /// # Errors
    /// As [`Self::read`], with the line.
    pub fn read_pairs(path: &Path, between: char) -> Result<Vec<(String, Self)>, Failure> {
        let whole = Self::read(path)?;
        let mut pairs = Vec::new();
        for (index, line) in whole.expose().lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let pair = line.split_once(between);
            let (name, text) =
                pair.ok_or_else(|| files::invalid_at(path, index + 1, &format!("no '{between}'")))?;
            pairs.push((name.trim().to_owned(), Self::new(text.trim().to_owned())));
        }
        Ok(pairs)
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sfha_proto::ErrorCode;

    #[test]
    fn a_secret_is_read_only_from_a_file_that_others_cannot_read_and_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert_eq!(Secret::read(&path).unwrap_err().code, ErrorCode::FileInvalid);
        files::write_atomic(&path, b" hush \n", 0o644).unwrap();
        assert_eq!(Secret::read(&path).unwrap_err().code, ErrorCode::FileMode);
        files::write_atomic(&path, b" hush \n", 0o600).unwrap();
        let secret = Secret::read(&path).unwrap();
        assert_eq!(secret.expose(), "hush");
        assert_eq!(format!("{secret:?}"), "Secret");
        files::write_atomic(&path, b"\n", 0o600).unwrap();
        assert_eq!(Secret::read(&path).unwrap_err().code, ErrorCode::FileInvalid);
    }

    #[test]
    fn pairs_are_read_by_the_line_and_a_wrong_line_is_named_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        files::write_atomic(&path, b"# for the PDU\nX-Key: a:b\n\npassword : hush\n", 0o600).unwrap();
        let pairs = Secret::read_pairs(&path, ':').unwrap();
        let shown: Vec<_> = pairs.iter().map(|(name, text)| (name.as_str(), text.expose())).collect();
        assert_eq!(shown, [("X-Key", "a:b"), ("password", "hush")]);
        files::write_atomic(&path, b"a: b\nhush\n", 0o600).unwrap();
        let failure = Secret::read_pairs(&path, ':').unwrap_err();
        assert_eq!(failure.details["line"], 2);
        assert!(!failure.to_string().contains("hush"));
    }
}
