//! The Redis server or cluster as the settings name it: pooled connections for ordinary commands, dedicated ones for
//! what blocks or listens.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use deadpool_redis::{Runtime, cluster};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo as _, Pipeline,
    ProtocolVersion, PushInfo, RedisError, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
};
use secrecy::ExposeSecret as _;

use crate::config::RedisSettings;

/// Longest time of making a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Longest time of an ordinary command.
pub(crate) const RESPONSE: Duration = Duration::from_secs(2);
/// Most pooled connections of one instance.
const POOL_SIZE: usize = 8;
/// Commands to a cluster that are under way at the same time where one pipeline cannot hold them.
const CLUSTER_CONCURRENCY: usize = 64;

/// Handle to the server or cluster; cheap to clone. Making it connects to nothing.
#[derive(Clone)]
pub struct Servers(Arc<Kind>);

enum Kind {
    Single { client: Client, pool: deadpool_redis::Pool },
    Cluster { nodes: Vec<ConnectionInfo>, pool: cluster::Pool },
}

/// One connection, pooled or dedicated, to a server or a cluster.
pub(crate) enum Connection {
    Pooled(deadpool_redis::Connection),
    PooledCluster(cluster::Connection),
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Takes what the server pushes; called on the connection's own task, so it must not block.
pub(crate) type Listener = Arc<dyn Fn(PushInfo) + Send + Sync>;

impl Servers {
    /// Takes the settings.
    ///
    /// # Errors
    /// When a URL is none of Redis.
    pub fn new(settings: &RedisSettings) -> anyhow::Result<Self> {
        let nodes = settings.urls.iter().map(|url| resp3(url.expose_secret())).collect::<RedisResult<Vec<_>>>();
        // The error may quote the URL, and with it the password.
        let nodes = nodes.map_err(|_| anyhow::anyhow!("a Redis URL is malformed"))?;
        let kind = if settings.cluster { clustered(nodes)? } else { single(nodes)? };
        Ok(Self(Arc::new(kind)))
    }

    /// Whether they form a cluster.
    pub fn is_cluster(&self) -> bool {
        matches!(*self.0, Kind::Cluster { .. })
    }

    /// A pooled connection for ordinary commands.
    pub(crate) async fn pooled(&self) -> RedisResult<Connection> {
        match &*self.0 {
            Kind::Single { pool, .. } => pool.get().await.map(Connection::Pooled).map_err(pool_error),
            Kind::Cluster { pool, .. } => pool.get().await.map(Connection::PooledCluster).map_err(pool_error),
        }
    }

    /// Drops all idle pooled connections: they may lead to a server that is no longer the right one.
    pub(crate) fn drop_idle(&self) {
        match &*self.0 {
            Kind::Single { pool, .. } => drop(pool.retain(|_, _| false)),
            Kind::Cluster { pool, .. } => drop(pool.retain(|_, _| false)),
        }
    }

    /// A connection of its own, whose commands may take `response`, and which hands pushes to the listener.
    pub(crate) async fn dedicated(&self, response: Duration, listener: Option<Listener>) -> RedisResult<Connection> {
        let connecting = async {
            match &*self.0 {
                Kind::Single { client, .. } => connect(client, response, listener).await.map(Connection::Single),
                Kind::Cluster { nodes, .. } => join(nodes, response, listener).await.map(Connection::Cluster),
            }
        };
        // The bounds of the client's own do not cover a handshake that stalls.
        tokio::time::timeout(CONNECT + RESPONSE, connecting).await.unwrap_or_else(|_| Err(timed_out()))
    }
}

/// A connection's address and login, with the protocol that pushes messages besides answers.
fn resp3(url: &str) -> RedisResult<ConnectionInfo> {
    let info = url.into_connection_info()?;
    let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(redis))
}

fn single(mut nodes: Vec<ConnectionInfo>) -> anyhow::Result<Kind> {
    anyhow::ensure!(nodes.len() == 1, "several Redis URLs make sense for a cluster only");
    let node = nodes.remove(0);
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(RESPONSE));
    let manager = deadpool_redis::Manager::new_with_config(node.clone(), config).context("cannot use the Redis URL")?;
    let pool = deadpool_redis::Pool::builder(manager)
        .max_size(POOL_SIZE)
        .runtime(Runtime::Tokio1)
        .timeouts(timeouts())
        .build()
        .context("cannot make the Redis pool")?;
    Ok(Kind::Single { client: Client::open(node).context("cannot use the Redis URL")?, pool })
}

fn clustered(nodes: Vec<ConnectionInfo>) -> anyhow::Result<Kind> {
    let manager = cluster::Manager::new(nodes.clone(), false).context("cannot use the Redis URLs")?;
    let pool = cluster::Pool::builder(manager)
        .max_size(POOL_SIZE)
        .runtime(Runtime::Tokio1)
        .timeouts(timeouts())
        .build()
        .context("cannot make the Redis pool")?;
    Ok(Kind::Cluster { nodes, pool })
}

fn timeouts() -> deadpool_redis::Timeouts {
    deadpool_redis::Timeouts { wait: Some(RESPONSE), create: Some(CONNECT + RESPONSE), recycle: Some(RESPONSE) }
}

async fn connect(
    client: &Client,
    response: Duration,
    listener: Option<Listener>,
) -> RedisResult<MultiplexedConnection> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(response));
    let config = match listener {
        Some(listener) => config.set_push_sender(hand_to(listener)),
        None => config,
    };
    client.get_multiplexed_async_connection_with_config(&config).await
}

async fn join(
    nodes: &[ConnectionInfo],
    response: Duration,
    listener: Option<Listener>,
) -> RedisResult<ClusterConnection> {
    let builder = ClusterClientBuilder::new(nodes.to_vec())
        .use_protocol(ProtocolVersion::RESP3)
        .connection_timeout(CONNECT)
        .response_timeout(response)
        .retries(3);
    let builder = match listener {
        Some(listener) => builder.push_sender(hand_to(listener)),
        None => builder,
    };
    builder.build()?.get_async_connection().await
}

fn hand_to(listener: Listener) -> impl Fn(PushInfo) -> Result<(), ()> + Send + Sync + 'static {
    move |push| {
        listener(push);
        Ok(())
    }
}

fn pool_error(error: deadpool_redis::PoolError) -> RedisError {
    match error {
        deadpool_redis::PoolError::Backend(error) => error,
        deadpool_redis::PoolError::Timeout(_) => timed_out(),
        other => RedisError::from((ErrorKind::Io, "no pooled connection", other.to_string())),
    }
}

/// The answer did not come in time.
pub(crate) fn timed_out() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
}

impl Connection {
    /// Takes it out of the pool, so that nobody uses it again.
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

    /// Subscribes to all channels of a pattern, in a cluster to the unsharded ones, which every node hears.
    pub(crate) async fn subscribe_pattern(&mut self, pattern: &str) -> RedisResult<()> {
        match self {
            Self::Single(connection) => connection.psubscribe(pattern).await,
            Self::Cluster(connection) => connection.psubscribe(pattern).await,
            Self::Pooled(_) | Self::PooledCluster(_) => Err(no_listener()),
        }
    }

    /// Sends messages to channels, in a cluster to sharded ones.
    pub(crate) async fn publish(&mut self, messages: &[(String, Vec<u8>)]) -> RedisResult<()> {
        let sharded = matches!(self, Self::Cluster(_) | Self::PooledCluster(_));
        let publish = |(channel, message): &(String, Vec<u8>)| {
            let mut command = redis::cmd(if sharded { "SPUBLISH" } else { "PUBLISH" });
            command.arg(channel).arg(message);
            command
        };
        self.run_all::<Value>(messages.iter().map(publish).collect()).await.map(drop)
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

fn names(channels: &[impl AsRef<str>]) -> Vec<&str> {
    channels.iter().map(AsRef::as_ref).collect()
}

/// Runs a command per slot, for a cluster takes no command whose channels lie in several.
async fn by_slot<R>(channels: &[impl AsRef<str>], command: impl Fn(Vec<String>) -> R) -> RedisResult<()>
where
    R: Future<Output = RedisResult<()>>,
{
    let mut groups = std::collections::HashMap::<u16, Vec<String>>::new();
    for channel in channels {
        groups.entry(super::slot::of(channel.as_ref())).or_default().push(channel.as_ref().to_owned());
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
