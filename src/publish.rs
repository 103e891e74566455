//! The single write path: batch, append in one transaction, announce.

use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::notification::NewNotification;

/// What became of one publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The notification's id; of the first publish when this one repeated it.
    pub id: Uuid,
    /// How many inboxes it went to.
    pub recipients: usize,
    /// True when the idempotency key and the body were known already: nothing new was written.
    pub repeated: bool,
}

/// Why a publish was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The idempotency key was used with another body.
    #[error("the idempotency key was used before with another body")]
    KeyReused,
    /// Too many publishes wait; try again after this time.
    #[error("too many publishes are waiting")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store did not take it; nothing is known to be written, and a repeat with the same key is safe.
    #[error("the notification could not be stored")]
    Unavailable,
}

/// The handle to the write path; cheap to clone.
#[derive(Clone)]
pub struct Publisher {}

impl Publisher {
    /// Writes several publishes in one transaction, or fails as a whole; answers in the order given.
    ///
    /// # Errors
    /// [`Refused::Overloaded`] and [`Refused::Unavailable`] for all of them; `KeyReused` stands in its own place.
    pub async fn publish(&self, items: Vec<NewNotification>) -> Result<Vec<Result<Accepted, Refused>>, Refused> {
        let _ = items;
        Err(Refused::Unavailable)
    }
}
