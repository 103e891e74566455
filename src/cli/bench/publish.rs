//! The scenario `publish`: a steady load on open streams.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use clap::value_parser;

use super::{
    Common, LoadArgs, load,
    phase::lock,
    process::usage,
    report::{Report, cpu_between, per_second},
};

/// A run's streams keep a record of a bit per notification: this bounds it.
const MOST: u64 = 20_000_000;

/// Flags of `tidings bench publish`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    load: LoadArgs,
    /// Notifications per second, each to one user; 0 is as fast as they are accepted.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = value_parser!(u64).range(0..=1_000_000))]
    rate: u64,
    /// How long to publish.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

/// Runs the scenario; true when nothing was lost, repeated or out of order.
pub async fn run(args: &Args) -> anyhow::Result<(Report, bool)> {
    let Args { common, load, rate, seconds } = args;
    let fleet = common.fleet().await?;
    let opened = fleet.open(256);
    fleet.all_live(&opened, common.patience()).await?;
    let longest = Duration::from_secs(*seconds);
    let total = if *rate == 0 { MOST } else { (rate * seconds).min(MOST) };
    let (before, own_before) = (common.usage()?, usage(&[std::process::id()])?);
    let plan = load.plan(*rate, total, longest);
    let begin = super::phase::micros(fleet.shared.started.elapsed());
    let published = load::publish(plan, fleet.shared.clone(), &load.sender(&common.tenant)).await?;
    let audit = fleet.all_come(&published.accepted, load.grace()).await;
    let (after, own_after) = (common.usage()?, usage(&[std::process::id()])?);

    let deliveries = fleet.shared.deliveries.load(Relaxed);
    let time = Duration::from_micros(fleet.shared.last_delivery.load(Relaxed).saturating_sub(begin));
    let mut report = common.begin("publish", &fleet);
    report.published(&published);
    report.add("deliveriesPerSecond", "delivered per second", per_second(deliveries, time), "/s");
    report.lag(&lock(&fleet.shared.lag), deliveries);
    report.audit(&audit);
    report.retries(&opened.phase);
    report.cpu_per("serverCpuPerDeliveryUs", "server CPU per delivery", cpu_between(before, after), deliveries);
    report.cpu_per(
        "clientCpuPerDeliveryUs",
        "this tool's CPU per delivery",
        cpu_between(own_before, own_after),
        deliveries,
    );
    opened.close().await;
    Ok((report, audit.is_clean()))
}
