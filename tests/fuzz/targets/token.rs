//! `sfha-join://…`: damaged in any way, it is refused; what is accepted reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sfha_core::token::{InviteKey, MAX_LENGTH, Token, verify};

fuzz_target!(|text: &str| {
    if let Ok(token) = Token::decode(text) {
        assert_eq!(Token::decode(&token.encode()).as_ref(), Ok(&token));
        let _ = token.check_expiry(0);
        assert!(!verify(&token.claims, &token.signature, b"another cluster's secret"));
    }
    // What is inside, without the checksum in the way.
    if let Ok(token) = serde_json::from_str::<Token>(text) {
        let whole = Token::new(token.claims, InviteKey::new(token.invite_key.reveal().into()), b"secret");
        let encoded = whole.encode();
        if encoded.len() > MAX_LENGTH {
            assert!(Token::decode(&encoded).is_err());
        } else {
            assert_eq!(Token::decode(&encoded).as_ref(), Ok(&whole));
        }
        assert!(verify(&whole.claims, &whole.signature, b"secret"));
    }
});
