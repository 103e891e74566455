//! The scenario `idle`: many open streams with heartbeats only.

use std::time::Duration;

use clap::value_parser;

use crate::{
    figures::{
        process::{Memory, memory},
        report::{Report, per_second},
    },
    flags::Common,
    streams::protocol::{Order, Spread},
};

/// Flags of `tidings-bench idle`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    /// How long to leave the streams alone; longer than a heartbeat to see its cost.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Streams that may be opening at the same time.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = value_parser!(u32).range(1..=100_000))]
    concurrency: u32,
}

/// Runs the scenario.
pub async fn run(args: &Args, common: &Common) -> anyhow::Result<Report> {
    let Args { seconds, concurrency, .. } = args;
    let meter = common.meter();
    let mut fleet = common.fleet(Spread::Even, Order::Gapless).await?;
    let (before, empty) = (meter.read()?, memory(&common.pids)?);
    let opened = fleet.open(*concurrency as usize, common.patience()).await?;
    let (connecting, open) = (meter.since(&before)?, memory(&common.pids)?);
    let before = meter.read()?;
    tokio::time::sleep(Duration::from_secs(*seconds)).await;
    let (idling, after) = (meter.since(&before)?, memory(&common.pids)?);
    let outcome = fleet.outcome(&[], Duration::ZERO).await?;

    let streams = fleet.streams as u64;
    let took = Duration::from_secs_f64(opened.live_after.milliseconds_at(1.0) / 1000.0);
    let mut report = Report::of("idle", &fleet);
    report.add("connectsPerSecond", "connects per second", per_second(streams, took), "/s");
    report.points("live", "live after", &opened.live_after);
    report.opened(&outcome);
    report.cpu_per("Connect", "connect", &connecting, streams);
    each(&mut report, [empty, open, after], streams as f64);
    report.cpu_share("IdleCpuPercent", "CPU while idle", &idling);
    report.outcome(&outcome);
    Ok(report)
}

/// Adds the memory of each stream.
fn each(report: &mut Report, [empty, open, after]: [Option<Memory>; 3], streams: f64) {
    let rss = |now: Option<Memory>| Some((now?.rss - empty?.rss) / streams);
    let pss = after.zip(empty).map(|(after, empty)| (after.pss - empty.pss) / streams);
    report.maybe("rssPerStreamKb", "server memory per stream (RSS)", rss(after), "KB");
    report.maybe("pssPerStreamKb", "server memory per stream (PSS)", pss, "KB");
    report.maybe("rssPerStreamOpenedKb", "the same (RSS) as soon as all were open", rss(open), "KB");
    report.maybe("rssBeforeMb", "server memory before (RSS)", empty.map(|memory| memory.rss / 1000.0), "MB");
    report.maybe("rssMb", "server memory with all open (RSS)", after.map(|memory| memory.rss / 1000.0), "MB");
}
