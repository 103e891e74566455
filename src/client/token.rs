//! Short-lived HS256 tokens for tools that hold the secret.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    tenant: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

/// Makes tokens of one tenant with one secret.
pub struct Minter {
    key: EncodingKey,
    tenant: String,
    issuer: Option<String>,
    audience: Option<String>,
    lifetime: Duration,
}

impl Minter {
    /// A minter of tokens that live `lifetime` from the moment each is made.
    pub fn new(secret: &str, tenant: &str, lifetime: Duration) -> Self {
        let key = EncodingKey::from_secret(secret.as_bytes());
        Self { key, tenant: tenant.to_owned(), issuer: None, audience: None, lifetime }
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
    /// When the clock is before 1970 or the secret is of no use as a key.
    pub fn mint(&self, user: &str, scope: &str) -> anyhow::Result<String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
        let claims = Claims {
            sub: user,
            tenant: &self.tenant,
            scope,
            iat: now.as_secs(),
            exp: (now + self.lifetime).as_secs(),
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        encode(&Header::default(), &claims, &self.key).context("cannot sign a token with this secret")
    }
}
