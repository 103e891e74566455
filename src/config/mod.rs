//! Settings in force: one struct of final, validated types.
//!
//! Their written form is in [`options`], their sources are in `sources`, their bounds in `validate`. No other module reads the
//! environment.

mod mask;
pub mod options;
mod origins;
mod pem;
mod reload;
mod secrets;
mod sources;
#[cfg(test)]
mod tests;
mod validate;

use std::{env, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;
use url::Url;

pub use self::{
    origins::Origins,
    pem::PublicKey,
    secrets::{Secrets, WrongLine},
};
use crate::domain::kinds::Seed;

/// The faults of the settings: one line for each of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Invalid(pub Vec<String>);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "these settings cannot be used:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// The process' environment; bytes that are not Unicode are replaced.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// The configuration of an instance.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address at which HTTP is served.
    pub listen: SocketAddr,
    /// How long an idle connection is kept; the usual proxies' own limits are shorter, so that it is the proxy that closes.
    pub keep_alive: Duration,
    /// The directory of the embedded database and of a generated secret.
    pub data_dir: PathBuf,
    /// First part of every Redis key and channel.
    pub prefix: String,
    /// The Postgres server; none means the embedded one.
    pub database: Option<DatabaseSettings>,
    /// The Redis server; none means that Postgres carries the bus, or nothing where Postgres is embedded.
    pub redis: Option<RedisSettings>,
    /// How often a probe message is sent over the bus; three missed ones mean a broken path.
    pub probe_interval: Duration,
    /// Tokens.
    pub auth: AuthSettings,
    /// Streams.
    pub stream: StreamSettings,
    /// Publishing.
    pub publish: PublishSettings,
    /// Kinds that are known to all tenants.
    pub kinds: Seed,
    /// Most topics that one user is subscribed to.
    pub subscriptions: usize,
    /// How long a user counts as present after the end of the user's last stream.
    pub presence_grace: Duration,
    /// Signals.
    pub signals: SignalSettings,
    /// How long things are kept.
    pub retention: RetentionSettings,
    /// Origins that a browser may call from, besides the server's own.
    pub cors_origins: Origins,
    /// Lines to log; none means what `RUST_LOG` says.
    pub log: Option<String>,
    /// Time between the signal to stop and the drain.
    pub drain_delay: Duration,
    /// Longest time of the drain.
    pub drain: Duration,
}

/// A Postgres server.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host/database?sslmode=...`
    pub url: SecretString,
    /// Most connections of this instance.
    pub pool_size: usize,
    /// Longest time of one statement.
    pub statement_timeout: Duration,
    /// Run the migrations on start.
    pub migrate: bool,
}

/// A Redis server or cluster.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://` or `rediss://`; several, separated by commas, for a cluster.
    pub urls: Vec<SecretString>,
    /// Use Redis Cluster and sharded pub/sub.
    pub cluster: bool,
}

/// How tokens are verified.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// HS256 secrets.
    pub secrets: Option<Secrets>,
    /// RSA, P-256, P-384 or Ed25519 public keys.
    pub public_keys: Vec<PublicKey>,
    /// The address of a JSON Web Key Set.
    pub jwks_url: Option<Url>,
    /// Required `iss`.
    pub issuer: Option<String>,
    /// Required `aud`.
    pub audience: Option<String>,
    /// Allowed difference of clocks.
    pub leeway: Duration,
    /// Name of the cookie that may contain a token.
    pub cookie: String,
    /// Accept `?token=` on the stream.
    pub query_token: bool,
}

impl AuthSettings {
    /// Whether tokens can be verified without a generated secret.
    pub fn has_key(&self) -> bool {
        self.secrets.is_some() || !self.public_keys.is_empty() || self.jwks_url.is_some()
    }
}

/// Bounds and rhythms of streams.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// Whether streams over plain HTTP/1 leave the HTTP server, where the platform can.
    pub takeover: bool,
    /// Time between heartbeats.
    pub heartbeat: Duration,
    /// A stream is rotated after 75 to 100 % of this.
    pub max_lifetime: Duration,
    /// Most connections of one user on one instance.
    pub per_user: usize,
    /// Most connections of one instance.
    pub per_instance: usize,
    /// Most changes between a cursor and the head that are replayed; more is a reset.
    pub max_replay: u64,
    /// Rows of one replay page.
    pub page_rows: usize,
    /// Frames kept per user in memory.
    pub ring_frames: usize,
    /// Bytes of frames kept per user in memory.
    pub ring_bytes: usize,
    /// Signals kept per user in memory until all of the user's connections have got them.
    pub signal_ring: usize,
    /// How long a client may accept no bytes before its connection is dropped.
    pub write_stall: Duration,
    /// Most messages a second of one client over a WebSocket; twice as many may come at once.
    pub messages_per_second: u32,
    /// Lower bound of the reconnect delay that clients get; each gets a delay between this and twice this.
    pub retry: Duration,
    /// Time between head checks while the bus is well.
    pub head_check: Duration,
}

/// Bounds and rhythms of publishing.
#[derive(Debug, Clone)]
pub struct PublishSettings {
    /// Most bytes of one notification's body (JSON); a batch may have sixteen times this.
    pub body_bytes: usize,
    /// Most recipients of one notification.
    pub recipients: usize,
    /// Most publishes to topics or to everyone of one tenant that are still being carried out.
    pub open_fanouts: usize,
    /// Most items of a batch request.
    pub batch_items: usize,
    /// Most inbox rows of one transaction.
    pub commit_rows: usize,
    /// Transactions that write at the same time.
    pub writers: usize,
    /// Most publishes that wait for a transaction.
    pub queue: usize,
    /// Time between looks for publishes of the SQL functions.
    pub inlet_look: Duration,
    /// Whether to listen for those that ask to be taken at once.
    pub inlet_listen: bool,
}

/// Bounds of signals.
#[derive(Debug, Clone)]
pub struct SignalSettings {
    /// Most bytes of a signal's data (JSON).
    pub data_bytes: usize,
    /// Most signals a second of one user, at each instance.
    pub per_user: u32,
    /// Most signals a second of a tenant's publishers, at each instance.
    pub per_tenant: u32,
}

/// How long things are kept.
#[derive(Debug, Clone)]
pub struct RetentionSettings {
    /// A notification leaves inboxes after this at the latest.
    pub keep: Duration,
    /// How long data that left the inbox is kept, for clients that were away and for idempotency keys (24 h at least).
    pub remember: Duration,
    /// Time between sweeps.
    pub sweep: Duration,
}
