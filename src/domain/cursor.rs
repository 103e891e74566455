//! Positions in a user's log.

use std::{fmt, str::FromStr, sync::Arc};

use super::text::Malformed;

/// A position in one user's log, counted from 1 without gaps; 0 is before the first change.
pub type Seq = i64;

/// Most bytes of a cursor: a longer `Last-Event-ID` would force a CORS preflight on every reconnect.
pub const CURSOR_BYTES: usize = 127;

/// A stream's incarnation: short random text. Cursors of another epoch mean nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// The epoch's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Epoch {
    /// Takes an epoch as the store keeps it.
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// A client's position: `epoch.seq`, opaque to clients, the SSE event id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The stream's incarnation.
    pub epoch: Epoch,
    /// The last change seen.
    pub seq: Seq,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.as_str(), self.seq)
    }
}

impl FromStr for Cursor {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        const WRONG: Malformed = Malformed("not a cursor of this server");
        if text.len() > CURSOR_BYTES {
            return Err(WRONG);
        }
        let (epoch, seq) = text.rsplit_once('.').ok_or(WRONG)?;
        let digits = !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit());
        if epoch.is_empty() || !epoch.bytes().all(|byte| byte.is_ascii_alphanumeric()) || !digits {
            return Err(WRONG);
        }
        let seq = seq.parse().map_err(|_| WRONG)?;
        Ok(Self { epoch: Epoch(epoch.into()), seq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(epoch in "[a-z0-9]{1,20}", seq in 0_i64..) {
            let cursor = Cursor { epoch: Epoch::from(epoch), seq };
            let text = cursor.to_string();
            prop_assert!(text.len() <= CURSOR_BYTES);
            prop_assert_eq!(text.parse::<Cursor>().unwrap(), cursor);
        }

        #[test]
        fn no_text_makes_the_cursor_parser_panic(text in ".*") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert!(cursor.seq >= 0);
            }
        }
    }

    #[test]
    fn foreign_texts_are_no_cursors() {
        for text in ["", ".", "a.", ".1", "a.-1", "a.+1", "a b.1", "a.1\n", "a.99999999999999999999", &"a".repeat(200)]
        {
            assert!(text.parse::<Cursor>().is_err(), "{text:?}");
        }
    }
}
