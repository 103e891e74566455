//! A connection that is subscribed to the channels of a pattern, and is opened again when it fails.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{PushInfo, PushKind, RedisError, RedisResult, Value};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::cure;
use crate::{
    bus::{
        backoff::Backoff,
        redis::{
            Servers,
            connection::Listener,
            servers::{RESPONSE, probe_write, spoils_connection, timed_out},
        },
    },
    health::{Health, Need, Way},
    metrics::LIMIT_HITS,
};

/// Time between signs of life that the connection must give.
const PING: Duration = Duration::from_secs(5);

/// A message as it was received.
#[derive(Debug)]
pub(super) struct ChannelMessage {
    pub(super) channel: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

/// Takes a message on the connection's own task; false when a message had to be dropped.
pub(super) type Handler = Arc<dyn Fn(ChannelMessage) -> bool + Send + Sync>;

/// A subscription to a pattern, and its handler.
pub(super) struct PatternSubscription {
    pub(super) servers: Servers,
    /// First part of every key and channel.
    pub(super) prefix: String,
    /// Channels, in Redis' own pattern language.
    pub(super) pattern: String,
    /// Payloads are cut to one byte more than this, so that a payload that was too long still is.
    pub(super) most_bytes: usize,
    /// The name of the bound by which things are dropped, for the metric.
    pub(super) limit: &'static str,
    /// The way in that this is.
    pub(super) way: Way,
    pub(super) health: Arc<Health>,
}

impl PatternSubscription {
    /// Passes messages to `take` until the stop, and counts those that are dropped.
    pub(super) async fn run(self, take: Handler, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        // An ACL must have the very pattern: one that covers it is not enough for PSUBSCRIBE.
        let rights = format!("the right to the pattern itself: ACL SETUSER <user> '&{}'", self.pattern);
        loop {
            let error = tokio::select! {
                Err(error) = self.listen(&take, &mut backoff) => error,
                () = stop.cancelled() => return,
            };
            self.health.note_way(self.way, Need::Receive, Err(cure::of(&error, &rights)));
            tokio::select! {
                () = sleep(backoff.next()) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Listens on one connection until it fails.
    async fn listen(&self, take: &Handler, backoff: &mut Backoff) -> RedisResult<Infallible> {
        let (lost, heard) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
        let listener = self.listener(take.clone(), lost.clone(), heard.clone());
        let mut connection = self.servers.dedicated(RESPONSE, Some(listener)).await?;
        connection.subscribe_pattern(&self.pattern).await?;
        backoff.reset();
        self.health.note_way(self.way, Need::Receive, Ok(()));
        loop {
            tokio::select! {
                () = sleep(PING) => {}
                () = lost.cancelled() => return Err(closed()),
            }
            // A server that has become a replica hears less and less. In a cluster the client finds the primaries itself.
            let alive = if self.servers.is_cluster() {
                redis::cmd("PING")
            } else {
                probe_write(&self.prefix, &self.prefix, "a listener")
            };
            let heard_before = heard.load(Ordering::Relaxed);
            let answer = timeout(RESPONSE, alive.query_async::<Value>(&mut connection)).await;
            match answer.unwrap_or_else(|_| Err(timed_out())) {
                // The answer waits behind messages: a new connection would lose them.
                Err(error) if error.is_timeout() && heard.load(Ordering::Relaxed) != heard_before => {}
                Err(error) if spoils_connection(&error) => return Err(error),
                _ => {}
            }
        }
    }

    fn listener(&self, take: Handler, lost: CancellationToken, heard: Arc<AtomicU64>) -> Listener {
        let (most, limit) = (self.most_bytes + 1, self.limit);
        Arc::new(move |push: PushInfo| match push.kind {
            PushKind::Disconnection => lost.cancel(),
            PushKind::PMessage => {
                heard.fetch_add(1, Ordering::Relaxed);
                let mut data = push.data.into_iter().skip(1);
                let (Some(Value::BulkString(channel)), Some(Value::BulkString(mut payload))) =
                    (data.next(), data.next())
                else {
                    return;
                };
                payload.truncate(most);
                payload.shrink_to_fit();
                if !take(ChannelMessage { channel, payload }) {
                    metrics::counter!(LIMIT_HITS, "limit" => limit).increment(1);
                }
            }
            _ => {}
        })
    }
}

fn closed() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
}
