//! Tokens that a client command makes for itself, where it holds the server's secret.

use std::time::Duration;

use chrono::Utc;
use secrecy::SecretString;

use crate::{
    auth::{Grant, sign},
    domain::user::{Tenant, UserId, UserKey},
};

/// Makes tokens of one tenant with one secret.
pub struct Minter {
    secret: SecretString,
    tenant: Tenant,
    issuer: Option<String>,
    audience: Option<String>,
    ttl: Duration,
}

impl Minter {
    /// A minter of tokens that live `ttl` from the moment each is made.
    pub fn new(secret: &str, tenant: Tenant, ttl: Duration) -> Self {
        Self { secret: secret.into(), tenant, issuer: None, audience: None, ttl }
    }

    /// Adds the `iss` and `aud` that the server requires.
    #[must_use]
    pub fn naming(mut self, issuer: Option<String>, audience: Option<String>) -> Self {
        self.issuer = issuer;
        self.audience = audience;
        self
    }

    /// A token for this user with these scopes (words separated by spaces; none when empty).
    ///
    /// # Errors
    /// When the user's id is none, or the secret is of no use as a key.
    pub fn mint(&self, user: &str, scope: &str) -> anyhow::Result<String> {
        let user: UserId = user.parse()?;
        let key = UserKey { tenant: self.tenant.clone(), user };
        let grant = Grant { key, scope: scope.to_owned(), ttl: self.ttl, token_id: None, topics: Vec::new() };
        sign(&self.secret, self.issuer.as_deref(), self.audience.as_deref(), &grant, Utc::now())
    }
}
