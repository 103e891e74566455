//! What a user does to the inbox: changes of state, written to the log and announced like publishes.

use uuid::Uuid;

use crate::{
    notification::{Action, UserKey},
    store::{Changed, Unavailable},
};

/// Changes inboxes and tells all instances; cheap to clone.
#[derive(Clone)]
pub struct Inbox {}

impl Inbox {
    /// Changes one item; none when the user has no such item. A change that changes nothing takes no seq.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn change(&self, key: &UserKey, id: Uuid, action: Action) -> Result<Option<Changed>, Unavailable> {
        let _ = (key, id, action);
        Err(Unavailable(String::new()))
    }

    /// Marks everything as read that had arrived, in one change.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read_all(&self, key: &UserKey) -> Result<Changed, Unavailable> {
        let _ = key;
        Err(Unavailable(String::new()))
    }
}
