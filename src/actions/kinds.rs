//! Changes the registry of kinds: stored first, then in force here, then on all instances.

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    actions::{refresh::Refresh, to_completion},
    bus::{Bus, Control},
    domain::{
        kinds::{Defaults, Definition, Kinds},
        precondition::{Precondition, PreconditionFailed, Versioned},
        user::Tenant,
    },
    store::{Store, Unavailable},
};

/// Most kinds of a tenant's own.
pub const MOST_KINDS: i64 = 500;

/// Why a change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The tenant has too many.
    #[error("the tenant has {MOST_KINDS} kinds of its own already")]
    TooMany,
    /// The default channels have changed since the state that the change was meant for.
    #[error(transparent)]
    Changed(#[from] PreconditionFailed),
    /// The database did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Changes kinds and default channels, and keeps up with other instances; cheap to clone.
#[derive(Clone)]
pub struct KindsRegistry {
    store: Store,
    bus: Bus,
    kinds: Kinds,
    refresh: Refresh,
    tracker: TaskTracker,
}

impl KindsRegistry {
    /// Keeps `kinds` as the store has them; a stop waits for changes that are tracked.
    pub fn new(store: Store, bus: Bus, kinds: Kinds, refresh: Refresh, tracker: TaskTracker) -> Self {
        Self { store, bus, kinds, refresh, tracker }
    }

    /// Replaces the definition of a tenant's kind.
    ///
    /// # Errors
    /// When it is one too many, or the database does not answer.
    pub async fn define(&self, tenant: &Tenant, kind: &str, definition: &Definition) -> Result<(), Refused> {
        let (registry, tenant, kind, definition) = (self.clone(), tenant.clone(), kind.to_owned(), definition.clone());
        to_completion::run(&self.tracker, async move {
            if !registry.store.put_kind(&tenant, &kind, &definition, MOST_KINDS).await? {
                return Err(Refused::TooMany);
            }
            Ok(registry.announce().await?)
        })
        .await
    }

    /// Forgets a tenant's word on a kind, if there is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget(&self, tenant: &Tenant, kind: &str) -> Result<(), Unavailable> {
        let (registry, tenant, kind) = (self.clone(), tenant.clone(), kind.to_owned());
        to_completion::run(&self.tracker, async move {
            registry.store.delete_kind(&tenant, &kind).await?;
            registry.announce().await
        })
        .await
    }

    /// A tenant's default channels as the database holds them, whether this instance has read them or not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn defaults(&self, tenant: &Tenant) -> Result<Versioned<Defaults>, Unavailable> {
        self.store.defaults(tenant).await
    }

    /// Takes a tenant's default channels.
    ///
    /// # Errors
    /// When the condition does not hold, or the database does not answer.
    pub async fn set_defaults(
        &self,
        tenant: &Tenant,
        condition: Precondition,
        defaults: Defaults,
    ) -> Result<Versioned<Defaults>, Refused> {
        let (registry, tenant) = (self.clone(), tenant.clone());
        let make = move |before: &Versioned<Defaults>| {
            condition.check(before)?;
            Ok::<_, Refused>(defaults)
        };
        to_completion::run(&self.tracker, async move {
            let saved = registry.store.change_defaults(&tenant, make).await?;
            registry.announce().await?;
            Ok(saved)
        })
        .await
    }

    async fn announce(&self) -> Result<(), Unavailable> {
        self.bus.control(Control::KindsChanged);
        self.refresh().await
    }

    /// Notes that another instance changed something.
    pub fn note_change(&self) {
        self.refresh.note_change();
    }

    /// Reads the registry.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refresh(&self) -> Result<(), Unavailable> {
        self.refresh.read(self.read()).await
    }

    async fn read(&self) -> Result<(), Unavailable> {
        self.kinds.replace(self.store.kinds().await?);
        Ok(())
    }

    /// Keeps up until the stop.
    pub async fn run(self, stop: CancellationToken) {
        self.refresh.run(stop, || self.read()).await;
    }
}
