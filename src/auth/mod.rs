//! Authentication: a token becomes an [`Identity`].
//!
//! An algorithm belongs to its key: the header of a token only chooses among keys, never how one is used.
//! Nothing here knows HTTP requests or the database.

mod claims;
mod jwks;
mod key_set;
mod keys;
mod local;
mod mint;
mod revocations;
#[cfg(test)]
mod tests;
mod ticket;

use std::{
    sync::{Arc, RwLock},
    time::Duration,
};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Header, decode_header};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::{
    claims::{Claims, Rules},
    jwks::Jwks,
    keys::Key,
};
pub use self::{
    local::{local_secret, read_local_secret},
    mint::{Grant, mint, sign},
    revocations::{Revocation, RevocationList, Target},
    ticket::Ticket,
};
use crate::{
    config::{AuthSettings, Secrets},
    domain::{
        lock,
        topic::{Topic, TopicPattern},
        user::UserKey,
    },
};

/// Most bytes of a token.
pub const TOKEN_BYTES: usize = 8 * 1024;

/// A verified caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The token's `tenant` and `sub`.
    pub key: UserKey,
    /// May publish.
    pub publish: bool,
    /// May do everything within the tenant, publishing included.
    pub admin: bool,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
    /// When the token was made.
    pub issued_at: Option<DateTime<Utc>>,
    /// The token's own id.
    pub token_id: Option<String>,
    /// Topics that the user may join without being a member.
    #[serde(default)]
    pub topics: Vec<TopicPattern>,
}

impl Identity {
    /// Whether the token lets its user join the topic.
    pub fn may_join(&self, topic: &Topic) -> bool {
        self.topics.iter().any(|pattern| pattern.covers(topic))
    }
}

/// Why a token is not accepted; the messages are fit for an API answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// There is none.
    #[error("a token is required")]
    Missing,
    /// It is not a signed token, or too long.
    #[error("the token is malformed")]
    Malformed,
    /// No key of ours signed it.
    #[error("the token's signature is not valid")]
    Signature,
    /// Its `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// Its `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A claim is missing or has a wrong value.
    #[error("{0}")]
    Claims(&'static str),
    /// The token or its user was revoked.
    #[error("the token has been revoked")]
    Revoked,
    /// None of the keys that were tried signed it, and there are more.
    #[error("the token names no key (kid), and the issuer has more than the 32 keys that are tried then")]
    Unnamed,
    /// The issuer's keys were not read since the token may have been signed: it may be good, so this is not final.
    #[error("the keys to verify the token cannot be fetched at the moment")]
    KeysUnavailable(
        /// When they may be fetched again.
        Duration,
    ),
}

/// Keys that were read from settings.
pub struct Keys {
    keys: Vec<Key>,
    /// Of the texts that they were read from.
    digest: [u8; 32],
}

/// Verifies tokens; cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    keys: RwLock<Arc<Keys>>,
    jwks: Option<Arc<Jwks>>,
    rules: Rules,
    revocations: RevocationList,
}

impl Authenticator {
    /// Takes the configured keys, or `local`, the generated secrets, where none is configured.
    ///
    /// # Errors
    /// When a key cannot be used or there is none at all.
    pub fn new(settings: &AuthSettings, local: Option<Secrets>) -> anyhow::Result<Self> {
        Self::with_rhythm(settings, local, jwks::Rhythm::default())
    }

    fn with_rhythm(settings: &AuthSettings, local: Option<Secrets>, rhythm: jwks::Rhythm) -> anyhow::Result<Self> {
        let jwks = settings.jwks_url.clone().map(|url| Jwks::new(url, rhythm)).transpose()?.map(Arc::new);
        let keys = RwLock::new(Arc::new(read_keys(settings, local, jwks.is_some())?));
        let rules = Rules::new(settings);
        Ok(Self(Arc::new(Inner { keys, jwks, rules, revocations: RevocationList::default() })))
    }

    /// Reads the keys of settings for [`Self::replace_keys`]; the URL of a key set remains the first one.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn read_keys(&self, settings: &AuthSettings, local: Option<Secrets>) -> anyhow::Result<Keys> {
        read_keys(settings, local, self.0.jwks.is_some())
    }

    /// Verifies by these keys from now on; true if they are others than before.
    pub fn replace_keys(&self, keys: Keys) -> bool {
        let digest = keys.digest;
        let before = std::mem::replace(&mut *lock::write(&self.0.keys), Arc::new(keys));
        before.digest != digest
    }

    /// Verifies a token and returns its identity.
    ///
    /// # Errors
    /// Says why it is not accepted; only [`Rejected::KeysUnavailable`] passes by itself.
    pub async fn authenticate(&self, token: &str) -> Result<Identity, Rejected> {
        let identity = self.verified(token).await?.identity(&self.0.rules, Utc::now())?;
        if self.0.revocations.refuses(&identity) {
            return Err(Rejected::Revoked);
        }
        Ok(identity)
    }

    /// The revocations in memory. The caller keeps them up to date, and asks them about identities that a ticket carried.
    pub fn revocations(&self) -> &RevocationList {
        &self.0.revocations
    }

    /// The claims of a token that one of the keys signed.
    async fn verified(&self, token: &str) -> Result<Claims, Rejected> {
        let header = header(token)?;
        let keys = Arc::clone(&lock::read(&self.0.keys));
        let answer = Key::first_of(keys.keys.iter().filter(|key| key.signs(&header)), token);
        match (answer, &self.0.jwks) {
            (Err(Rejected::Signature), Some(jwks)) => jwks.verify(token, &header, &self.0.rules).await,
            (answer, _) => answer,
        }
    }
}

fn read_keys(settings: &AuthSettings, local: Option<Secrets>, has_set: bool) -> anyhow::Result<Keys> {
    let local = local.filter(|_| !settings.has_key());
    let mut digest = Sha256::new();
    let mut keys = Vec::new();
    for secret in settings.secrets.iter().chain(&local).flat_map(Secrets::iter) {
        digest.update(Sha256::digest(secret.expose_secret()));
        keys.push(Key::from_secret(secret));
    }
    for key in &settings.public_keys {
        digest.update(Sha256::digest(&key.pem));
        keys.push(Key::from_pem(&key.pem).with_context(|| key.place.clone())?);
    }
    ensure!(!keys.is_empty() || has_set, "no key for tokens is configured");
    Ok(Keys { keys, digest: digest.finalize().into() })
}

/// The header of a token that is worth looking at: extensions it calls critical are none of ours (RFC 7515, 4.1.11).
fn header(token: &str) -> Result<Header, Rejected> {
    if token.is_empty() {
        return Err(Rejected::Missing);
    }
    if token.len() > TOKEN_BYTES {
        return Err(Rejected::Malformed);
    }
    let header = decode_header(token).map_err(|_| Rejected::Malformed)?;
    let plain = header.crit.is_none() && header.zip.is_none() && header.enc.is_none();
    if plain { Ok(header) } else { Err(Rejected::Malformed) }
}
