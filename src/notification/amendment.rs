//! What a publisher changes of a publish that waits.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Priority;

/// What is to be another way; what is none stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Amendment {
    /// When it is delivered.
    pub deliver_at: Option<DateTime<Utc>>,
    /// How much it matters.
    pub priority: Option<Priority>,
    /// One line.
    pub title: Option<String>,
    /// The text below the title, or that there is none.
    pub message: Option<Option<String>>,
    /// What clients need, or that there is nothing.
    pub data: Option<Option<Value>>,
    /// Where a click leads, or that it leads nowhere.
    pub action_url: Option<Option<String>>,
    /// When it leaves inboxes.
    pub expires_at: Option<DateTime<Utc>>,
}
