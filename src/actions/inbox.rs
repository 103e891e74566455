//! Changes of the state of inbox items, written to the log and announced like publishes.

use std::slice;

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    actions::to_completion,
    domain::{
        cursor::{Cursor, Seq},
        notification::Action,
        user::UserKey,
    },
    live::announce::Announcer,
    store::{Changed, Filter, Head, NotChanged, Store, Unavailable},
};

/// Changes inboxes and announces it; cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    store: Store,
    announcer: Announcer,
    tracker: TaskTracker,
}

/// Why a bulk change was not begun, or broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BulkRefused {
    /// The cursor is not of this stream.
    #[error("is of another stream, or of before a reset: list the inbox for a new one")]
    OtherStream,
    /// The stream has not come so far.
    #[error("is ahead of the stream")]
    Ahead,
    /// The database does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Inbox {
    /// A stop waits for changes that are tracked.
    pub fn new(store: Store, announcer: Announcer, tracker: TaskTracker) -> Self {
        Self { store, announcer, tracker }
    }

    /// Changes one item. A change that changes nothing takes no seq.
    ///
    /// # Errors
    /// As [`Store::change`].
    pub async fn change(&self, key: &UserKey, id: Uuid, action: Action) -> Result<Changed, NotChanged> {
        let (inbox, key) = (self.clone(), key.clone());
        to_completion::run(&self.tracker, async move {
            let changed = inbox.store.change(&key, id, action).await?;
            inbox.announcer.announce_change(&key, &changed);
            Ok(changed)
        })
        .await
    }

    /// Acknowledges or finishes a due item, for all its recipients.
    ///
    /// # Errors
    /// As [`Store::settle`].
    pub async fn settle(&self, key: &UserKey, id: Uuid, action: Action) -> Result<Changed, NotChanged> {
        let (inbox, key) = (self.clone(), key.clone());
        to_completion::run(&self.tracker, async move {
            let changed = inbox.store.settle(&key, id, action).await?;
            inbox.announcer.announce_change(&key, &changed);
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
        to_completion::run(&self.tracker, async move {
            let changed = inbox.store.end_snooze(&key, id).await?;
            let Cursor { epoch, seq } = changed.cursor.clone();
            inbox.announcer.announce_heads(vec![Head { key, epoch, seq }]);
            Ok(changed)
        })
        .await
    }

    /// Marks everything as read that had arrived, or had arrived by the cursor: in one change, or in several when it is so much
    /// that the stream would be locked for long.
    ///
    /// # Errors
    /// When the cursor is not of this stream's past, and when the database does not answer; items that were marked until then stay so.
    pub async fn read_all(&self, key: &UserKey, before: Option<Cursor>) -> Result<Changed, BulkRefused> {
        let (inbox, key) = (self.clone(), key.clone());
        to_completion::run(&self.tracker, async move {
            let last = if before.is_some() { inbox.last_seq(&key, before).await? } else { Seq::MAX };
            let mut all = inbox.read_oldest(&key, last).await?;
            let until = last.min(all.cursor.seq);
            let mut full = all.is_full();
            while full {
                let next = inbox.read_oldest(&key, until).await?;
                full = next.is_full();
                all.follow(next);
            }
            Ok(all)
        })
        .await
    }

    /// Does an action to all items that match, in one change or in several. With a cursor an item must match as it was at the cursor,
    /// without one as it is now.
    ///
    /// # Errors
    /// When the cursor is not of this stream's past, and when the database does not answer; items that were changed until then stay so.
    pub async fn change_matching(
        &self,
        key: &UserKey,
        filter: Filter,
        before: Option<Cursor>,
        action: Action,
    ) -> Result<Changed, BulkRefused> {
        let (inbox, key) = (self.clone(), key.clone());
        to_completion::run(&self.tracker, async move {
            let until = inbox.last_seq(&key, before).await?;
            let (mut all, mut next) = inbox.change_some(&key, &filter, until + 1, action).await?;
            while let Some(before) = next {
                let more;
                (more, next) = inbox.change_some(&key, &filter, before, action).await?;
                all.follow(more);
            }
            // The answer lists items oldest first, but the changes went from the newest to the oldest.
            all.rows.sort_unstable_by_key(|row| row.seq);
            Ok(all)
        })
        .await
    }

    /// The last arrival that a bulk change is about.
    async fn last_seq(&self, key: &UserKey, before: Option<Cursor>) -> Result<Seq, BulkRefused> {
        let head = self.store.heads(slice::from_ref(key)).await?.pop();
        match (before, head) {
            (None, head) => Ok(head.map_or(0, |head| head.seq)),
            (Some(cursor), Some(head)) if cursor.epoch == head.epoch && cursor.seq <= head.seq => Ok(cursor.seq),
            (Some(cursor), Some(head)) if cursor.epoch == head.epoch => Err(BulkRefused::Ahead),
            (Some(_), _) => Err(BulkRefused::OtherStream),
        }
    }

    async fn change_some(
        &self,
        key: &UserKey,
        filter: &Filter,
        before: Seq,
        action: Action,
    ) -> Result<(Changed, Option<Seq>), Unavailable> {
        let (changed, next) = self.store.change_matching(key, filter, before, action).await?;
        self.announcer.announce_change(key, &changed);
        Ok((changed, next))
    }

    async fn read_oldest(&self, key: &UserKey, until: Seq) -> Result<Changed, Unavailable> {
        let changed = self.store.read_oldest(key, until).await?;
        self.announcer.announce_change(key, &changed);
        Ok(changed)
    }
}
