//! `tidings bench`: a load on a running deployment, and figures of how it bore it.
//!
//! Every run has users of its own, ends by itself, and counts what was lost, repeated or out of order; any of these
//! is a failed run. Streams are bare sockets on threads of their own, so that the tool takes little of the machine.

mod announce;
mod fleet;
mod http1;
mod idle;
mod load;
mod phase;
mod process;
mod publish;
mod report;
mod scan;
mod sender;
mod storm;
mod stream;
mod target;
mod track;
mod unicast;

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use clap::value_parser;
use url::Url;

use self::{
    fleet::{Fleet, Shared},
    load::Plan,
    report::Report,
    sender::{SenderOptions, Via},
    target::{Target, Users},
};
use super::{Mistake, minter::Minter};
use crate::notification::Tenant;

/// Tokens outlive the longest run.
const TOKEN_LIFETIME: Duration = Duration::from_hours(3);

/// Flags of `tidings bench`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    scenario: Scenario,
}

/// What is measured.
#[derive(Debug, Clone, clap::Subcommand)]
enum Scenario {
    /// Publish at a rate to users with open streams: rates, lag, faults, processor time per delivery.
    Publish(publish::Args),
    /// Announce stored notifications at a rate, each to one user with an open stream: the delivery alone.
    ///
    /// Stores them in bulk first, through `DATABASE_URL`, then announces them over `REDIS_URL`, as the instance that
    /// stored them would have done. The instances must not find them first: run them with
    /// `TIDINGS_HEAD_CHECK_SECONDS=3600`.
    Unicast(unicast::Args),
    /// The same with all streams of one user: each announcement is delivered to all of them.
    ///
    /// The instances need `TIDINGS_MAX_CONNECTIONS_PER_USER` of at least the number of streams, and
    /// `TIDINGS_HEAD_CHECK_SECONDS=3600`.
    Broadcast(unicast::Args),
    /// Open streams and leave them alone: connects per second, memory and processor time per connection.
    Idle(idle::Args),
    /// Drop all streams at once, publish while they are away, come back all at once with cursors.
    Storm(storm::Args),
}

/// Flags of every scenario.
#[derive(Debug, Clone, clap::Args)]
struct Common {
    /// Instances under load, separated by commas; streams are spread over them.
    #[arg(long = "url", value_name = "URL,...", value_delimiter = ',', default_value = "http://127.0.0.1:8080")]
    urls: Vec<Url>,
    /// The servers' HS256 secret, which signs the users' tokens.
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
    streams: u32,
    /// Users that the streams belong to, in turns; as many as streams when not given.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    users: Option<u32>,
    /// Threads that read the streams.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u8).range(1..=16))]
    threads: u8,
    /// Longest wait for all streams to be live, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = value_parser!(u64).range(1..=3600))]
    patience: u64,
    /// The servers' processes on this machine, separated by commas: their processor time and memory are measured.
    #[arg(long = "pid", value_name = "PID,...", value_delimiter = ',')]
    pids: Vec<u32>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// Flags of the scenarios that publish.
#[derive(Debug, Clone, clap::Args)]
struct LoadArgs {
    /// The way in.
    #[arg(long, value_enum, default_value = "http-batch")]
    via: Via,
    /// Redis, for the two ways through it.
    #[arg(
        long,
        value_name = "URL",
        env = "REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    redis_url: String,
    /// First part of the servers' keys and channels in Redis.
    #[arg(long, env = "TIDINGS_PREFIX", default_value = "tidings")]
    prefix: String,
    /// Notifications per request (always 1 with `--via http`).
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u16).range(1..=1000))]
    batch_size: u16,
    /// Padding in each notification's data.
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = value_parser!(u32).range(0..=65_536))]
    payload_bytes: u32,
    /// Requests at the same time; 8, or 64 with `--via http`.
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    publishers: Option<u16>,
    /// Longest wait for the last deliveries, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = value_parser!(u64).range(0..=600))]
    grace: u64,
}

/// Runs the scenario and prints its figures.
///
/// # Errors
/// When it cannot be run, or when anything was lost, repeated or out of order.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let (common, (report, clean)) = match args.scenario {
        Scenario::Publish(args) => (args.common.clone(), publish::run(&args).await?),
        Scenario::Unicast(args) => (args.common.clone(), unicast::run(&args).await?),
        Scenario::Broadcast(args) => (args.common.clone(), unicast::run_broadcast(&args).await?),
        Scenario::Idle(args) => (args.common.clone(), (idle::run(&args).await?, true)),
        Scenario::Storm(args) => (args.common.clone(), storm::run(&args).await?),
    };
    if common.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.table());
    }
    if !clean {
        bail!("the stream's promise was broken: see lost, repeated, out of order, other users', resets");
    }
    Ok(())
}

impl Common {
    /// Checks what the flags ask for and makes the fleet, all streams closed.
    async fn fleet(&self) -> anyhow::Result<Fleet> {
        let streams = self.streams as usize;
        let users = self.users.unwrap_or(self.streams).min(self.streams) as usize;
        process::allow_files(streams).map_err(|error| Mistake(format!("{error:#}")))?;
        let mut targets = Vec::new();
        for url in &self.urls {
            targets.push(Target::resolve(url).await.map_err(|error| Mistake(format!("{error:#}")))?);
        }
        for target in targets.iter().filter(|target| !target.address.ip().is_loopback()) {
            eprintln!("warning: this puts a load on {}, which is not this machine", target.host);
        }
        let minter = Minter::new(&self.secret, self.tenant.clone(), TOKEN_LIFETIME)
            .naming(self.issuer.clone(), self.audience.clone());
        Fleet::new(Arc::new(Shared::new(targets, Users::new(users, minter))), streams, self.threads.into())
    }

    fn usage(&self) -> anyhow::Result<Option<process::Usage>> {
        process::usage(&self.pids)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }

    fn begin(&self, scenario: &'static str, fleet: &Fleet) -> Report {
        let mut report = Report::new(scenario);
        report.count("streams", "streams", fleet.len() as u64);
        report.count("users", "users", fleet.shared.users.count as u64);
        report.count("instances", "instances", self.urls.len() as u64);
        report
    }
}

impl LoadArgs {
    fn sender(&self, tenant: &Tenant) -> SenderOptions {
        let (redis_url, prefix) = (self.redis_url.clone(), self.prefix.clone());
        SenderOptions { via: self.via, redis_url, prefix, tenant: tenant.to_string() }
    }

    fn plan(&self, rate: u64, total: u64, longest: Duration) -> Plan {
        let single = self.via == Via::Http;
        Plan {
            rate,
            total,
            longest,
            batch: if single { 1 } else { self.batch_size.into() },
            addressed: self.via != Via::Channel,
            payload: self.payload_bytes as usize,
            publishers: self.publishers.unwrap_or(if single { 64 } else { 8 }).into(),
        }
    }

    fn grace(&self) -> Duration {
        Duration::from_secs(self.grace)
    }
}
