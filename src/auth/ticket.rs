//! One-time tickets: a browser's `EventSource` sends one instead of a token, because it cannot set a header.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Bytes of randomness of a ticket.
const TICKET_BYTES: usize = 32;
/// Characters of its text.
const TICKET_TEXT: usize = 43;

/// A fresh ticket: its text goes to the client, its hash to the store.
#[derive(Clone)]
pub struct Ticket {
    /// 43 characters of `A-Z a-z 0-9 - _`; a secret until it is redeemed.
    pub text: String,
    /// SHA-256 of the text.
    pub hash: [u8; 32],
}

impl Ticket {
    /// A ticket of 256 random bits, which cannot be guessed.
    pub fn random() -> Self {
        let bytes: [u8; TICKET_BYTES] = rand::random();
        let text = URL_SAFE_NO_PAD.encode(bytes);
        Self { hash: Sha256::digest(&text).into(), text }
    }

    /// The hash to look a client's ticket up by; none for a text that is no ticket.
    pub fn hash_of(text: &str) -> Option<[u8; 32]> {
        let shape = text.len() == TICKET_TEXT && URL_SAFE_NO_PAD.decode(text).is_ok();
        shape.then(|| Sha256::digest(text).into())
    }
}
