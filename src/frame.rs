//! A rendered change of a stream: one SSE block, made once, its bytes shared by every connection.

use bytes::Bytes;

use crate::notification::{Priority, Seq};

/// What filters look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A notification of this kind and priority.
    Notification {
        /// Its kind.
        kind: String,
        /// Its priority.
        priority: Priority,
    },
    /// A change of state: passes every filter.
    State,
}

/// All frames of one change: complete SSE blocks, the last of which carries `id:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The change's place in the user's log.
    pub seq: Seq,
    /// What filters look at.
    pub subject: Subject,
    /// The SSE text.
    pub bytes: Bytes,
}
