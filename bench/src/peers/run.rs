//! A run: opens the streams, looks at the server's memory, publishes phase after phase.

use std::{
    fs::File,
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use clap::Args;

use super::{
    outlet::Outlet,
    report::{Connect, Phase, Report},
    system::System,
};
use crate::{
    clock,
    figures::{
        meter::{Meter, Reading},
        process::{self, memory},
    },
    load::pace::Pace,
    streams::{
        fleet::Fleet,
        protocol::{Job, Order, Outcome, Spread},
        track::Faults,
    },
    target::{Signing, Target, Users},
};

/// Longest time for all streams to open.
const OPENING: Duration = Duration::from_secs(60);
/// Pause after that, in which servers finish the work of the openings.
const SETTLE: Duration = Duration::from_secs(2);
/// Longest wait for deliveries that are still under way.
const DRAIN: Duration = Duration::from_secs(10);
/// How far behind its plan publishing may fall: then the broker does not take that rate.
const BEHIND: Duration = Duration::from_secs(3);

/// The target and the load.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The system under load
    #[arg(long)]
    system: System,
    /// How the table names it
    #[arg(long)]
    label: String,
    /// The scenario's name
    #[arg(long)]
    scenario: String,
    /// The address of the server
    #[arg(long)]
    server: SocketAddr,
    /// The address for publishes: a broker, or the server itself
    #[arg(long)]
    publish_to: Option<SocketAddr>,
    /// The server's process; its children count as well
    #[arg(long)]
    server_pid: u32,
    /// The broker's process; its children count as well
    #[arg(long)]
    broker_pid: Option<u32>,
    /// The database of Tidings' instances, which gets the rows of the announced messages
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Streams to open
    #[arg(long)]
    streams: usize,
    /// Users that they belong to, round robin
    #[arg(long)]
    users: usize,
    /// Most streams that are opening at the same time
    #[arg(long)]
    opening: usize,
    /// Rates and seconds, `10000x8,40000x8`: the first is a warm-up, the last is the one that does not hold
    #[arg(long, value_delimiter = ',', value_parser = phase)]
    phases: Vec<Pace>,
    /// A rate does not hold when the 99th percentile of the lag reaches this, in milliseconds
    #[arg(long, default_value_t = 100.0)]
    p99_ms: f64,
    /// Secret of the clients' tokens
    #[arg(long, default_value = "0123456789abcdef0123456789abcdef")]
    secret: String,
    /// The file for the JSON instead of the standard output
    #[arg(long)]
    output: Option<PathBuf>,
}

fn phase(text: &str) -> Result<Pace, String> {
    let parts = text.split_once('x').and_then(|(rate, seconds)| Some((rate.parse().ok()?, seconds.parse().ok()?)));
    let parts = parts.filter(|(rate, seconds): &(u64, u64)| *rate > 0 && *seconds > 0);
    parts
        .map(|(rate, seconds)| Pace { rate, total: rate * seconds })
        .ok_or_else(|| "a phase is RATExSECONDS".to_owned())
}

/// The parts of a run.
struct Run<'a> {
    options: &'a Options,
    fleet: Fleet,
    meter: Meter,
    /// Faults of the phases so far.
    faults: Faults,
}

/// Runs it and prints the report.
///
/// # Errors
/// When processes or servers are not there.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let report = measure(options).await?;
    let mut out: Box<dyn io::Write> = match &options.output {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => Box::new(io::stdout()),
    };
    serde_json::to_writer_pretty(&mut out, &report)?;
    writeln!(out)?;
    Ok(())
}

async fn measure(options: &Options) -> anyhow::Result<Report> {
    let Options { streams, users, label, scenario, .. } = options;
    ensure!(*users > 0 && streams.is_multiple_of(*users), "every user needs the same number of streams");
    let outlet = match options.publish_to.filter(|_| !options.phases.is_empty()) {
        Some(address) => Some(Outlet::connect(options.system, address)?),
        None => None,
    };
    let servers = vec![options.server_pid];
    let meter = Meter { servers, database: Vec::new(), broker: options.broker_pid.into_iter().collect() };
    let mut run = Run { options, fleet: fleet(options).await?, meter, faults: Faults::default() };
    let connect = run.open().await?;
    let phases = match outlet {
        Some(outlet) => run.publish(outlet).await?,
        None => Vec::new(),
    };
    let retries = run.fleet.outcome(&[], Duration::ZERO).await?.retries;
    let (streams, users) = (*streams as u64, *users as u64);
    Ok(Report { system: label.clone(), scenario: scenario.clone(), streams, users, connect, phases, retries })
}

/// The processes that read the streams, all closed.
async fn fleet(options: &Options) -> anyhow::Result<Fleet> {
    let Options { system, server, streams, .. } = *options;
    let targets = vec![Target { address: server, host: server.to_string(), base: String::new() }];
    let tenant = "default".to_owned();
    let signing = Signing { secret: options.secret.clone(), tenant, issuer: None, audience: None };
    let users = Users::new(options.users, signing);
    let order = if system == System::Tidings { Order::Gapless } else { Order::Numbers };
    let job = Job { targets, users, first: 0, streams, spread: Spread::Even, system, order };
    Fleet::start(job, streams.div_ceil(process::most_streams())).await
}

/// Microseconds of each of so many.
fn each(spent: Option<Duration>, count: u64) -> f64 {
    spent.unwrap_or_default().as_secs_f64() * 1e6 / count.max(1) as f64
}

impl Run<'_> {
    async fn open(&mut self) -> anyhow::Result<Connect> {
        let servers = self.meter.servers.clone();
        let (before, empty) = (self.meter.read()?, memory(&servers)?.unwrap_or_default());
        let opened = self.fleet.open_within(self.options.opening, OPENING).await?.live as u64;
        let spent = self.meter.since(&before)?;
        tokio::time::sleep(SETTLE).await;
        let idle = memory(&servers)?.unwrap_or_default();
        let Outcome { live_after, .. } = self.fleet.outcome(&[], Duration::ZERO).await?;
        Ok(Connect {
            opened,
            unanswered: self.options.streams as u64 - opened,
            opening_at_once: self.options.opening as u64,
            seconds: live_after.milliseconds_at(1.0) / 1000.0,
            p50_ms: live_after.milliseconds_at(0.5),
            p99_ms: live_after.milliseconds_at(0.99),
            server_cpu_us: each(spent.servers, opened),
            load_cpu_us: each(spent.load, opened),
            memory_before_kib: (empty.pss / 1.024) as u64,
            memory_idle_kib: (idle.pss / 1.024) as u64,
        })
    }

    /// Publishes phase after phase until one does not hold.
    async fn publish(&mut self, mut outlet: Outlet) -> anyhow::Result<Vec<Phase>> {
        outlet.prepare(&mut self.fleet, &self.options.phases, self.options.database_url.as_deref()).await?;
        let mut phases: Vec<Phase> = Vec::new();
        let mut first = 0;
        for &pace in &self.options.phases {
            outlet.make_ready(first, pace);
            let before = self.meter.read()?;
            // Under too high a rate a server or its broker may end, which is a result as well.
            let phase;
            (outlet, phase) = match self.hold(outlet, first, pace, &before).await {
                Ok((outlet, phase)) => (outlet, Phase { warm_up: phases.is_empty(), ..phase }),
                Err(error) => {
                    eprintln!("{} at {}/s: {error:#}", self.options.label, pace.rate);
                    break;
                }
            };
            let holds = phase.warm_up || phase.held(self.options.p99_ms);
            phases.push(phase);
            if !holds {
                break;
            }
            first += pace.total;
        }
        Ok(phases)
    }

    /// Holds one rate.
    async fn hold(
        &mut self,
        outlet: Outlet,
        first: u64,
        pace: Pace,
        before: &Reading,
    ) -> anyhow::Result<(Outlet, Phase)> {
        let begin = clock::soon();
        self.fleet.begin(begin, first).await?;
        let (outlet, published) = outlet.send(pace.rate, begin, BEHIND).await?;
        let accepted: Vec<_> = published.checked_sub(1).map(|last| (first, first + last)).into_iter().collect();
        let outcome = self.fleet.outcome(&accepted, DRAIN).await?;
        let spent = self.meter.since(before)?;
        let faults = outcome.faults.since(&self.faults);
        self.faults = outcome.faults;
        let (received, lag) = (outcome.deliveries, &outcome.lag);
        let phase = Phase {
            warm_up: false,
            rate: pace.rate,
            seconds: pace.time().as_secs_f64(),
            planned: pace.total,
            sent: published,
            expected: outcome.expected,
            received,
            lost: outcome.lost,
            repeated: faults.repeated,
            out_of_order: faults.out_of_order,
            foreign: faults.foreign,
            resets: faults.resets,
            p50_ms: lag.milliseconds_at(0.5),
            p99_ms: lag.milliseconds_at(0.99),
            max_ms: lag.milliseconds_at(1.0),
            server_cpu_us: each(spent.servers, received),
            broker_cpu_us: spent.broker.map(|broker| each(Some(broker), published)),
            load_cpu_us: each(spent.load, received),
            bytes: outcome.bytes as f64 / received.max(1) as f64,
        };
        Ok((outlet, phase))
    }
}
