//! One connection, to a server or to a cluster: the two differ in how they subscribe and how they take many commands.

use std::{collections::HashMap, sync::Arc};

use deadpool_redis::cluster;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, PushInfo, RedisError, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster_async::ClusterConnection,
};

use crate::bus::wire::slot;

/// Commands to a cluster that are under way at the same time where one pipeline cannot hold them.
const CLUSTER_CONCURRENCY: usize = 64;

/// One connection, pooled or dedicated, to a server or a cluster.
pub(crate) enum Connection {
    Pooled(deadpool_redis::Connection),
    PooledCluster(cluster::Connection),
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Takes the pushes of the server; called on the connection's own task, so it must not block.
pub(crate) type Listener = Arc<dyn Fn(PushInfo) + Send + Sync>;

impl Connection {
    /// Takes it out of the pool, so that it is not used again.
    pub(crate) fn discard(self) {
        match self {
            Self::Pooled(connection) => drop(deadpool_redis::Connection::take(connection)),
            Self::PooledCluster(connection) => drop(cluster::Connection::take(connection)),
            Self::Single(_) | Self::Cluster(_) => {}
        }
    }

    /// Subscribes to channels and ends when all are confirmed. In a cluster these are sharded channels.
    pub(crate) async fn subscribe(&mut self, channels: &[impl AsRef<str>]) -> RedisResult<()> {
        match self {
            Self::Single(connection) => connection.subscribe(names(channels)).await,
            Self::Cluster(connection) => {
                by_slot(channels, |group| {
                    let mut connection = connection.clone();
                    async move { connection.ssubscribe(group).await }
                })
                .await
            }
            Self::Pooled(_) | Self::PooledCluster(_) => Err(no_listener()),
        }
    }

    /// Ends subscriptions.
    pub(crate) async fn unsubscribe(&mut self, channels: &[impl AsRef<str>]) -> RedisResult<()> {
        match self {
            Self::Single(connection) => connection.unsubscribe(names(channels)).await,
            Self::Cluster(connection) => {
                by_slot(channels, |group| {
                    let mut connection = connection.clone();
                    async move { connection.sunsubscribe(group).await }
                })
                .await
            }
            Self::Pooled(_) | Self::PooledCluster(_) => Err(no_listener()),
        }
    }

    /// Subscribes to all channels of a pattern. In a cluster these are unsharded channels, which every node delivers.
    pub(crate) async fn subscribe_pattern(&mut self, pattern: &str) -> RedisResult<()> {
        match self {
            Self::Single(connection) => connection.psubscribe(pattern).await,
            Self::Cluster(connection) => connection.psubscribe(pattern).await,
            Self::Pooled(_) | Self::PooledCluster(_) => Err(no_listener()),
        }
    }

    /// Runs commands of one key each, then sends messages, in a cluster to sharded channels, as [`Self::run_all`] does.
    pub(crate) async fn run_and_publish(
        &mut self,
        mut commands: Vec<Cmd>,
        messages: &[(String, Vec<u8>)],
    ) -> RedisResult<()> {
        let name = publish_command(matches!(self, Self::Cluster(_) | Self::PooledCluster(_)));
        let publish = |(channel, message): &(String, Vec<u8>)| {
            let mut command = redis::cmd(name);
            command.arg(channel).arg(message);
            command
        };
        commands.extend(messages.iter().map(publish));
        self.run_all::<Value>(commands).await.map(drop)
    }

    /// Runs commands of one key each and answers in their order: on one server in one round trip, in a cluster side
    /// by side on their nodes.
    pub(crate) async fn run_all<T: FromRedisValue>(&mut self, commands: Vec<Cmd>) -> RedisResult<Vec<T>> {
        let cluster: &ClusterConnection = match self {
            Self::PooledCluster(connection) => connection,
            Self::Cluster(connection) => connection,
            Self::Pooled(_) | Self::Single(_) => {
                let mut pipeline = Pipeline::with_capacity(commands.len());
                for command in commands {
                    pipeline.add_command(command);
                }
                return pipeline.query_async(self).await;
            }
        };
        let run = |command: Cmd| {
            let mut connection = cluster.clone();
            async move { command.query_async::<T>(&mut connection).await }
        };
        stream::iter(commands).map(run).buffered(CLUSTER_CONCURRENCY).try_collect().await
    }
}

/// The command that sends to a channel, in a cluster to a sharded one.
pub(super) fn publish_command(cluster: bool) -> &'static str {
    if cluster { "SPUBLISH" } else { "PUBLISH" }
}

fn names(channels: &[impl AsRef<str>]) -> Vec<&str> {
    channels.iter().map(AsRef::as_ref).collect()
}

/// Runs a command per slot, for a cluster takes no command whose channels lie in several.
async fn by_slot<R>(channels: &[impl AsRef<str>], command: impl Fn(Vec<String>) -> R) -> RedisResult<()>
where
    R: Future<Output = RedisResult<()>>,
{
    let mut groups = HashMap::<u16, Vec<String>>::new();
    for channel in channels {
        groups.entry(slot::of(channel.as_ref())).or_default().push(channel.as_ref().to_owned());
    }
    stream::iter(groups.into_values()).map(command).buffer_unordered(CLUSTER_CONCURRENCY).try_collect().await
}

fn no_listener() -> RedisError {
    RedisError::from((ErrorKind::Client, "a pooled connection does not listen"))
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Pooled(connection) => connection.req_packed_command(command),
            Self::PooledCluster(connection) => connection.req_packed_command(command),
            Self::Single(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Pooled(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::PooledCluster(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Pooled(connection) => connection.get_db(),
            Self::PooledCluster(connection) => connection.get_db(),
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
