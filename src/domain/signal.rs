//! Signals: ephemeral events on a topic or to a user. They are not stored, have no seq and may be dropped.
//!
//! Of signals with the same subject the newest counts: it replaces an older one that is not delivered yet.

use std::time::Duration;

use bytes::Bytes;

use crate::domain::{
    topic::Topic,
    user::{Tenant, UserKey},
};

/// The kind of the signals about users who joined and left: only the server sends it.
pub const PRESENCE: &str = "presence";
/// Most bytes of a signal's key.
pub const KEY_BYTES: usize = 200;

/// A topic within a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicKey {
    /// The tenant.
    pub tenant: Tenant,
    /// The topic within it.
    pub topic: Topic,
}

/// Whom a signal is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// The open streams of one user.
    User(UserKey),
    /// The open streams of the topic's subscribers.
    Topic(TopicKey),
}

impl Address {
    /// The tenant that it never leaves.
    pub fn tenant(&self) -> &Tenant {
        match self {
            Self::User(key) => &key.tenant,
            Self::Topic(key) => &key.tenant,
        }
    }
}

/// The subject of a signal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// Whom it is for.
    pub to: Address,
    /// The kind, by which filters choose.
    pub kind: Box<str>,
    /// Which of the things of that kind; often empty.
    pub key: Box<str>,
}

/// A signal, rendered once by the instance that took it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// The subject.
    pub subject: Subject,
    /// The least time between two of this subject on one instance; whole milliseconds.
    pub interval: Duration,
    /// When it was taken in, microseconds since 1970. The bus that keeps the last values of subjects sets it, so that it rises
    /// with every one of a subject.
    pub sent_at: u64,
    /// The SSE text.
    pub bytes: Bytes,
}
