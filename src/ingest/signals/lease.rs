//! The lease of the listener: a key in Redis with the name of one instance, which expires soon after its last renewal.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use redis::RedisResult;
use tokio::time::Instant;

use crate::{
    domain::lock::lock,
    health::{Need, Way},
    ingest::{Ingest, cure},
};

/// How long a listener holds the lease without renewing it. In a flood an answer may be late by two seconds.
const LEASE: Duration = Duration::from_secs(6);

/// This instance's hold on the lease.
pub(super) struct Lease {
    ingest: Arc<Ingest>,
    /// Until when this instance surely holds it.
    until: Mutex<Option<Instant>>,
}

impl Lease {
    pub(super) fn new(ingest: Arc<Ingest>) -> Self {
        Self { ingest, until: Mutex::default() }
    }

    /// Whether this instance holds it, however long the process was suspended.
    pub(super) fn is_held(&self) -> bool {
        self.is_held_at(Instant::now())
    }

    fn is_held_at(&self, now: Instant) -> bool {
        lock(&self.until).is_some_and(|until| now < until)
    }

    /// Acquires or renews it; false when another instance holds it, or may hold it because Redis has not answered for too long.
    pub(super) async fn renew(&self) -> bool {
        // Redis counts from a later moment than this.
        let asked = Instant::now();
        let answer = self.ask().await;
        let health = &self.ingest.health;
        health.note_way(
            Way::RedisSignals,
            Need::Write,
            answer
                .as_ref()
                .map(drop)
                .map_err(|error| cure::of(error, &format!("all commands on the key {}", self.key()))),
        );
        if let Ok(held) = answer {
            *lock(&self.until) = held.then(|| asked + LEASE);
            if !held {
                // The instance that holds it listens.
                health.note_way(Way::RedisSignals, Need::Receive, Ok(()));
            }
        }
        self.is_held()
    }

    async fn ask(&self) -> RedisResult<bool> {
        const LEASE_OR_RENEW: &str = "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end \
            if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0";
        let mut command = redis::cmd("EVAL");
        command.arg(LEASE_OR_RENEW).arg(1).arg(self.key()).arg(&self.ingest.instance).arg(LEASE.as_secs() * 1_000);
        self.ingest.with_connection(async |connection| command.query_async(connection).await).await
    }

    /// Deletes the key, so that another instance acquires the lease at once.
    pub(super) async fn give_back(&self) -> RedisResult<()> {
        const RELEASE: &str =
            "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";
        let mut command = redis::cmd("EVAL");
        command.arg(RELEASE).arg(1).arg(self.key()).arg(&self.ingest.instance);
        self.ingest.with_connection(async |connection| command.query_async(connection).await).await
    }

    fn key(&self) -> String {
        format!("{}:signal-listener", self.ingest.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bus::redis::{Servers, harness::RedisServer},
        ingest::tests::ingest,
    };

    #[tokio::test]
    async fn a_turn_ends_by_itself_when_it_is_not_renewed() {
        let server = RedisServer::start().await;
        let servers = Servers::new(&server.settings()).unwrap();
        let lease = |name| Lease::new(Arc::new(ingest(&servers, name)));
        let (one, two) = (lease("one"), lease("two"));
        assert!(!one.is_held());
        assert!(one.renew().await && one.renew().await && one.is_held());
        assert!(!two.renew().await && !two.is_held());
        one.give_back().await.unwrap();
        assert!(two.renew().await && two.is_held());
        assert!(!one.renew().await && !one.is_held());
        assert!(!two.is_held_at(Instant::now() + LEASE), "another may have its turn by then");
    }
}
