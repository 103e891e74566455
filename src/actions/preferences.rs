//! Reads and changes users' preferences; the database applies them.
//!
//! A change is an entry of the user's log, so that every stream of the user receives it.

use chrono::Utc;
use tokio_util::task::TaskTracker;

use crate::{
    actions::to_completion,
    domain::{
        kinds::Kinds,
        precondition::{Precondition, PreconditionFailed, Versioned},
        preferences::{Checks, Preferences},
        problem::Problems,
        user::UserKey,
    },
    live::announce::Announcer,
    store::{Store, Unavailable},
};

/// Why preferences were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// They are not valid.
    #[error(transparent)]
    Invalid(#[from] Problems),
    /// They have changed since the state that the change was meant for.
    #[error(transparent)]
    Changed(#[from] PreconditionFailed),
    /// The database did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Reads and changes preferences; cheap to clone.
#[derive(Clone)]
pub struct PreferencesEditor {
    store: Store,
    announcer: Announcer,
    kinds: Kinds,
    tracker: TaskTracker,
}

impl PreferencesEditor {
    /// Over this store and this fan-out; work under way is tracked, so that a stop waits for it.
    pub fn new(store: Store, announcer: Announcer, kinds: Kinds, tracker: TaskTracker) -> Self {
        Self { store, announcer, kinds, tracker }
    }

    /// A user's preferences.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(&self, key: &UserKey) -> Result<Versioned<Preferences>, Unavailable> {
        self.store.preferences(key).await
    }

    /// Makes new preferences of a user's old ones. Changes at the same time happen one after the other. When nothing changes,
    /// nothing is written or announced.
    ///
    /// # Errors
    /// When the new ones are refused, the condition does not hold, or the database does not answer.
    pub async fn change(
        &self,
        key: &UserKey,
        condition: Precondition,
        make: impl FnOnce(&Preferences) -> Result<Preferences, Problems> + Send + 'static,
    ) -> Result<Versioned<Preferences>, Refused> {
        let (registry, key) = (self.clone(), key.clone());
        let work = async move { registry.change_and_announce(&key, condition, make).await };
        to_completion::run(&self.tracker, work).await
    }

    async fn change_and_announce(
        &self,
        key: &UserKey,
        condition: Precondition,
        make: impl FnOnce(&Preferences) -> Result<Preferences, Problems> + Send,
    ) -> Result<Versioned<Preferences>, Refused> {
        let checks = Checks { tenant: &key.tenant, kinds: &self.kinds, now: Utc::now() };
        let make = |before: &Versioned<Preferences>| {
            condition.check(before)?;
            let after = make(&before.document)?;
            after.check(&before.document, &checks)?;
            Ok::<_, Refused>(after)
        };
        let (saved, stamped) = self.store.change_preferences(key, make).await?;
        if let Some(stamped) = stamped {
            self.announcer.announce_preferences(key, &stamped);
        }
        Ok(saved)
    }
}
