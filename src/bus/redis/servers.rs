//! The Redis server or cluster as the settings name it: pooled connections for ordinary commands, dedicated ones for
//! commands that block and for subscriptions.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use deadpool_redis::{Runtime, cluster};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, ProtocolVersion, PushInfo,
    RedisError, RedisResult, aio::MultiplexedConnection, cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
};
use secrecy::ExposeSecret as _;

use super::connection::{Connection, Listener};
use crate::config::RedisSettings;

/// Longest time of making a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Longest time of an ordinary command.
pub(crate) const RESPONSE: Duration = Duration::from_secs(2);
/// Most pooled connections of one instance.
const POOL_SIZE: usize = 8;

/// Handle to the server or cluster; cheap to clone. Making it connects to nothing.
#[derive(Clone)]
pub struct Servers(Arc<Kind>);

#[expect(clippy::large_enum_variant, reason = "there is one, behind an Arc")]
enum Kind {
    Single { client: Client, pool: deadpool_redis::Pool },
    Cluster { nodes: Vec<ConnectionInfo>, pool: cluster::Pool },
}

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

/// Whether the connection is of no more use after the error: it is broken, or leads to a server that has become a replica.
pub(crate) fn spoils_connection(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || is_replica(error)
}

/// Whether the server refused a write because it has become a replica.
pub(crate) fn is_replica(error: &RedisError) -> bool {
    error.code() == Some("READONLY")
}

/// A command that only a server which takes writes obeys. It has a key of its own, which expires. In a cluster it is obeyed by the server
/// of the key `beside`.
pub(crate) fn probe_write(prefix: &str, beside: &str, instance: &str) -> Cmd {
    let mut command = redis::cmd("SET");
    command.arg(format!("{prefix}:probe:{{{beside}}}")).arg(instance).arg("PX").arg(60_000);
    command
}

/// The answer did not come in time.
pub(crate) fn timed_out() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
}
