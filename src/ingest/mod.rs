//! The ways in beside HTTP: Redis channels (fire and forget), a Redis stream and an inlet for SQL (durable). Wire form to publish,
//! nothing more.
//!
//! Everything is stored by the one write path; a message that cannot be stored becomes a dead letter with its reason.

mod attempt;
mod channels;
mod cure;
mod dead_letter;
mod deduplicate;
mod entry;
pub(crate) mod inlet;
mod signals;
mod stream;
mod subscription;
mod write_probe;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt as _};
use redis::RedisResult;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    actions::{
        publish::{Accepted, Publisher, Refused},
        signals::Signals,
    },
    bus::redis::{
        Servers,
        connection::Connection,
        servers::{RESPONSE, spoils_connection, timed_out},
    },
    config::PublishSettings,
    domain::{kinds::Kinds, notification::NewNotification},
    health::Health,
};

/// The write path as ingest sees it: [`Publisher::publish`].
pub(crate) type Publish = Arc<
    dyn Fn(Vec<NewNotification>) -> BoxFuture<'static, Result<Vec<Result<Accepted, Refused>>, Refused>> + Send + Sync,
>;

/// The write path of a publisher.
pub(crate) fn through(publisher: Publisher) -> Publish {
    Arc::new(move |items| {
        let publisher = publisher.clone();
        async move { publisher.publish(items).await }.boxed()
    })
}

/// The parts that ingest uses.
#[derive(Clone)]
pub(crate) struct Ingest {
    /// The Redis that is listened to.
    pub(crate) servers: Servers,
    /// First part of every key and channel.
    pub(crate) prefix: String,
    /// This instance's name among the stream's consumers; no two that run may share one.
    pub(crate) instance: String,
    /// Bounds of messages and of transactions.
    pub(crate) limits: PublishSettings,
    /// The kinds registry.
    pub(crate) kinds: Kinds,
    /// The write path.
    pub(crate) publish: Publish,
    /// Where the state of each way in is noted.
    pub(crate) health: Arc<Health>,
    /// How long an entry of the stream may lie unacknowledged before another instance takes it over.
    pub(crate) reclaim_idle: Duration,
}

/// [`Ingest::reclaim_idle`] unless a test is in a hurry.
pub(crate) const RECLAIM_IDLE: Duration = Duration::from_secs(30);

impl Ingest {
    /// Starts to read channels and the stream until the stop; then it finishes the messages that it has read. Redis may be away, now or
    /// later.
    pub(crate) fn start(self, stop: &CancellationToken, tracker: &TaskTracker) {
        let shared = Arc::new(self);
        tracker.spawn(channels::run(shared.clone(), stop.clone()));
        tracker.spawn(stream::run(shared.clone(), stop.clone()));
        tracker.spawn(write_probe::run(shared, stop.clone()));
    }

    /// Starts listening to signals too.
    pub(crate) fn start_signals(&self, signals: Signals, stop: &CancellationToken, tracker: &TaskTracker) {
        tracker.spawn(signals::run(Arc::new(self.clone()), signals, stop.clone()));
    }

    /// Does something on a pooled connection within the time of an ordinary command.
    async fn with_connection<T>(&self, action: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>) -> RedisResult<T> {
        let mut connection = self.servers.pooled().await?;
        let result = timeout(RESPONSE, action(&mut connection)).await.unwrap_or_else(|_| Err(timed_out()));
        if result.as_ref().is_err_and(spoils_connection) {
            connection.discard();
        }
        result
    }
}
