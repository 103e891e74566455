//! The scenarios `unicast` and `broadcast`: from the bus to the sockets, without the share of storing.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use anyhow::bail;
use clap::value_parser;

use super::{
    Common, announce,
    fleet::Fleet,
    load::Plan,
    phase::lock,
    process::usage,
    report::{Report, cpu_between, per_second},
};
use crate::config::{Settings, options::Options};

/// Announcements wait in memory: this bounds them.
const MOST: u64 = 5_000_000;
/// Notifications are held back as if they were due in the far future until announcing begins.
const NOT_YET: u64 = u64::MAX / 2;

/// Flags of `tidings bench unicast` and `broadcast`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) common: Common,
    /// Announcements per second, evenly spread.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=1_000_000))]
    rate: Option<u64>,
    /// How long to announce.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Padding in each notification's data.
    #[arg(long, value_name = "BYTES", default_value_t = 0, value_parser = value_parser!(u32).range(0..=65_536))]
    payload_bytes: u32,
    /// The instances' database; `DATABASE_URL` when not given.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// The instances' Redis; `REDIS_URL` when not given.
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
    /// Longest wait for the last deliveries, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = value_parser!(u64).range(0..=600))]
    grace: u64,
}

impl Args {
    /// The settings of the instances, as far as they are needed to store and to announce.
    fn settings(&self) -> anyhow::Result<Settings> {
        let options = Options {
            database_url: self.database_url.clone(),
            redis_url: self.redis_url.clone(),
            ..Options::default()
        };
        Ok(Settings::load(options)?)
    }

    fn plan(&self, rate: u64) -> anyhow::Result<Plan> {
        let total = rate * self.seconds;
        if total > MOST {
            bail!(super::Mistake(format!("{total} announcements are too many to keep: lower --rate or --seconds")));
        }
        Ok(Plan {
            rate,
            total,
            longest: Duration::from_secs(self.seconds),
            batch: 1,
            addressed: true,
            payload: self.payload_bytes as usize,
            publishers: 1,
        })
    }
}

/// Runs `unicast`: each announcement is for one user; true when nothing was lost, repeated or out of order.
pub async fn run(args: &Args) -> anyhow::Result<(Report, bool)> {
    measure("unicast", args, args.plan(args.rate.unwrap_or(10_000))?).await
}

/// Runs `broadcast`: each announcement is for all streams, which are one user's.
pub async fn run_broadcast(args: &Args) -> anyhow::Result<(Report, bool)> {
    let common = Common { users: Some(1), ..args.common.clone() };
    let args = Args { common, ..args.clone() };
    measure("broadcast", &args, args.plan(args.rate.unwrap_or(20))?).await
}

async fn measure(scenario: &'static str, args: &Args, plan: Plan) -> anyhow::Result<(Report, bool)> {
    let common = &args.common;
    let settings = args.settings()?;
    let fleet = common.fleet().await?;
    let shared = fleet.shared.clone();
    let opened = fleet.open(256);
    fleet.all_live(&opened, common.patience()).await?;
    shared.origin.store(NOT_YET, Relaxed);
    let announcements = announce::store(plan, &shared, &settings, &common.tenant).await?;
    check_early(&fleet)?;

    let own = [std::process::id()];
    let (before, own_before) = (common.usage()?, usage(&own)?);
    let begin = Instant::now();
    let took = announcements.announce(shared.clone()).await?;
    let audit = fleet.all_come(&(0..plan.total).collect::<Vec<_>>(), Duration::from_secs(args.grace)).await;
    let window = begin.elapsed();
    let (after, own_after) = (common.usage()?, usage(&own)?);
    check_early(&fleet)?;

    let deliveries = shared.deliveries.load(Relaxed);
    let server = cpu_between(before, after);
    let mut report = common.begin(scenario, &fleet);
    report.count("announced", "announced", plan.total);
    report.add("announcedPerSecond", "announced per second", per_second(plan.total, took), "/s");
    report.add("deliveriesPerSecond", "delivered per second", per_second(deliveries, took), "/s");
    report.lag(&lock(&shared.lag), deliveries);
    report.audit(&audit);
    report.retries(&opened.phase);
    report.cpu_per("serverCpuPerDeliveryUs", "server CPU per delivery", server, deliveries);
    report.cpu_share("serverCpuPercent", "server CPU", server, window);
    let own = cpu_between(own_before, own_after);
    report.cpu_per("clientCpuPerDeliveryUs", "this tool's CPU per delivery", own, deliveries);
    opened.close().await;
    Ok((report, audit.is_clean()))
}

/// What comes before its announcement was found by the instances' head check, and measures nothing.
fn check_early(fleet: &Fleet) -> anyhow::Result<()> {
    let early = fleet.shared.early.load(Relaxed);
    if early > 0 {
        bail!(
            "{early} notifications came before they were announced, by the instances' head check: \
             run them with TIDINGS_HEAD_CHECK_SECONDS=3600"
        );
    }
    Ok(())
}
