//! Takes publishes back: out of every inbox, and off what waits.

use crate::{
    domain::user::Tenant,
    live::announce::Announcer,
    metrics,
    store::{Store, Unavailable},
};

/// Takes publishes back; cheap to clone.
#[derive(Clone)]
pub struct Retractor {
    store: Store,
    announcer: Announcer,
}

impl Retractor {
    /// Over these parts.
    pub fn new(store: Store, announcer: Announcer) -> Self {
        Self { store, announcer }
    }

    /// Takes the publish of an id or an idempotency key back; false when the tenant has none. Its fan-out, if one is under way, ends
    /// first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn retract(&self, tenant: &Tenant, name: &str) -> Result<bool, Unavailable> {
        let found = self.store.retract(tenant, name).await?;
        if found {
            self.sweep().await?;
        }
        Ok(found)
    }

    /// Takes expired notifications out of inboxes, and announces it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sweep(&self) -> Result<(), Unavailable> {
        while let Some(swept) = self.store.sweep().await? {
            ::metrics::counter!(metrics::SWEPT).increment(swept.notifications as u64);
            swept.streams.iter().for_each(|(key, changed)| self.announcer.announce_change(key, changed));
        }
        Ok(())
    }
}
