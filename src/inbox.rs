//! What a user does to the inbox: changes of state, written to the log and announced like publishes.

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    fanout::Fanout,
    notification::{Action, UserKey},
    store::{Change, Changed, Store, Unavailable},
};

/// Changes inboxes and tells everybody concerned; cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    store: Store,
    fanout: Fanout,
    tracker: TaskTracker,
}

impl Inbox {
    /// Over this store and this fan-out; work under way is tracked, so that a stop waits for it.
    pub fn new(store: Store, fanout: Fanout, tracker: TaskTracker) -> Self {
        Self { store, fanout, tracker }
    }

    /// Changes one item; none when the user has no such item. A change that changes nothing takes no seq.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn change(&self, key: &UserKey, id: Uuid, action: Action) -> Result<Option<Changed>, Unavailable> {
        self.apply(key, Change::One(id, action)).await
    }

    /// Marks everything as read that had arrived, in one change.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read_all(&self, key: &UserKey) -> Result<Changed, Unavailable> {
        self.apply(key, Change::ReadAll).await?.ok_or(Unavailable)
    }

    /// Runs on a task of its own: a caller that goes away between commit and announcement must not keep it from
    /// the user's other tabs.
    async fn apply(&self, key: &UserKey, change: Change) -> Result<Option<Changed>, Unavailable> {
        let (inbox, key) = (self.clone(), key.clone());
        let work = self.tracker.spawn(async move {
            let changed = inbox.store.change(&key, change).await?;
            if let Some(changed) = &changed {
                inbox.fanout.tell_change(&key, changed);
            }
            Ok(changed)
        });
        work.await.unwrap_or(Err(Unavailable))
    }
}
