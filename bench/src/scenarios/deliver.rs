//! The scenarios `unicast` and `broadcast`: from the bus to the sockets, without the share of storing.

use std::time::Duration;

use anyhow::bail;
use clap::value_parser;

use super::CALM;
use crate::{
    Mistake, clock,
    figures::report::{Report, per_second},
    flags::{Common, DatabaseArgs, RedisArgs},
    load::{
        announcer::{Announcer, redis_publish},
        pace::Pace,
        stored::Stored,
    },
    marker::Marker,
    streams::protocol::{Order, Spread},
};

/// Announcements wait in memory: this bounds them.
const MOST: u64 = 5_000_000;

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
    pub payload_bytes: u32,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    redis: RedisArgs,
    /// Longest wait for the last deliveries, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = value_parser!(u64).range(0..=600))]
    grace: u64,
}

impl Args {
    /// How many go to all streams, and how fast.
    pub fn pace_for_all(&self) -> anyhow::Result<Pace> {
        self.pace(self.rate.unwrap_or(20))
    }

    /// Longest wait for the last deliveries.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace)
    }

    fn pace(&self, rate: u64) -> anyhow::Result<Pace> {
        let total = rate * self.seconds;
        if total > MOST {
            bail!(Mistake(format!("{total} announcements are too many to keep: lower --rate or --seconds")));
        }
        Ok(Pace { rate, total })
    }
}

/// Runs `unicast`: each announcement is for one user.
pub async fn unicast(args: &Args, common: &Common) -> anyhow::Result<Report> {
    measure("unicast", args, common, args.pace(args.rate.unwrap_or(10_000))?).await
}

/// Runs `broadcast`: each announcement is for all streams, which are one user's.
pub async fn broadcast(args: &Args, common: &Common) -> anyhow::Result<Report> {
    measure("broadcast", args, &common.one_user(), args.pace_for_all()?).await
}

async fn measure(scenario: &'static str, args: &Args, common: &Common, pace: Pace) -> anyhow::Result<Report> {
    let (database, mut announcer) = (args.database.connect().await?, Announcer::to_redis(&args.redis.redis_url)?);
    let mut fleet = common.fleet(Spread::Even, Order::Gapless).await?;
    fleet.open(CALM, common.patience()).await?;
    let markers = (0..pace.total).map(|n| Marker { n, t: clock::micros(pace.due(n)) });
    let padding = args.payload_bytes as usize;
    let cursors = fleet.cursors().await?;
    let mut stored = Stored::new(&fleet.users, cursors, &args.redis.prefix, padding)?;
    stored.store(&database, markers.clone()).await?;
    for marker in markers {
        let (channel, message) = stored.announcement(marker);
        announcer.add(0, |bytes| redis_publish(&channel, &message, bytes));
    }

    let meter = common.meter();
    let before = meter.read()?;
    let begin = clock::soon();
    fleet.begin(begin, 0).await?;
    let _open = announcer.send(pace.rate, begin, Duration::MAX).await?;
    let took = clock::since(begin).max(pace.time());
    let accepted: Vec<_> = pace.total.checked_sub(1).map(|last| (0, last)).into_iter().collect();
    let outcome = fleet.outcome(&accepted, args.grace()).await?;
    let spent = meter.since(&before)?;

    let mut report = Report::of(scenario, &fleet);
    report.count("announced", "announced", pace.total);
    report.add("announcedPerSecond", "announced per second", per_second(pace.total, took), "/s");
    let window = Duration::from_micros(outcome.last_delivery.saturating_sub(begin)).max(pace.time());
    report.add("deliveriesPerSecond", "delivered per second", per_second(outcome.deliveries, window), "/s");
    report.points("lag", "lag", &outcome.lag);
    report.outcome(&outcome);
    report.cpu_per("Delivery", "delivery", &spent, outcome.deliveries);
    report.cpu_share("CpuPercent", "CPU", &spent);
    Ok(report)
}
