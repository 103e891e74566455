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

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt as _};
use redis::RedisResult;
use tokio::{
    task::{JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

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
    /// Takes in until the stop, signals too if they are given. The panic of a part is one of the whole.
    pub(crate) async fn run(self, signals: Option<Signals>, stop: CancellationToken) {
        let (shared, mut parts) = (Arc::new(self), JoinSet::new());
        parts.spawn(channels::run(shared.clone(), stop.clone()));
        parts.spawn(stream::run(shared.clone(), stop.clone()));
        parts.spawn(write_probe::run(shared.clone(), stop.clone()));
        if let Some(signals) = signals {
            parts.spawn(signals::run(shared, signals, stop));
        }
        while let Some(ended) = parts.join_next().await {
            if let Err(panic) = ended.map_err(JoinError::try_into_panic) {
                resume_unwind(panic.unwrap_or_else(|error| Box::new(error.to_string())));
            }
        }
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
