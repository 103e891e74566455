//! The scenario `storm`: every stream drops at once and comes back at once, with a cursor, and replays the missed changes.

use std::time::Duration;

use anyhow::bail;
use clap::value_parser;

use super::CALM;
use crate::{
    clock,
    figures::{
        activity::{Busiest, Sampling},
        report::{Report, per_second},
    },
    flags::{Common, LoadArgs},
    load::publishers::Publishers,
    streams::protocol::{Order, Spread},
};

const LONGEST: Duration = Duration::from_mins(10);

/// Flags of `tidings-bench storm`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    load: LoadArgs,
    /// Notifications that every user misses while away.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u64).range(0..=1000))]
    missed: u64,
    /// Streams that may be opening at the same time; all when not given.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    concurrency: Option<u32>,
    /// The instances' database, whose busiest second is to be shown.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

/// Runs the scenario.
pub async fn run(args: &Args, common: &Common) -> anyhow::Result<Report> {
    let Args { load, missed, concurrency, database_url, .. } = args;
    let mut fleet = common.fleet(Spread::Even, Order::Gapless).await?;
    fleet.open(CALM, common.patience()).await?;
    fleet.close().await?;

    let plan = load.plan(0, missed * fleet.users.count as u64, LONGEST);
    let publishers = Publishers::connect(plan, &fleet.users, &load.sender(&fleet.targets)).await?;
    let published = publishers.publish(clock::now()).await?;
    if published.accepted.is_empty() && plan.pace.total > 0 {
        bail!("nothing was accepted: {}", published.trouble.unwrap_or_default());
    }

    let meter = common.meter();
    let sampling = match database_url {
        Some(url) => Some(Sampling::begin(url, meter.database.clone()).await?),
        None => None,
    };
    let before = meter.read()?;
    let opened = fleet.open(concurrency.map_or(usize::MAX, |streams| streams as usize), common.patience()).await?;
    let spent = meter.since(&before)?;
    let outcome = fleet.outcome(&published.accepted, load.grace()).await?;

    let streams = fleet.streams as u64;
    let took = Duration::from_secs_f64(opened.live_after.milliseconds_at(1.0) / 1000.0);
    let mut report = Report::of("storm", &fleet);
    report.count("missed", "missed by each user", *missed);
    report.count("accepted", "published meanwhile", published.count());
    report.add("allLiveSeconds", "all live again after", took.as_secs_f64(), "s");
    report.add("reconnectsPerSecond", "reconnects per second", per_second(streams, took), "/s");
    report.points("live", "live after", &opened.live_after);
    report.opened(&outcome);
    report.outcome(&outcome);
    report.cpu_per("Reconnect", "reconnect", &spent, streams);
    if let Some(sampling) = sampling {
        show(&mut report, sampling.finish().await?);
    }
    Ok(report)
}

fn show(report: &mut Report, busiest: Busiest) {
    let Busiest { transactions, rows, cpu_percent } = busiest;
    report.add("postgresTransactionsPerSecond", "Postgres' busiest second: transactions", transactions.round(), "/s");
    report.add("postgresRowsPerSecond", "Postgres' busiest second: rows read", rows.round(), "/s");
    report.maybe("postgresBusiestCpuPercent", "Postgres' busiest second: CPU", cpu_percent, "% of a core");
}
