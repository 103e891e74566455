//! The issuer's public keys: fetched when needed, kept, renewed behind the requests.
//!
//! There is one fetch at a time, and not more than one in [`Rhythm::pause`], however many tokens ask for one. Keys that were
//! fetched remain valid while the issuer is away. A token is refused for good only by keys that were read after it was signed.

use std::{
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use jsonwebtoken::{AlgorithmFamily, Header};
use tokio::time::timeout;
use url::Url;

use super::{
    Rejected,
    claims::{Claims, Rules},
    key_set::KeySet,
};
use crate::domain::lock;

/// Most bytes of a key set: a thousand keys with their certificates fit.
pub(super) const SET_BYTES: usize = 4 * 1024 * 1024;
/// Longest time of one fetch.
const FETCH: Duration = Duration::from_secs(5);
/// Longest time that a request waits for the fetch that runs, and for one of its own.
const WAIT: Duration = Duration::from_secs(6);
/// When a client asks again whose request has waited for too long.
const RETRY: Duration = Duration::from_secs(2);

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
    known: RwLock<Arc<Known>>,
    /// The last fetch that was begun; its lock is held while one runs.
    last: tokio::sync::Mutex<Option<Fetch>>,
}

#[derive(Clone, Copy)]
struct Fetch {
    begun: Instant,
    succeeded: bool,
}

/// The set that was read last.
#[derive(Default)]
struct Known {
    set: KeySet,
    /// When the reading began, by both clocks; none before the first.
    read: Option<(Instant, DateTime<Utc>)>,
}

impl Known {
    /// Whether the set was read after a token was signed, which arrived at `arrived` and was signed at `signed_by` at the latest.
    fn is_newer(&self, arrived: Instant, signed_by: Option<DateTime<Utc>>) -> bool {
        self.read.is_some_and(|(begun, at)| begun >= arrived || signed_by.is_some_and(|signed| at >= signed))
    }
}

impl Jwks {
    /// Fetches nothing yet.
    ///
    /// # Errors
    /// When there is no TLS to fetch with.
    pub(super) fn new(url: Url, rhythm: Rhythm) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(FETCH).build();
        let client = client.context("the client that fetches the issuer's keys cannot be made")?;
        Ok(Self { url, client, rhythm, known: RwLock::default(), last: tokio::sync::Mutex::default() })
    }

    /// The claims of a token that a key of the set signed. When none did that is known, the set is fetched.
    ///
    /// # Errors
    /// [`Rejected::KeysUnavailable`] when the key may be among keys that could not be fetched yet.
    pub(super) async fn verify(
        self: &Arc<Self>,
        token: &str,
        header: &Header,
        rules: &Rules,
    ) -> Result<Claims, Rejected> {
        if header.alg.family() == AlgorithmFamily::Hmac {
            return Err(Rejected::Signature);
        }
        let arrived = Instant::now();
        let known = self.current();
        let answer = known.set.verify(token, header);
        if !known.set.may_lack(header, &answer) {
            self.renew();
            return answer;
        }
        // A token that no key could make good is not worth a fetch.
        let claimed = Claims::unverified(token)?;
        claimed.identity(rules, Utc::now())?;
        let next = self.fetch_once().await;
        let known = self.current();
        let answer = known.set.verify(token, header);
        let is_open = known.set.may_lack(header, &answer) && !known.is_newer(arrived, claimed.signed_by(rules));
        if is_open { Err(Rejected::KeysUnavailable(next)) } else { answer }
    }

    fn current(&self) -> Arc<Known> {
        Arc::clone(&lock::read(&self.known))
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
            tokio::spawn(async move { jwks.fetch_unless_recent().await });
        }
    }

    /// Like [`Self::fetch_unless_recent`], but goes on when the caller leaves or has waited for long, so that its work is not lost.
    async fn fetch_once(self: &Arc<Self>) -> Duration {
        let jwks = Arc::clone(self);
        let fetch = tokio::spawn(async move { jwks.fetch_unless_recent().await });
        timeout(WAIT, fetch).await.ok().and_then(Result::ok).unwrap_or(RETRY)
    }

    /// Fetches the set, after the fetch that runs, unless that was begun less than a pause ago. Says when the next may begin.
    async fn fetch_unless_recent(&self) -> Duration {
        let mut last = self.last.lock().await;
        let left = |begun: Instant| self.rhythm.pause.saturating_sub(begun.elapsed());
        if let Some(left) = last.map(|fetch| left(fetch.begun)).filter(|left| !left.is_zero()) {
            return left;
        }
        let (begun, at) = (Instant::now(), Utc::now());
        let fetched = self.fetch().await;
        *last = Some(Fetch { begun, succeeded: fetched.is_ok() });
        match fetched {
            Ok(set) => self.replace(Known { set, read: Some((begun, at)) }),
            Err(error) => log::warn!("the issuer's keys cannot be fetched, those at hand stay in use: {error:#}"),
        }
        left(begun)
    }

    /// Takes a set into use, and logs which of its keys are not used when that is news.
    fn replace(&self, known: Known) {
        let before = std::mem::replace(&mut *lock::write(&self.known), Arc::new(known));
        let now = self.current();
        if let Some(beyond) = now.set.beyond.as_ref().filter(|_| now.set.beyond != before.set.beyond) {
            log::warn!("{beyond}");
        }
        if let Some(unusable) = now.set.unusable.as_ref().filter(|_| now.set.unusable != before.set.unusable) {
            log::info!("{unusable}");
        }
    }

    async fn fetch(&self) -> anyhow::Result<KeySet> {
        let request = self.client.get(self.url.clone()).header("accept", "application/jwk-set+json, application/json");
        let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
        ensure!(response.status().as_u16() == 200, "the answer has the status {}", response.status().as_u16());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            ensure!(body.len() + chunk.len() <= SET_BYTES, "the key set is larger than {SET_BYTES} bytes");
            body.extend_from_slice(&chunk);
        }
        KeySet::parse(&body)
    }
}
