//! What users want: read and changed here, decided about in the database.
//!
//! A change is a change of the user's log, so that every tab hears of it.

mod settings;
mod shown;

use std::{collections::HashSet, sync::Arc};

use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;

pub use self::{
    settings::{Checks, Clock, Day, QuietHours, Settings},
    shown::{ChannelWhy, Document, InForce, KindInForce, Standing, Why},
};
use crate::{
    fanout::Fanout,
    kinds::Kinds,
    notification::UserKey,
    problem::Problems,
    store::{Saved, Store, Unavailable},
};

/// How often a change is tried anew that others were quicker than.
const ATTEMPTS: usize = 10;

/// Which state of the settings a change is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Any.
    Any,
    /// The one with this version.
    Version(i64),
}

/// Why settings were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// They are not what they must be.
    #[error(transparent)]
    Invalid(#[from] Problems),
    /// They have changed since the state that the change was meant for.
    #[error("the settings have changed meanwhile")]
    Changed,
    /// The database did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Reads and changes settings; cheap to clone.
#[derive(Clone)]
pub struct Preferences {
    store: Store,
    fanout: Fanout,
    kinds: Kinds,
    zones: Arc<OnceCell<HashSet<String>>>,
    tracker: TaskTracker,
}

impl Preferences {
    /// Over this store and this fan-out; work under way is tracked, so that a stop waits for it.
    pub fn new(store: Store, fanout: Fanout, kinds: Kinds, tracker: TaskTracker) -> Self {
        Self { store, fanout, kinds, zones: Arc::default(), tracker }
    }

    /// A user's settings.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(&self, key: &UserKey) -> Result<Saved, Unavailable> {
        self.store.preferences(key).await
    }

    /// Makes new settings of a user's old ones. When nothing changes, nothing is written and nobody told.
    ///
    /// # Errors
    /// When the new ones are refused, the condition does not hold, or the database does not answer.
    pub async fn change(
        &self,
        key: &UserKey,
        condition: Condition,
        make: impl Fn(&Settings) -> Result<Settings, Problems> + Send + 'static,
    ) -> Result<Saved, Refused> {
        let (preferences, key) = (self.clone(), key.clone());
        // On a task of its own: a caller that goes away between commit and announcement must not keep it from the
        // user's other tabs.
        let work = async move { preferences.attempt(&key, condition, make).await };
        self.tracker.spawn(work).await.unwrap_or(Err(Refused::Unavailable(Unavailable)))
    }

    async fn attempt(
        &self,
        key: &UserKey,
        condition: Condition,
        make: impl Fn(&Settings) -> Result<Settings, Problems>,
    ) -> Result<Saved, Refused> {
        for _ in 0..ATTEMPTS {
            let before = self.store.preferences(key).await?;
            if condition != Condition::Any && condition != Condition::Version(before.version) {
                return Err(Refused::Changed);
            }
            let settings = make(&before.settings)?;
            let zones = self.zones.get_or_try_init(|| self.store.time_zones()).await?;
            settings.check(&before.settings, &Checks { tenant: &key.tenant, kinds: &self.kinds, zones })?;
            if settings == before.settings {
                return Ok(before);
            }
            if let Some((saved, stamped)) = self.store.save_preferences(key, settings, before.version).await? {
                self.fanout.tell_settings(key, &stamped);
                return Ok(saved);
            }
        }
        Err(Refused::Unavailable(Unavailable))
    }
}

#[cfg(test)]
mod tests;
