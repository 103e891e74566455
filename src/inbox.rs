//! What a user does to the inbox: changes of state, written to the log and announced like publishes.

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    fanout::Fanout,
    notification::{Action, Cursor, Seq, UserKey},
    store::{Changed, Head, NotChanged, Store, Unavailable},
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

    /// Changes one item. A change that changes nothing takes no seq.
    ///
    /// # Errors
    /// As [`Store::change`].
    pub async fn change(&self, key: &UserKey, id: Uuid, action: Action) -> Result<Changed, NotChanged> {
        let (inbox, key) = (self.clone(), key.clone());
        self.see_through(async move {
            let changed = inbox.store.change(&key, id, action).await?;
            inbox.fanout.tell_change(&key, &changed);
            Ok(changed)
        })
        .await
    }

    /// Acknowledges or finishes what is due about an item, for all who have it.
    ///
    /// # Errors
    /// As [`Store::settle`].
    pub async fn settle(&self, key: &UserKey, id: Uuid, action: Action) -> Result<Changed, NotChanged> {
        let (inbox, key) = (self.clone(), key.clone());
        self.see_through(async move {
            let changed = inbox.store.settle(&key, id, action).await?;
            inbox.fanout.tell_change(&key, &changed);
            Ok(changed)
        })
        .await
    }

    /// Brings a snoozed item back now.
    ///
    /// # Errors
    /// As [`Store::end_snooze`].
    pub async fn end_snooze(&self, key: &UserKey, id: Uuid) -> Result<Changed, NotChanged> {
        let (inbox, key) = (self.clone(), key.clone());
        self.see_through(async move {
            let changed = inbox.store.end_snooze(&key, id).await?;
            let Cursor { epoch, seq } = changed.cursor.clone();
            inbox.fanout.tell_heads(vec![Head { key, epoch, seq }]);
            Ok(changed)
        })
        .await
    }

    /// Marks everything as read that had arrived: in one change, or in several when it is so much that the stream would
    /// be locked for long.
    ///
    /// # Errors
    /// When the database does not answer; what was marked until then stays so.
    pub async fn read_all(&self, key: &UserKey) -> Result<Changed, Unavailable> {
        let (inbox, key) = (self.clone(), key.clone());
        self.see_through(async move {
            let mut all = inbox.read_oldest(&key, Seq::MAX).await?;
            let until = all.cursor.seq;
            let mut full = all.is_full();
            while full {
                let next = inbox.read_oldest(&key, until).await?;
                full = next.is_full();
                all.rows.extend(next.rows);
                (all.unread, all.cursor) = (next.unread, next.cursor);
            }
            Ok(all)
        })
        .await
    }

    async fn read_oldest(&self, key: &UserKey, until: Seq) -> Result<Changed, Unavailable> {
        let changed = self.store.read_oldest(key, until).await?;
        self.fanout.tell_change(key, &changed);
        Ok(changed)
    }

    /// Runs on a task of its own: a caller that goes away between commit and announcement must not keep it from
    /// the user's other tabs.
    async fn see_through<T: Send + 'static, E: From<Unavailable> + Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        self.tracker.spawn(work).await.unwrap_or_else(|_| Err(Unavailable.into()))
    }
}
