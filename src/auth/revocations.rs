//! The revocations in memory: every token and every open stream is checked against them.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use chrono::{DateTime, Utc};

use super::Identity;
use crate::domain::{
    lock,
    user::{Tenant, UserId},
};

/// The tokens that a revocation refuses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// All tokens of the user that were made before the revocation.
    User(UserId),
    /// The token with this `jti`.
    Token(String),
}

/// A revocation in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The tenant in which it applies.
    pub tenant: Tenant,
    /// The tokens that it refuses.
    pub target: Target,
    /// When it was given, by the database's clock.
    pub revoked_at: DateTime<Utc>,
    /// When it may be forgotten; none is never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The revocations of all tenants; cheap to clone, and all clones see the same.
#[derive(Clone, Default)]
pub struct RevocationList(Arc<RwLock<Arc<Index>>>);

/// One revocation for each target: the store keeps no more.
type Index = HashMap<(Tenant, Target), (DateTime<Utc>, Option<DateTime<Utc>>)>;

impl RevocationList {
    /// Whether the token behind this identity was revoked. A user's token without `iat` cannot prove that it is newer
    /// than the revocation, nor can one of the same second: both are refused.
    pub fn refuses(&self, identity: &Identity) -> bool {
        let index = Arc::clone(&lock::read(&self.0));
        if index.is_empty() {
            return false;
        }
        let now = Utc::now();
        let revoked_at = |target| {
            let (revoked_at, expires_at) = index.get(&(identity.key.tenant.clone(), target))?;
            expires_at.is_none_or(|end| end > now).then_some(*revoked_at)
        };
        let user = revoked_at(Target::User(identity.key.user.clone()));
        let token = identity.token_id.clone().and_then(|id| revoked_at(Target::Token(id)));
        token.is_some() || user.is_some_and(|at| identity.issued_at.is_none_or(|issued| issued <= at))
    }

    /// Replaces all known revocations by those of the store.
    pub fn replace(&self, revocations: Vec<Revocation>) {
        let index = revocations.into_iter().map(|it| ((it.tenant, it.target), (it.revoked_at, it.expires_at)));
        *lock::write(&self.0) = Arc::new(index.collect());
    }
}
