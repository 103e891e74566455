//! The issuer's public keys: fetched when needed, kept, renewed behind the requests.
//!
//! There is one fetch at a time, and not more than one in [`Rhythm::pause`], however many tokens ask for one. Keys that were
//! fetched remain valid while the issuer is away.

use std::{
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use jsonwebtoken::{AlgorithmFamily, Header, jwk::Jwk};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{Rejected, claims::Claims, keys::Key};
use crate::domain::lock;

/// Most bytes of a key set.
const SET_BYTES: usize = 256 * 1024;
/// Most keys of a set, and so most signatures that one token without a `kid` costs.
const SET_KEYS: usize = 32;
/// Longest time of one fetch.
const FETCH: Duration = Duration::from_secs(5);

/// When the keys are fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    /// Shortest time between two fetches.
    pub(super) pause: Duration,
    /// Age from which the keys are fetched again, so that a withdrawn one goes.
    pub(super) renew: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { pause: Duration::from_secs(10), renew: Duration::from_mins(5) }
    }
}

/// The keys and the way to get them.
pub(super) struct Jwks {
    url: Url,
    client: reqwest::Client,
    rhythm: Rhythm,
    keys: RwLock<Arc<[Key]>>,
    /// The last fetch that was begun; its lock is held while one runs.
    last: tokio::sync::Mutex<Option<Fetch>>,
}

#[derive(Clone, Copy)]
struct Fetch {
    begun: Instant,
    succeeded: bool,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Jwks {
    /// Fetches nothing yet.
    ///
    /// # Errors
    /// When there is no TLS to fetch with.
    pub(super) fn new(url: Url, rhythm: Rhythm) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(FETCH).build();
        let client = client.context("the client that fetches the issuer's keys cannot be made")?;
        Ok(Self { url, client, rhythm, keys: RwLock::new(Arc::new([])), last: tokio::sync::Mutex::default() })
    }

    /// The claims of a token that a key of the set signed; fetches the set when no key matches the header.
    ///
    /// # Errors
    /// [`Rejected::KeysUnavailable`] when no key matches and the set could not be fetched.
    pub(super) async fn verify(self: &Arc<Self>, token: &str, header: &Header) -> Result<Claims, Rejected> {
        if header.alg.family() == AlgorithmFamily::Hmac {
            return Err(Rejected::Signature);
        }
        let mut keys = self.current();
        if keys.iter().any(|key| key.signs(header)) {
            self.renew();
        } else {
            let fetched = self.fetch_once(self.rhythm.pause).await;
            keys = self.current();
            if !fetched && !keys.iter().any(|key| key.signs(header)) {
                return Err(Rejected::KeysUnavailable);
            }
        }
        let signers = keys.iter().filter(|key| key.signs(header));
        signers
            .map(|key| key.verify(token))
            .find(|answer| answer.as_ref().err() != Some(&Rejected::Signature))
            .unwrap_or(Err(Rejected::Signature))
    }

    fn current(&self) -> Arc<[Key]> {
        Arc::clone(&lock::read(&self.keys))
    }

    /// Fetches old keys again in the background.
    fn renew(self: &Arc<Self>) {
        let due = |last: Fetch| {
            let age = last.begun.elapsed();
            age >= self.rhythm.renew || (!last.succeeded && age >= self.rhythm.pause)
        };
        let idle = self.last.try_lock().is_ok_and(|last| last.is_none_or(due));
        if idle {
            let jwks = Arc::clone(self);
            tokio::spawn(async move { jwks.fetch_unless_recent(jwks.rhythm.pause).await });
        }
    }

    /// Like [`Self::fetch_unless_recent`], but continues when the caller leaves, so that its work is not lost.
    async fn fetch_once(self: &Arc<Self>, pause: Duration) -> bool {
        let jwks = Arc::clone(self);
        tokio::spawn(async move { jwks.fetch_unless_recent(pause).await }).await.unwrap_or(false)
    }

    /// Fetches the set unless that was begun less than `pause` ago; says whether the last fetch succeeded.
    async fn fetch_unless_recent(&self, pause: Duration) -> bool {
        let mut last = self.last.lock().await;
        if let Some(fetch) = *last
            && fetch.begun.elapsed() < pause
        {
            return fetch.succeeded;
        }
        let begun = Instant::now();
        let fetched = self.fetch().await;
        let succeeded = fetched.is_ok();
        match fetched {
            Ok(keys) => *lock::write(&self.keys) = keys.into(),
            Err(error) => log::warn!("the issuer's keys cannot be fetched, the known ones stay in use: {error:#}"),
        }
        *last = Some(Fetch { begun, succeeded });
        succeeded
    }

    async fn fetch(&self) -> anyhow::Result<Vec<Key>> {
        let request = self.client.get(self.url.clone()).header("accept", "application/jwk-set+json, application/json");
        let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
        ensure!(response.status().as_u16() == 200, "the answer has the status {}", response.status().as_u16());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            ensure!(body.len() + chunk.len() <= SET_BYTES, "the key set is larger than {SET_BYTES} bytes");
            body.extend_from_slice(&chunk);
        }
        let set: Set = serde_json::from_slice(&body).context("the answer is not a key set")?;
        // Key by key: one of a kind we do not know must not hide the others.
        let readable = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys: Vec<_> = readable.filter_map(|jwk| Key::from_jwk(&jwk)).take(SET_KEYS).collect();
        ensure!(!keys.is_empty(), "the key set has no key for signatures");
        Ok(keys)
    }
}
