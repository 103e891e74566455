//! The words of the domain: tenants, users, cursors, priorities and notifications.
//!
//! Everything here is parsed once at an edge and trusted afterwards; nothing here does IO.

use std::{fmt, str::FromStr, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::audience::{Audience, Reason};

/// A position in one user's log, counted from 1 without gaps; 0 is before the first change.
pub type Seq = i64;

/// Most bytes of a user's id.
pub const USER_ID_BYTES: usize = 256;
/// Most bytes of a cursor: a longer `Last-Event-ID` would force a CORS preflight on every reconnect.
pub const CURSOR_BYTES: usize = 127;
/// Most bytes of `kind` and `category`.
pub const KIND_BYTES: usize = 64;

/// Why a text is not what its type wants; the message is fit for an API answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// The outermost scope: `[A-Za-z0-9_-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tenant {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            return Err(Malformed("a tenant is 1 to 64 characters of A-Z, a-z, 0-9, _ and -"));
        }
        Ok(Self(text.into()))
    }
}

/// A recipient within a tenant: an opaque text of 1 to [`USER_ID_BYTES`] bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(Arc<str>);

impl UserId {
    /// The id as the token or the publisher wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() || text.len() > USER_ID_BYTES {
            return Err(Malformed("a user's id is 1 to 256 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(Malformed("a user's id holds no control characters"));
        }
        Ok(Self(text.into()))
    }
}

/// Gives a text type its way through serde: written as the text, parsed when read.
macro_rules! as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = Malformed;

            fn try_from(text: String) -> Result<Self, Malformed> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }
    };
}
pub(crate) use as_text;
as_text!(Tenant);
as_text!(UserId);

/// Whose inbox and stream: a user within a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserKey {
    /// The tenant, from the token.
    pub tenant: Tenant,
    /// The user within it.
    pub user: UserId,
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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

/// How much a notification matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Nobody need be interrupted.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Worth an interruption.
    High,
    /// Must be seen.
    Critical,
}

impl Priority {
    /// As stored and announced: 0 (low) to 3 (critical).
    pub fn rank(self) -> i16 {
        self as i16
    }

    /// The priority of a stored rank; an unknown rank counts as medium.
    pub fn from_rank(rank: i16) -> Self {
        match rank {
            0 => Self::Low,
            2 => Self::High,
            3 => Self::Critical,
            _ => Self::Medium,
        }
    }
}

impl FromStr for Priority {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text {
            "low" => Ok(Self::Low),
            "medium" => Ok(Self::Medium),
            "high" => Ok(Self::High),
            "critical" => Ok(Self::Critical),
            _ => Err(Malformed("one of low, medium, high, critical")),
        }
    }
}

/// What a notification says: written once per publish, the same for every recipient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// What happened, e.g. `payment_received`.
    pub kind: String,
    /// The group of kinds that a user sets preferences for.
    pub category: Option<String>,
    /// How much it matters.
    pub priority: Priority,
    /// One line.
    pub title: String,
    /// The text below the title.
    pub message: Option<String>,
    /// Whatever the publisher's clients need.
    pub data: Option<Value>,
    /// Where a click leads.
    pub action_url: Option<String>,
}

/// A notification as it is stored, the same for every recipient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Its id (`UUIDv7`).
    pub id: Uuid,
    /// What it says.
    pub content: Content,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// When it leaves inboxes by itself.
    pub expires_at: DateTime<Utc>,
}

/// One item of one inbox with that user's state.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxItem {
    /// The notification's id (`UUIDv7`).
    pub id: Uuid,
    /// When it arrived, as a position in the user's log.
    pub seq: Seq,
    /// What it says.
    pub content: Content,
    /// Why it is there.
    pub reason: Reason,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// When it leaves the inbox by itself.
    pub expires_at: DateTime<Utc>,
    /// When the user read it.
    pub read_at: Option<DateTime<Utc>>,
    /// When the user archived it.
    pub archived_at: Option<DateTime<Utc>>,
}

/// An item's state, as the stream tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemState {
    /// The notification.
    pub id: Uuid,
    /// When it arrived.
    pub seq: Seq,
    /// Read.
    pub read: bool,
    /// Put away.
    pub archived: bool,
    /// Removed.
    pub deleted: bool,
}

/// Where a publish came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// `POST /api/notifications` and its batch form.
    Http,
    /// A Redis pub/sub channel.
    Channel,
    /// The Redis stream.
    Stream,
}

impl Source {
    /// As stored and as the metrics label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Channel => "channel",
            Self::Stream => "stream",
        }
    }
}

/// A validated publish, ready for the write path.
#[derive(Debug, Clone)]
pub struct NewNotification {
    /// Chosen before the write, so that a retried write is recognised.
    pub id: Uuid,
    /// From the token or the channel, never from the body.
    pub tenant: Tenant,
    /// Whom it names: none twice, at least one unless it has an audience.
    pub users: Vec<UserId>,
    /// Whom it is for besides.
    pub audience: Audience,
    /// What it says; shared, because a way in keeps it until it is stored.
    pub content: Arc<Content>,
    /// The publisher's own name for this publish, unique within the tenant.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the canonical body: tells a repeated publish from a reused key.
    pub fingerprint: [u8; 32],
    /// When it is to leave inboxes; none means the server's retention.
    pub expires_at: Option<DateTime<Utc>>,
    /// Where it came in.
    pub source: Source,
}

/// What a user does to items of the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Mark as read.
    Read,
    /// Mark as not read.
    Unread,
    /// Put away; archived items do not count as unread.
    Archive,
    /// Remove.
    Delete,
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

    #[test]
    fn tenants_and_users_hold_to_their_bounds() {
        assert!("acme_1-x".parse::<Tenant>().is_ok());
        for text in ["", "a b", "a:b", "ä", &"a".repeat(65)] {
            assert!(text.parse::<Tenant>().is_err(), "{text:?}");
        }
        assert!("a:b/c{d}*?[]\u{1f600} e".parse::<UserId>().is_ok());
        for text in ["", "a\nb", "a\u{0}", "a\u{85}", &"a".repeat(257)] {
            assert!(text.parse::<UserId>().is_err(), "{text:?}");
        }
    }
}
