//! The scenario `publish`: a steady load on open streams, every notification stored.

use std::time::Duration;

use clap::value_parser;

use super::CALM;
use crate::{
    clock,
    figures::report::{Report, per_second},
    flags::{Common, LoadArgs},
    load::publishers::Publishers,
    streams::protocol::{Order, Spread},
};

/// A run's streams keep a record of a bit per notification: this bounds it.
const MOST: u64 = 20_000_000;

/// Flags of `tidings-bench publish`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    load: LoadArgs,
    /// Notifications per second, each to one user; 0 is as fast as they are accepted.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = value_parser!(u64).range(0..=1_000_000))]
    rate: u64,
    /// How long to publish.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

/// Runs the scenario.
pub async fn run(args: &Args, common: &Common) -> anyhow::Result<Report> {
    let Args { load, rate, seconds, .. } = args;
    let mut fleet = common.fleet(Spread::Even, Order::Gapless).await?;
    fleet.open(CALM, common.patience()).await?;
    let total = if *rate == 0 { MOST } else { (rate * seconds).min(MOST) };
    let plan = load.plan(*rate, total, Duration::from_secs(*seconds));
    let publishers = Publishers::connect(plan, &fleet.users, &load.sender(&fleet.targets)).await?;

    let meter = common.meter();
    let before = meter.read()?;
    let begin = clock::now();
    fleet.begin(begin, 0).await?;
    let published = publishers.publish(begin).await?;
    let outcome = fleet.outcome(&published.accepted, load.grace()).await?;
    let spent = meter.since(&before)?;

    let window = Duration::from_micros(outcome.last_delivery.saturating_sub(begin)).max(plan.time());
    let mut report = Report::of("publish", &fleet);
    report.published(&published);
    report.add("deliveriesPerSecond", "delivered per second", per_second(outcome.deliveries, window), "/s");
    report.points("lag", "lag", &outcome.lag);
    report.outcome(&outcome);
    report.cpu_per("Notification", "durable notification", &spent, published.count());
    report.cpu_share("CpuPercent", "CPU", &spent);
    Ok(report)
}
