//! Makes tokens, for the command line and for tests; in production an issuer does.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::{
    config::AuthSettings,
    domain::{topic::TopicPattern, user::UserKey},
};

/// The content of a token that is to be made.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The user of the token.
    pub key: UserKey,
    /// Words separated by spaces: `publish`, `admin`.
    pub scope: String,
    /// How long it is valid, from now.
    pub ttl: Duration,
    /// Its own id.
    pub token_id: Option<String>,
    /// Topics that the user may join without being a member.
    pub topics: Vec<TopicPattern>,
}

#[derive(Serialize)]
struct Signed<'a> {
    sub: &'a str,
    tenant: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    topics: &'a [TopicPattern],
}

/// A token that an instance with this secret and these settings accepts.
///
/// # Errors
/// When the time lies out of range.
pub fn mint(
    secret: &SecretString,
    settings: &AuthSettings,
    grant: &Grant,
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    sign(secret, settings.issuer.as_deref(), settings.audience.as_deref(), grant, now)
}

/// A token with this `iss` and `aud`.
///
/// # Errors
/// When the time lies out of range.
pub fn sign(
    secret: &SecretString,
    issuer: Option<&str>,
    audience: Option<&str>,
    grant: &Grant,
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    let end = TimeDelta::from_std(grant.ttl).ok().and_then(|ttl| now.checked_add_signed(ttl));
    let claims = Signed {
        sub: grant.key.user.as_str(),
        tenant: grant.key.tenant.as_str(),
        scope: &grant.scope,
        iat: now.timestamp(),
        exp: end.ok_or_else(|| anyhow::anyhow!("the time to live is too long"))?.timestamp(),
        iss: issuer,
        aud: audience,
        jti: grant.token_id.as_deref(),
        topics: &grant.topics,
    };
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    Ok(encode(&Header::new(Algorithm::HS256), &claims, &key)?)
}
