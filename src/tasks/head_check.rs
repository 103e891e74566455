//! The head check: finds announcements that the bus lost, by one query for many users. While the bus is down it is the only way
//! by which publishes of other instances arrive, so it runs every second.

use std::{collections::HashMap, time::Duration};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    actions::refresh::Refresh,
    domain::{cursor::Cursor, user::UserKey},
    live::hub::Hub,
    metrics,
    store::{Head, Store, Unavailable, Witness},
};

/// Users of one query.
const USERS: usize = 1_000;
/// How long an announcement may still be under way before it counts as lost.
const UNDER_WAY: Duration = Duration::from_millis(250);

/// Checks heads; cheap to clone.
#[derive(Clone)]
pub(crate) struct HeadCheck {
    hub: Hub,
    store: Store,
    refresh: Refresh,
}

impl HeadCheck {
    /// Checks each time `refresh` says so.
    pub(crate) fn new(hub: Hub, store: Store, refresh: Refresh) -> Self {
        Self { hub, store, refresh }
    }

    /// Asks for a check now: anything may have been missed.
    pub(crate) fn hurry(&self) {
        self.refresh.note_change();
    }

    /// Checks until the stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        self.refresh.run(stop, || self.check()).await;
    }

    async fn check(&self) -> Result<(), Unavailable> {
        let users = self.hub.users();
        for chunk in users.chunks(USERS) {
            let known: HashMap<&UserKey, Cursor> =
                chunk.iter().filter_map(|key| Some((key, self.hub.head(key)?))).collect();
            // The hub is asked after the store: a head that was announced in between does not count as lost.
            let heads = self.store.heads(chunk).await?;
            for (head, cursor) in
                heads.iter().filter_map(|head| Some((head, known.get(&head.key)?))).filter(is_forgotten)
            {
                // The heads of the new generation come with the next check. A stream that has reached its old head accuses nobody.
                if self.store.accuse(&head.key, cursor, Witness::Instance).await? {
                    self.hurry();
                    break;
                }
            }
            let mut behind: Vec<Head> = heads.into_iter().filter(|head| self.is_behind(head)).collect();
            // An announcement follows its commit. The metric is to count lost ones, not those that are a moment late.
            if self.refresh.bus_is_up() && !behind.is_empty() {
                sleep(UNDER_WAY).await;
                behind.retain(|head| self.is_behind(head));
            }
            let found = behind.iter().filter(|head| self.hub.reached(&head.key, &head.epoch, head.seq)).count();
            ::metrics::counter!(metrics::HEAD_CHECK_FINDS).increment(found as u64);
        }
        Ok(())
    }

    fn is_behind(&self, head: &Head) -> bool {
        self.hub.is_behind(&head.key, &head.epoch, head.seq)
    }
}

/// Whether the stream ends before a change that was announced earlier.
fn is_forgotten((head, known): &(&Head, &Cursor)) -> bool {
    head.epoch == known.epoch && head.seq < known.seq
}
