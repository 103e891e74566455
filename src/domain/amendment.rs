//! What a publisher changes of a publish that waits.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::priority::Priority;

/// What is to become of something that may be absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is to be absent.
    Clear,
    /// It is to be this.
    To(T),
}

impl<T> Change<T> {
    /// What it is to be, if anything new.
    pub fn new_value(&self) -> Option<&T> {
        if let Self::To(value) = self { Some(value) } else { None }
    }

    /// What it is from now on.
    pub fn apply(&self, before: Option<T>) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::To(value) => Some(value.clone()),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    /// Null clears; what is absent has to default to [`Change::Keep`].
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(json)?.map_or(Self::Clear, Self::To))
    }
}

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
    pub message: Change<String>,
    /// What clients need, or that there is nothing.
    pub data: Change<Value>,
    /// Where a click leads, or that it leads nowhere.
    pub action_url: Change<String>,
    /// When it leaves inboxes.
    pub expires_at: Option<DateTime<Utc>>,
}
