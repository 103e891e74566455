//! Everything that is kept: Diesel lives here and nowhere else. One file per table or family of queries.

pub mod revocations;
mod schema;
pub mod tickets;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    auth::{Identity, Target},
    notification::{Cursor, InboxItem, Priority, Seq, Tenant, UserKey},
};

/// Handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store {}

/// The store could not answer: the cause is logged, callers say "unavailable".
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer: {0}")]
pub struct Unavailable(pub String);

/// Which items of an inbox to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Most items (validated by the caller).
    pub limit: i64,
    /// Items skipped from the newest; exclusive with `before`.
    pub offset: i64,
    /// Only items that arrived before this seq: what a page token carries.
    pub before: Option<Seq>,
    /// Only unread ones.
    pub unread_only: bool,
    /// Only this category.
    pub category: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this priority.
    pub priority: Option<Priority>,
}

/// One page of an inbox, all of it from one snapshot.
#[derive(Debug, Clone)]
pub struct InboxPage {
    /// Newest first, without archived and deleted ones.
    pub items: Vec<InboxItem>,
    /// All items that match the filter.
    pub total: i64,
    /// The user's authoritative count, whatever the filter.
    pub unread: i64,
    /// Whether older items follow.
    pub has_more: bool,
    /// The stream's position of this answer.
    pub cursor: Cursor,
}

/// The answer to a change of state.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The items that really changed, oldest first.
    pub ids: Vec<Uuid>,
    /// The user's count after it.
    pub unread: i64,
    /// The stream's position after it.
    pub cursor: Cursor,
}

impl Store {
    /// Lists an inbox.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self, key: &UserKey, query: &ListQuery) -> Result<InboxPage, Unavailable> {
        let _ = (key, query);
        Err(Unavailable(String::new()))
    }

    /// One item, none when the user has none of that id (deleted ones included).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn item(&self, key: &UserKey, id: Uuid) -> Result<Option<InboxItem>, Unavailable> {
        let _ = (key, id);
        Err(Unavailable(String::new()))
    }

    /// The user's unread count.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unread(&self, key: &UserKey) -> Result<i64, Unavailable> {
        let _ = key;
        Err(Unavailable(String::new()))
    }

    /// The database's clock.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn now(&self) -> Result<DateTime<Utc>, Unavailable> {
        Err(Unavailable(String::new()))
    }

    /// Makes a one-time ticket for a stream of this caller.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn issue_ticket(&self, identity: &Identity) -> Result<String, Unavailable> {
        let _ = identity;
        Err(Unavailable(String::new()))
    }

    /// Takes a ticket; none when it is unknown, used or expired.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn redeem_ticket(&self, ticket: &str) -> Result<Option<Identity>, Unavailable> {
        let _ = ticket;
        Err(Unavailable(String::new()))
    }

    /// Writes a revocation down, to be forgotten after `until` (none: after the longest life of a token).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn revoke(
        &self,
        tenant: &Tenant,
        target: &Target,
        until: Option<DateTime<Utc>>,
    ) -> Result<(), Unavailable> {
        let _ = (tenant, target, until);
        Err(Unavailable(String::new()))
    }
}
