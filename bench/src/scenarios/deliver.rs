//! The scenarios `unicast` and `broadcast`: from the bus to the sockets, without the share of storing.

use std::time::Duration;

use anyhow::bail;
use clap::value_parser;

use crate::{
    figures::report::{Report, per_second},
    flags::Common,
    load::{announce, publishers::Plan},
    streams::{
        fleet::Fleet,
        protocol::{Request, Spread},
    },
};
use tidings::{
    cli::Mistake,
    config::{Settings, options::Options},
};

/// Announcements wait in memory: this bounds them.
const MOST: u64 = 5_000_000;
/// Notifications are held back as if they were due in the far future until announcing begins.
const NOT_YET: u64 = u64::MAX / 2;
/// Streams that may be opening at the same time.
const CALM: usize = 256;

/// Flags of `tidings-bench unicast`, `broadcast` and `signals`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    /// Announcements per second, evenly spread; 10,000, or 20 for broadcast and signals.
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
    /// The instances' settings, as far as this tool needs them.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let (database_url, redis_url) = (self.database_url.clone(), self.redis_url.clone());
        Ok(Settings::load(Options { database_url, redis_url, ..Options::default() })?)
    }

    /// What goes to all streams.
    pub fn plan_for_all(&self) -> anyhow::Result<Plan> {
        self.plan(self.rate.unwrap_or(20))
    }

    /// Longest wait for the last deliveries.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace)
    }

    fn plan(&self, rate: u64) -> anyhow::Result<Plan> {
        let total = rate * self.seconds;
        if total > MOST {
            bail!(Mistake(format!("{total} announcements are too many to keep: lower --rate or --seconds")));
        }
        let (longest, payload) = (Duration::from_secs(self.seconds), self.payload_bytes as usize);
        Ok(Plan { first: 0, rate, total, longest, batch: 1, addressed: true, payload, clients: 1 })
    }
}

/// Runs `unicast`: each announcement is for one user.
pub async fn unicast(args: &Args, common: &Common) -> anyhow::Result<Report> {
    measure("unicast", args, common, args.plan(args.rate.unwrap_or(10_000))?).await
}

/// Runs `broadcast`: each announcement is for all streams, which are one user's.
pub async fn broadcast(args: &Args, common: &Common) -> anyhow::Result<Report> {
    measure("broadcast", args, &common.one_user(), args.plan_for_all()?).await
}

async fn measure(scenario: &'static str, args: &Args, common: &Common, plan: Plan) -> anyhow::Result<Report> {
    let settings = args.settings()?;
    let mut fleet = common.fleet(Spread::Even, true).await?;
    fleet.open(CALM, common.patience()).await?;
    fleet.tell(&Request::Due(NOT_YET)).await?;
    let announcements = announce::store(plan, &fleet.users, &settings).await?;
    check_early(&mut fleet).await?;

    let meter = common.meter();
    let before = meter.read()?;
    let due = announce::soon();
    fleet.tell(&Request::Due(due)).await?;
    let took = announcements.announce(due).await?;
    let accepted: Vec<_> = plan.total.checked_sub(1).map(|last| (0, last)).into_iter().collect();
    let outcome = fleet.outcome(&accepted, args.grace()).await?;
    let spent = meter.since(&before)?;
    check_early(&mut fleet).await?;

    let mut report = Report::of(scenario, &fleet);
    report.count("announced", "announced", plan.total);
    report.add("announcedPerSecond", "announced per second", per_second(plan.total, took), "/s");
    let window = Duration::from_micros(outcome.last_delivery.saturating_sub(due)).max(plan.time());
    report.add("deliveriesPerSecond", "delivered per second", per_second(outcome.deliveries, window), "/s");
    report.points("lag", "lag", &outcome.lag);
    report.outcome(&outcome);
    report.cpu_per("Delivery", "delivery", &spent, outcome.deliveries);
    report.cpu_share("CpuPercent", "CPU", &spent);
    Ok(report)
}

/// What comes before its announcement was found by the instances' head check, and measures nothing.
async fn check_early(fleet: &mut Fleet) -> anyhow::Result<()> {
    let early = fleet.tell(&Request::Progress).await?.early;
    if early > 0 {
        bail!(
            "{early} notifications came before they were announced, by the instances' head check: \
             run them with TIDINGS_HEAD_CHECK_SECONDS=3600"
        );
    }
    Ok(())
}
