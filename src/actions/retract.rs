//! Takes publishes back: out of every inbox, and off what waits.

use crate::{
    domain::user::Tenant,
    live::announce::Announcer,
    metrics,
    store::{Store, Swept, Unavailable},
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

    /// Takes the publish of an id or an idempotency key back; false when the tenant has none. A fan-out that is under way reaches nobody
    /// more; what it has brought goes with the next [`Self::sweep`] after its end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn retract(&self, tenant: &Tenant, name: &str) -> Result<bool, Unavailable> {
        let Some(id) = self.store.retract(tenant, name).await? else { return Ok(false) };
        while let Some(swept) = self.store.sweep_one(id).await? {
            self.announce(&swept);
        }
        Ok(true)
    }

    /// Takes expired notifications out of inboxes, and announces it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sweep(&self) -> Result<(), Unavailable> {
        while let Some(swept) = self.store.sweep().await? {
            self.announce(&swept);
        }
        Ok(())
    }

    fn announce(&self, swept: &Swept) {
        ::metrics::counter!(metrics::SWEPT).increment(swept.notifications as u64);
        swept.streams.iter().for_each(|(key, changed)| self.announcer.announce_change(key, changed));
    }
}
