//! The scenario `storm`: every stream drops at once and comes back at once, with a cursor, to what it missed.

use std::time::Duration;

use anyhow::bail;
use clap::value_parser;

use super::{
    Common, LoadArgs, load,
    phase::lock,
    report::{Report, cpu_between, per_second},
};

/// Streams are opened in peace, so many at the same time, before the storm.
const CALM: usize = 256;
const LONGEST: Duration = Duration::from_mins(10);

/// Flags of `tidings bench storm`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    load: LoadArgs,
    /// Notifications that every user misses while away.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u64).range(0..=1000))]
    missed: u64,
    /// Streams that may be opening at the same time; all when not given.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    concurrency: Option<u32>,
}

/// Runs the scenario; true when nothing was lost, repeated or out of order.
pub async fn run(args: &Args) -> anyhow::Result<(Report, bool)> {
    let Args { common, load, missed, concurrency } = args;
    let fleet = common.fleet().await?;
    let opened = fleet.open(CALM);
    fleet.all_live(&opened, common.patience()).await?;
    opened.close().await;

    let plan = load.plan(0, missed * fleet.shared.users.count as u64, LONGEST);
    let published = load::publish(plan, fleet.shared.clone(), &load.sender(&common.tenant)).await?;
    if published.accepted.is_empty() && plan.total > 0 {
        bail!("nothing was accepted: {}", published.trouble.unwrap_or_default());
    }

    let before = common.usage()?;
    let opened = fleet.open(concurrency.map_or(usize::MAX, |streams| streams as usize));
    let took = fleet.all_live(&opened, common.patience()).await?;
    let after = common.usage()?;
    let audit = fleet.all_come(&published.accepted, load.grace()).await;

    let streams = fleet.len() as u64;
    let mut report = common.begin("storm", &fleet);
    report.published(&published);
    report.add("allLiveSeconds", "all live again after", took.as_secs_f64(), "s");
    report.add("reconnectsPerSecond", "reconnects per second", per_second(streams, took), "/s");
    let points = [("liveP50Ms", "live after, p50", 0.5), ("liveP99Ms", "live after, p99", 0.99)];
    report.times(&lock(&opened.phase.live_after), &points);
    report.opened(&opened.phase);
    report.audit(&audit);
    report.cpu_per("serverCpuPerReconnectUs", "server CPU per reconnect", cpu_between(before, after), streams);
    opened.close().await;
    Ok((report, audit.is_clean()))
}
