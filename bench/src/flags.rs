//! Flags that several scenarios share, and their meaning.

use std::{path::PathBuf, time::Duration};

use clap::value_parser;
use tidings::domain::user::Tenant;
use url::Url;

use crate::{
    Mistake,
    database::Database,
    figures::{meter::Meter, process},
    load::{
        pace::Pace,
        publishers::Plan,
        sender::{SenderOptions, Via},
    },
    peers::system::System,
    streams::{
        fleet::Fleet,
        protocol::{Job, Order, Spread},
    },
    target::{Signing, Target, Users},
};

/// How the figures are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A Markdown table.
    Table,
    /// One JSON object.
    Json,
}

/// Flags of every scenario.
#[derive(Debug, Clone, clap::Args)]
pub struct Common {
    /// Instances under load, separated by commas; streams are spread over them.
    #[arg(long = "url", value_name = "URL,...", value_delimiter = ',', default_value = "http://127.0.0.1:8080")]
    pub urls: Vec<Url>,
    /// The servers' HS256 secret, which signs the users' tokens; of several, one on each line, the first does.
    #[arg(long, alias = "token-secret", env = "TIDINGS_JWT_SECRET", hide_env_values = true)]
    secret: String,
    /// `iss` of the tokens.
    #[arg(long, env = "TIDINGS_JWT_ISSUER")]
    issuer: Option<String>,
    /// `aud` of the tokens.
    #[arg(long, env = "TIDINGS_JWT_AUDIENCE")]
    audience: Option<String>,
    /// Tenant of the users.
    #[arg(long, default_value = "default")]
    tenant: Tenant,
    /// Streams to open.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub streams: u32,
    /// Users of the streams, round robin; as many as streams when not given.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    users: Option<u32>,
    /// Processes that read the streams; as many as the limit of open files asks for when not given.
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=256))]
    readers: Option<u16>,
    /// Longest wait for all streams to be live, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = value_parser!(u64).range(1..=3600))]
    patience: u64,
    /// The instances' processes on this machine, separated by commas: their processor time and memory are measured.
    #[arg(long = "pid", value_name = "PID,...", value_delimiter = ',')]
    pub pids: Vec<u32>,
    /// Postgres' first process on this machine: processor time of it and of all its children.
    #[arg(long, value_name = "PID")]
    postgres_pid: Option<u32>,
    /// Redis' process on this machine.
    #[arg(long, value_name = "PID")]
    redis_pid: Option<u32>,
    /// Other instances, separated by commas: measured alternately with the first ones, on the same database and Redis.
    #[arg(long, value_name = "URL,...", value_delimiter = ',')]
    pub compare: Vec<Url>,
    /// The processes of the other instances.
    #[arg(long, value_name = "PID,...", value_delimiter = ',', requires = "compare")]
    compare_pid: Vec<u32>,
    /// Runs, of which the medians are shown; 3 when two targets are compared, otherwise 1.
    #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(1..=100))]
    repeat: Option<u8>,
    /// How to print the figures.
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Also write the figures as JSON to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Common {
    /// Starts the readers of the streams that the flags ask for, all closed.
    pub async fn fleet(&self, spread: Spread, order: Order) -> anyhow::Result<Fleet> {
        let streams = self.streams as usize;
        let users = self.users.unwrap_or(self.streams).min(self.streams) as usize;
        let mut targets = Vec::new();
        for url in &self.urls {
            targets.push(Target::resolve(url).await.map_err(|error| Mistake(format!("{error:#}")))?);
        }
        for target in targets.iter().filter(|target| !target.address.ip().is_loopback()) {
            eprintln!("warning: this puts a load on {}, which is not this machine", target.host);
        }
        let readers = self.readers.map_or_else(|| streams.div_ceil(process::most_streams()), usize::from);
        let users = Users::new(users, self.signing());
        let job = Job { targets, users, first: 0, streams, spread, system: System::Tidings, order };
        Fleet::start(job, readers.min(streams)).await
    }

    fn signing(&self) -> Signing {
        Signing {
            secret: self.secret.lines().next().unwrap_or_default().to_owned(),
            tenant: self.tenant.to_string(),
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
        }
    }

    /// The meter of all processes that the flags name.
    pub fn meter(&self) -> Meter {
        let (postgres, redis) = (self.postgres_pid, self.redis_pid);
        Meter {
            servers: self.pids.clone(),
            database: postgres.into_iter().collect(),
            broker: redis.into_iter().collect(),
        }
    }

    /// Longest wait for all streams to be live.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }

    /// How often to run.
    pub fn repeat(&self) -> usize {
        self.repeat.map_or(if self.compare.is_empty() { 1 } else { 3 }, usize::from)
    }

    /// The same flags for the instances to compare with.
    pub fn other(&self) -> Self {
        Self { urls: self.compare.clone(), pids: self.compare_pid.clone(), ..self.clone() }
    }

    /// The same flags with all streams of one user.
    pub fn one_user(&self) -> Self {
        Self { users: Some(1), ..self.clone() }
    }

    /// The same flags with more streams, each of a user of its own, and these instances' processes.
    pub fn with_others(&self, others: u32, pids: &[u32]) -> Self {
        Self { streams: self.streams + others, users: None, pids: pids.to_vec(), ..self.clone() }
    }
}

/// The instances' database, for the scenarios that fill it or look into it.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseArgs {
    /// The instances' database, which is reached without TLS.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

impl DatabaseArgs {
    /// Connects.
    pub async fn connect(&self) -> anyhow::Result<Database> {
        Database::connect(&self.database_url).await
    }
}

/// The instances' Redis, for the scenarios that publish or announce through it.
#[derive(Debug, Clone, clap::Args)]
pub struct RedisArgs {
    /// The instances' Redis.
    #[arg(
        long,
        value_name = "URL",
        env = "REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    pub redis_url: String,
    /// First part of the instances' keys and channels in Redis.
    #[arg(long, env = "TIDINGS_PREFIX", default_value = "tidings")]
    pub prefix: String,
}

/// Flags of the scenarios that publish.
#[derive(Debug, Clone, clap::Args)]
pub struct LoadArgs {
    /// The way in.
    #[arg(long, value_enum, default_value = "http-batch")]
    via: Via,
    #[command(flatten)]
    redis: RedisArgs,
    /// The instances' database of `--via sql`, which is reached without TLS.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    sql_url: Option<String>,
    /// Notifications per request (always 1 with `--via http` and `--via sql`).
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u16).range(1..=1000))]
    batch_size: u16,
    /// Padding in each notification's data.
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = value_parser!(u32).range(0..=65_536))]
    payload_bytes: u32,
    /// Requests at the same time; 8, 64 with `--via http`, 32 with `--via sql`.
    #[arg(long, alias = "publishers", value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    clients: Option<u16>,
    /// Longest wait for the last deliveries, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = value_parser!(u64).range(0..=600))]
    grace: u64,
}

impl LoadArgs {
    /// The same flags with another way in.
    pub fn by(&self, via: Via) -> Self {
        Self { via, ..self.clone() }
    }

    /// The way in, at these servers where it is over HTTP.
    pub fn sender(&self, targets: &[Target]) -> SenderOptions {
        let (redis, database_url) = (self.redis.clone(), self.sql_url.clone());
        SenderOptions { via: self.via, targets: targets.to_vec(), redis, database_url }
    }

    /// The plan of the publishes, from number 0 on.
    pub fn plan(&self, rate: u64, total: u64, longest: Duration) -> Plan {
        let clients = match self.via {
            Via::Http => 64,
            Via::Sql => 32,
            Via::HttpBatch | Via::Xadd | Via::Channel => 8,
        };
        Plan {
            first: 0,
            pace: Pace { rate, total },
            longest,
            batch: if self.via.is_single() { 1 } else { self.batch_size.into() },
            addressed: self.via != Via::Channel,
            payload: self.payload_bytes as usize,
            clients: self.clients.unwrap_or(clients).into(),
        }
    }

    /// Longest wait for the last deliveries.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace)
    }
}
