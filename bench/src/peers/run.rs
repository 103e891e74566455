//! A run: opens the streams, looks at the server's memory, publishes phase after phase.

use std::{
    fs::File,
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process, thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, ensure};
use clap::Args;

use super::{
    publisher::{Plan, Publisher},
    receiver::{Receiver, Shared},
    record::Record,
    report::{Connect, Phase, Report},
    system::{Cursor, System},
    token::Signer,
    usage,
};

/// Longest time for all streams to open.
const OPENING: Duration = Duration::from_secs(60);
/// Pause after that, in which servers finish what the openings began.
const SETTLE: Duration = Duration::from_secs(2);
/// How long deliveries are waited for while some still come, and in all.
const QUIET: Duration = Duration::from_secs(2);
const DRAIN: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(2);

/// What to load, and how.
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
    /// Where the server listens
    #[arg(long)]
    server: SocketAddr,
    /// Where to publish: a broker, or the server itself
    #[arg(long)]
    publish_to: Option<SocketAddr>,
    /// The server's process; its children count as well
    #[arg(long)]
    server_pid: u32,
    /// The broker's process; its children count as well
    #[arg(long)]
    broker_pid: Option<u32>,
    /// Streams to open
    #[arg(long)]
    streams: u64,
    /// Users that they belong to in turn
    #[arg(long)]
    users: u64,
    /// Most streams that are opening at the same time
    #[arg(long)]
    opening: usize,
    /// Rates and seconds, `10000x8,40000x8`: the first is a warm-up, the last is the one that does not hold
    #[arg(long, value_delimiter = ',', value_parser = phase)]
    phases: Vec<(u64, u64)>,
    /// A rate does not hold when the 99th percentile of the lag reaches this, in milliseconds
    #[arg(long, default_value_t = 100.0)]
    p99_ms: f64,
    /// Secret of the clients' tokens
    #[arg(long, default_value = "0123456789abcdef0123456789abcdef")]
    secret: String,
    /// Where the JSON goes instead of the standard output
    #[arg(long)]
    output: Option<PathBuf>,
}

fn phase(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('x').and_then(|(rate, seconds)| Some((rate.parse().ok()?, seconds.parse().ok()?)));
    parts.filter(|(rate, seconds)| *rate > 0 && *seconds > 0).ok_or_else(|| "a phase is RATExSECONDS".to_owned())
}

/// Runs it and prints the report.
///
/// # Errors
/// When processes or servers are not there.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let report = measure(options)?;
    let mut out: Box<dyn io::Write> = match &options.output {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => Box::new(io::stdout()),
    };
    serde_json::to_writer_pretty(&mut out, &report)?;
    writeln!(out)?;
    Ok(())
}

fn measure(options: &Options) -> anyhow::Result<Report> {
    ensure!(
        options.users > 0 && options.streams.is_multiple_of(options.users),
        "every user needs the same number of streams"
    );
    let publisher = match options.publish_to.filter(|_| !options.phases.is_empty()) {
        Some(address) => Some(Publisher::connect(options.system, address)?),
        None => None,
    };
    let shared = Shared::new(options.users)?;
    let receiver = Receiver {
        shared: &shared,
        system: options.system,
        server: options.server,
        requests: requests(options)?,
        users: options.users,
        opening: options.opening,
        answers: publisher.as_ref().map_or(Ok(Vec::new()), Publisher::answers)?,
    };
    let gauge = Gauge { server: vec![options.server_pid], broker: options.broker_pid.into_iter().collect() };
    thread::scope(|scope| {
        let before = gauge.read()?;
        let memory_before_kib = usage::memory_kib(&gauge.server)?;
        let thread = scope.spawn(|| receiver.run());
        let outcome = (|| {
            let connect = await_open(options, &shared, &gauge, before, memory_before_kib)?;
            let phases = publisher.map_or(Ok(Vec::new()), |publisher| publish(options, &shared, &gauge, publisher))?;
            anyhow::Ok((connect, phases))
        })();
        shared.stop();
        thread.join().map_err(|_| anyhow::anyhow!("the receiver panicked"))??;
        let (connect, phases) = outcome?;
        Ok(Report {
            system: options.label.clone(),
            scenario: options.scenario.clone(),
            streams: options.streams,
            users: options.users,
            connect,
            phases,
            ended: shared.seen().ended as u64,
        })
    })
}

fn requests(options: &Options) -> anyhow::Result<Vec<Vec<u8>>> {
    let signer = Signer::new(&options.secret)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    Ok((0..options.streams).map(|index| options.system.request(index % options.users, &signer, now)).collect())
}

/// Reads processor times of server, broker and this program.
struct Gauge {
    server: Vec<u32>,
    broker: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Times {
    server: Duration,
    broker: Duration,
    load: Duration,
}

impl Gauge {
    fn read(&self) -> anyhow::Result<Times> {
        let [server, broker] = [&self.server, &self.broker].map(|pids| usage::cpu(pids));
        Ok(Times { server: server?, broker: broker?, load: usage::cpu(&[process::id()])? })
    }
}

/// Microseconds between two readings for each of so many.
fn each(after: Duration, before: Duration, count: u64) -> f64 {
    after.saturating_sub(before).as_secs_f64() * 1e6 / count.max(1) as f64
}

fn await_open(
    options: &Options,
    shared: &Shared,
    gauge: &Gauge,
    before: Times,
    memory_before_kib: u64,
) -> anyhow::Result<Connect> {
    let patience = Instant::now() + OPENING;
    let settled = || {
        let seen = shared.seen();
        (seen.opened + seen.failed) as u64
    };
    while settled() < options.streams && Instant::now() < patience {
        thread::sleep(LOOK);
    }
    let after = gauge.read()?;
    thread::sleep(SETTLE);
    let memory_idle_kib = usage::memory_kib(&gauge.server)?;
    let seen = shared.seen();
    let opened = seen.opened as u64;
    Ok(Connect {
        opened,
        refused: seen.failed as u64,
        unanswered: options.streams - opened - seen.failed as u64,
        opening_at_once: options.opening as u64,
        seconds: seen.opening.as_secs_f64(),
        p50_ms: seen.connect.quantile_ms(0.5),
        p99_ms: seen.connect.quantile_ms(0.99),
        server_cpu_us: each(after.server, before.server, opened),
        load_cpu_us: each(after.load, before.load, opened),
        memory_before_kib,
        memory_idle_kib,
    })
}

/// Publishes phase after phase until one does not hold.
fn publish(options: &Options, shared: &Shared, gauge: &Gauge, mut publisher: Publisher) -> anyhow::Result<Vec<Phase>> {
    let cursors = shared.seen().cursors.clone();
    let mut phases: Vec<Phase> = Vec::new();
    let mut first = 0;
    for &(rate, seconds) in &options.phases {
        let plan = Plan { first, count: rate * seconds, rate, began: Instant::now() };
        shared.seen().record = Record::begin(first, plan.began)?;
        // Under too high a rate a server or its broker may end, which is a result as well.
        let mut phase = match hold(options, shared, gauge, &mut publisher, plan, &cursors) {
            Ok(phase) => phase,
            Err(error) => {
                eprintln!("{} at {rate}/s: {error:#}", options.label);
                break;
            }
        };
        phase.warm_up = phases.is_empty();
        let holds = phase.warm_up || phase.held(options.p99_ms);
        phases.push(phase);
        if !holds {
            break;
        }
        first += plan.count;
    }
    Ok(phases)
}

/// Holds one rate.
fn hold(
    options: &Options,
    shared: &Shared,
    gauge: &Gauge,
    publisher: &mut Publisher,
    plan: Plan,
    cursors: &[Cursor],
) -> anyhow::Result<Phase> {
    let before = gauge.read()?;
    let sent = publisher.publish(plan, cursors)?;
    let expected = sent * (options.streams / options.users);
    drain(shared, expected);
    let after = gauge.read()?;
    let seen = shared.seen();
    let (counts, lag) = (seen.record.counts, &seen.record.lag);
    let received = counts.received;
    Ok(Phase {
        warm_up: false,
        rate: plan.rate,
        seconds: plan.count as f64 / plan.rate as f64,
        planned: plan.count,
        sent,
        expected,
        received,
        lost: expected.saturating_sub(received),
        repeated: counts.repeated,
        out_of_order: counts.out_of_order,
        foreign: counts.foreign,
        late: counts.late,
        p50_ms: lag.quantile_ms(0.5),
        p99_ms: lag.quantile_ms(0.99),
        max_ms: lag.quantile_ms(1.0),
        server_cpu_us: each(after.server, before.server, received),
        broker_cpu_us: options.broker_pid.map(|_| each(after.broker, before.broker, sent)),
        load_cpu_us: each(after.load, before.load, received),
        bytes: counts.bytes as f64 / received.max(1) as f64,
    })
}

/// Waits for what is still under way.
fn drain(shared: &Shared, expected: u64) {
    let end = Instant::now() + DRAIN;
    let mut last = (0, Instant::now());
    while Instant::now() < end && last.1.elapsed() < QUIET {
        let received = shared.seen().record.counts.received;
        if received >= expected {
            return;
        }
        if received > last.0 {
            last = (received, Instant::now());
        }
        thread::sleep(LOOK);
    }
}
