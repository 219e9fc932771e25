//! One JSON object a line: encode, decode, and the length limit.

use std::collections::VecDeque;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::MAX_LINE;

/// Why a line could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A line of more than [`MAX_LINE`] bytes; what it held was thrown away up to its newline.
    #[error("a line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// Not the JSON object that was expected here.
    #[error("not a valid message")]
    Malformed(#[source] serde_json::Error),
}

/// Encodes one message as a line, its newline included.
///
/// # Errors
/// Fails when `message` cannot be JSON, or would be longer than [`MAX_LINE`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    let mut line = serde_json::to_vec(message).map_err(CodecError::Malformed)?;
    line.push(b'\n');
    if line.len() > MAX_LINE { Err(CodecError::TooLong) } else { Ok(line) }
}

/// Decodes one line (with or without its newline).
///
/// # Errors
/// Fails when the line is not the JSON of a `T`.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, CodecError> {
    serde_json::from_slice(line).map_err(CodecError::Malformed)
}

/// Cuts a byte stream into lines and never holds more than [`MAX_LINE`] bytes of one line.
///
/// An overlong line is dropped up to its newline and reported once as [`CodecError::TooLong`];
/// what follows it is read as usual.
#[derive(Debug, Default)]
pub struct LineBuffer {
    partial: Vec<u8>,
    skipping: bool,
    ready: VecDeque<Result<Vec<u8>, ()>>,
}

impl LineBuffer {
    /// Takes bytes as they arrive.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (head, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            self.extend(head);
            if std::mem::take(&mut self.skipping) {
                self.partial.clear();
            } else {
                self.ready.push_back(Ok(std::mem::take(&mut self.partial)));
            }
        }
        self.extend(bytes);
    }

    fn extend(&mut self, bytes: &[u8]) {
        if self.skipping {
            return;
        }
        if self.partial.len() + bytes.len() + 1 > MAX_LINE {
            self.partial = Vec::new();
            self.skipping = true;
            self.ready.push_back(Err(()));
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    /// The next whole line, without its newline; `None` when more bytes are needed.
    pub fn next_line(&mut self) -> Option<Result<Vec<u8>, CodecError>> {
        self.ready.pop_front().map(|line| line.map_err(|()| CodecError::TooLong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
        let fits = "x".repeat(MAX_LINE - 3);
        assert_eq!(encode(&fits).unwrap().len(), MAX_LINE);
        let over = "x".repeat(MAX_LINE - 2);
        assert!(matches!(encode(&over), Err(CodecError::TooLong)));
    }

    #[test]
    fn an_overlong_line_costs_only_itself() {
        let mut buffer = LineBuffer::default();
        buffer.push(b"one\n");
        buffer.push(&vec![b'a'; MAX_LINE]);
        buffer.push(b"still the long one\ntwo\n");
        assert_eq!(buffer.next_line().unwrap().unwrap(), b"one");
        assert!(buffer.next_line().unwrap().is_err());
        assert_eq!(buffer.next_line().unwrap().unwrap(), b"two");
        assert!(buffer.next_line().is_none());
    }

    proptest! {
        #[test]
        fn lines_come_out_as_they_went_in_however_they_are_cut(
            lines in proptest::collection::vec("[a-z]{0,20}", 0..20), cut in 1usize..7,
        ) {
            let whole: Vec<u8> = lines.iter().flat_map(|l| format!("{l}\n").into_bytes()).collect();
            let mut buffer = LineBuffer::default();
            for piece in whole.chunks(cut) { buffer.push(piece); }
            let mut out = Vec::new();
            while let Some(line) = buffer.next_line() {
                out.push(String::from_utf8(line.unwrap()).unwrap());
            }
            prop_assert_eq!(out, lines);
        }
    }
}
