//! The control socket: bytes in any pieces become the same lines, and lines become requests or errors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sfha_proto::codec::{LineBuffer, decode};
use sfha_proto::message::Request;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let mut whole = LineBuffer::default();
    whole.push(bytes);
    let mut pieces = LineBuffer::default();
    bytes.chunks(usize::from(size).max(1)).for_each(|piece| pieces.push(piece));
    loop {
        match (whole.next_line(), pieces.next_line()) {
            (None, None) => break,
            (Some(Ok(line)), Some(Ok(same))) => {
                assert_eq!(line, same);
                let _ = decode::<Request>(&line);
            }
            (Some(Err(_)), Some(Err(_))) => {}
            (left, right) => panic!("{left:?} and {right:?}"),
        }
    }
});
