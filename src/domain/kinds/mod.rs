//! The definitions of kinds. A tenant's own definition precedes the one that the server ships, and that precedes plain
//! defaults, so that unknown kinds work.
//!
//! They are in memory and asked for every publish; [`crate::actions::kinds`] keeps them equal to the store.

mod definition;
mod seed;
mod template;

use std::{
    collections::{BTreeMap, HashMap},
    ops::Deref,
    sync::{Arc, RwLock},
};

use chrono::{DateTime, Days, Utc};
use serde::Serialize;
use utoipa::ToSchema;

pub use self::{
    definition::{Defaults, Definition},
    seed::{SHIPPED, Seed},
    template::{Template, Values},
};
use crate::domain::{
    channel::{Cause, Channel, Decision},
    lock,
    notification::Presentation,
    user::Tenant,
};

/// The origin of a kind's definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The tenant's administrator said it.
    Tenant,
    /// The server knows it.
    Seed,
    /// No definition: plain defaults.
    Default,
}

/// A tenant's own word.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Own {
    /// Its kinds.
    pub kinds: HashMap<String, Arc<Definition>>,
    /// Its default channels.
    pub defaults: Arc<Defaults>,
}

/// A kind as it is in force for a tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    definition: Arc<Definition>,
    defaults: Arc<Defaults>,
    /// The origin of the definition.
    pub origin: Origin,
}

impl Deref for Kind {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        &self.definition
    }
}

impl Kind {
    /// How it is shown.
    pub fn presentation(&self) -> Presentation {
        let (icon, action_label, sound) = (self.icon.clone(), self.action_label.clone(), self.sound.clone());
        Presentation { icon, action_label, sound }
    }

    /// When a notification that matters from `begin` on leaves inboxes, if the kind says so.
    pub fn expires_at(&self, begin: DateTime<Utc>) -> Option<DateTime<Utc>> {
        begin.checked_add_days(Days::new(self.retention_days?.try_into().ok()?))
    }

    /// The channels that it takes to users without preferences, when published in this category.
    pub fn decision(&self, category: Option<&str>) -> Decision {
        Channel::ALL.into_iter().fold(Decision::NONE, |decision, channel| {
            let (on, cause) = match self.channels.get(channel) {
                Some(on) => (on, Cause::KindDefault),
                None => self.defaults.choice(category, channel),
            };
            // A mandatory kind reaches the inbox, even if the tenant's default leaves the inbox out.
            let on = on || self.mandatory && channel == Channel::Inbox;
            decision.and(channel, on, if on && self.mandatory { Cause::Mandatory } else { cause })
        })
    }
}

/// The registry; cheap to clone, and all clones see the same.
#[derive(Clone)]
pub struct Kinds(Arc<Shared>);

struct Shared {
    seed: RwLock<Seed>,
    plain: Arc<Definition>,
    tenants: RwLock<Arc<HashMap<Tenant, Own>>>,
}

impl Kinds {
    /// Knows the seed, and of no tenant anything of its own.
    pub fn new(seed: Seed) -> Self {
        Self(Arc::new(Shared { seed: RwLock::new(seed), plain: Arc::default(), tenants: RwLock::default() }))
    }

    /// The definition in force of a tenant's kind, known or not.
    pub fn of(&self, tenant: &Tenant, name: &str) -> Kind {
        let tenants = self.tenants();
        self.resolve(tenants.get(tenant), name)
    }

    /// All kinds that the tenant or the server knows, by name.
    pub fn all(&self, tenant: &Tenant) -> BTreeMap<String, Kind> {
        let tenants = self.tenants();
        let own = tenants.get(tenant);
        let seed = self.seed();
        let names = seed.names().chain(own.into_iter().flat_map(|own| own.kinds.keys()));
        names.map(|name| (name.clone(), self.resolve(own, name))).collect()
    }

    /// The tenant's default channels.
    pub fn defaults(&self, tenant: &Tenant) -> Arc<Defaults> {
        self.tenants().get(tenant).map(|own| own.defaults.clone()).unwrap_or_default()
    }

    /// Replaces all definitions of tenants by those of the store.
    pub fn replace(&self, tenants: HashMap<Tenant, Own>) {
        *lock::write(&self.0.tenants) = Arc::new(tenants);
    }

    /// Replaces the kinds that all tenants know; true if the new ones differ.
    pub fn replace_seed(&self, seed: &Seed) -> bool {
        let before = std::mem::replace(&mut *lock::write(&self.0.seed), seed.clone());
        before != *seed
    }

    fn seed(&self) -> Seed {
        lock::read(&self.0.seed).clone()
    }

    fn tenants(&self) -> Arc<HashMap<Tenant, Own>> {
        lock::read(&self.0.tenants).clone()
    }

    fn resolve(&self, own: Option<&Own>, name: &str) -> Kind {
        let defaults = own.map(|own| own.defaults.clone()).unwrap_or_default();
        let tenants = own.and_then(|own| own.kinds.get(name)).map(|definition| (definition, Origin::Tenant));
        let seed = self.seed();
        let known = tenants.or_else(|| Some((seed.get(name)?, Origin::Seed)));
        let (definition, origin) = known.unwrap_or((&self.0.plain, Origin::Default));
        Kind { definition: definition.clone(), defaults, origin }
    }
}

#[cfg(test)]
mod tests;
