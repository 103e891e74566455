//! What users want: read and changed here, decided about in the database.
//!
//! A change is a change of the user's log, so that every tab hears of it.

use std::{collections::HashSet, sync::Arc};

use chrono::Utc;
use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;

use crate::{
    actions::to_completion,
    domain::{
        kinds::Kinds,
        precondition::{Precondition, PreconditionFailed, Versioned},
        preferences::{Checks, Settings},
        problem::Problems,
        user::UserKey,
    },
    live::announce::Announcer,
    store::{Store, Unavailable},
};

/// Why settings were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// They are not what they must be.
    #[error(transparent)]
    Invalid(#[from] Problems),
    /// They have changed since the state that the change was meant for.
    #[error(transparent)]
    Changed(#[from] PreconditionFailed),
    /// The database did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Reads and changes settings; cheap to clone.
#[derive(Clone)]
pub struct Preferences {
    store: Store,
    announcer: Announcer,
    kinds: Kinds,
    zones: Arc<OnceCell<HashSet<String>>>,
    tracker: TaskTracker,
}

impl Preferences {
    /// Over this store and this fan-out; work under way is tracked, so that a stop waits for it.
    pub fn new(store: Store, announcer: Announcer, kinds: Kinds, tracker: TaskTracker) -> Self {
        Self { store, announcer, kinds, zones: Arc::default(), tracker }
    }

    /// A user's settings.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(&self, key: &UserKey) -> Result<Versioned<Settings>, Unavailable> {
        self.store.preferences(key).await
    }

    /// Makes new settings of a user's old ones; of changes at the same time each waits for the one before it. When nothing
    /// changes, nothing is written and nobody told.
    ///
    /// # Errors
    /// When the new ones are refused, the condition does not hold, or the database does not answer.
    pub async fn change(
        &self,
        key: &UserKey,
        condition: Precondition,
        make: impl FnOnce(&Settings) -> Result<Settings, Problems> + Send + 'static,
    ) -> Result<Versioned<Settings>, Refused> {
        let (preferences, key) = (self.clone(), key.clone());
        let work = async move { preferences.change_and_announce(&key, condition, make).await };
        to_completion::run(&self.tracker, work).await
    }

    async fn change_and_announce(
        &self,
        key: &UserKey,
        condition: Precondition,
        make: impl FnOnce(&Settings) -> Result<Settings, Problems> + Send,
    ) -> Result<Versioned<Settings>, Refused> {
        let zones = self.zones.get_or_try_init(|| self.store.time_zones()).await?;
        let checks = Checks { tenant: &key.tenant, kinds: &self.kinds, zones, now: Utc::now() };
        let make = |before: &Versioned<Settings>| {
            condition.check(before)?;
            let settings = make(&before.document)?;
            settings.check(&before.document, &checks)?;
            Ok::<_, Refused>(settings)
        };
        let (saved, stamped) = self.store.change_preferences(key, make).await?;
        if let Some(stamped) = stamped {
            self.announcer.announce_settings(key, &stamped);
        }
        Ok(saved)
    }
}
