//! The scenario `presence`: streams that leave for longer than the grace and return. Other streams leave as often and return
//! within the grace. The difference between the two is the cost of finding and announcing users who left.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::value_parser;
use tidings::metrics;
use tokio::time::{Instant, interval, sleep};

use super::CALM;
use crate::{
    clock,
    database::Database,
    figures::{report::Report, times::Times},
    flags::{Common, DatabaseArgs},
    load::caller::{Call, Caller},
    streams::{
        fleet::Fleet,
        protocol::{Order, Request, Spread},
    },
};

/// Between looks at how many joined, and between questions about a topic.
const SECOND: Duration = Duration::from_secs(1);
/// A change is found and announced within this time.
const SETTLE: Duration = Duration::from_secs(3);
/// A user that is away for so long has not left: the shortest grace time is four times as long.
const BRIEF: Duration = Duration::from_secs(1);

/// Kinds of topics with presence signals and without.
const TOLD: &str = "bench";
const UNTOLD: &str = "bench-untold";

/// Flags of `tidings-bench presence`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    /// Subscribers of each topic.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..=1_000_000))]
    topic_size: u32,
    /// Changes per second: half of them streams that leave, half of them streams that come back.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// How long each stays away; longer than the instances' grace time, or no user leaves.
    #[arg(long, value_name = "SECONDS", default_value_t = 12, value_parser = value_parser!(u64).range(1..=600))]
    away: u64,
    /// Topics of a kind without presence signals.
    #[arg(long)]
    untold: bool,
    /// How long to measure streams that are missed, and before them such as come back in time.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How long to measure before both, with nothing going on.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = value_parser!(u64).range(1..=3600))]
    idle: u64,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Comings and goings that the instances found, by their metrics.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    joined: u64,
    left: u64,
}

/// Runs the scenario.
pub async fn run(args: &Args, common: &Common) -> anyhow::Result<Report> {
    let database = args.database.connect().await?;
    let mut fleet = common.fleet(Spread::Even, Order::Gapless).await?;
    let topics = seed(&database, &fleet, args).await?;
    settle(&mut fleet, common.patience()).await?;

    let meter = common.meter();
    let reading = meter.read()?;
    sleep(Duration::from_secs(args.idle)).await;
    let idle = meter.since(&reading)?;

    let (away, rate) = (Duration::from_secs(args.away), f64::from(args.rate) / 2.0);
    fleet.turn_over(rate, BRIEF).await?;
    sleep(BRIEF + SETTLE).await;
    let reading = meter.read()?;
    sleep(Duration::from_secs(args.seconds)).await;
    let unmissed = meter.since(&reading)?;

    fleet.turn_over(rate, away).await?;
    // From then on as many are found to come back as to leave.
    sleep(away + SETTLE).await;
    let (before, told) = (found(&fleet).await?, fleet.ask(&Request::Progress).await?.told);
    let reading = meter.read()?;
    let answered = ask(&fleet, &topics, args.seconds).await?;
    let missed = meter.since(&reading)?;
    let (after, told) = (found(&fleet).await?, fleet.ask(&Request::Progress).await?.told - told);
    let outcome = fleet.outcome(&[], Duration::ZERO).await?;

    let (joined, left) = (after.joined - before.joined, after.left - before.left);
    let mut report = Report::of("presence", &fleet);
    report.count("topics", "topics", topics.len() as u64);
    report.count("joined", "users who joined", joined);
    report.count("left", "users who left", left);
    let rate = (joined + left) as f64 / missed.window.as_secs_f64();
    report.add("changesPerSecond", "joined or left per second", rate, "/s");
    report.count("told", "signals of it at the streams", told);
    report.points("asked", "who is present answered after", &answered);
    report.outcome(&outcome);
    report.cpu_share("IdleCpuPercent", "CPU while idle", &idle);
    report.cpu_share("UnmissedCpuPercent", "CPU, streams come back in time", &unmissed);
    report.cpu_share("CpuPercent", "CPU, streams are missed", &missed);
    let beyond = missed.beyond(&unmissed);
    report.cpu_share("PresenceCpuPercent", "CPU for presence: the difference", &beyond);
    report.cpu_per("Change", "change", &beyond, joined + left);
    Ok(report)
}

/// Makes the users subscribers of topics, neighbours of different ones: they leave one after another.
async fn seed(database: &Database, fleet: &Fleet, args: &Args) -> anyhow::Result<Vec<String>> {
    let (users, kind) = (&fleet.users, if args.untold { UNTOLD } else { TOLD });
    let (path, body) =
        (&format!("/api/topic-kinds/{kind}"), &format!(r#"{{"access":"members","presence":{}}}"#, !args.untold));
    let call = Call { method: "PUT", path, token: &users.admin_token()?, body };
    Caller::connect(&fleet.targets[0]).await?.ask(&call).await?;
    let count = users.count.div_ceil(args.topic_size as usize);
    let mut topics = Vec::with_capacity(count);
    for number in 0..count {
        let topic = format!("{kind}:{}", users.name(number));
        database.subscribe(users.tenant(), &topic, &users.names((number..users.count).step_by(count))).await?;
        topics.push(topic);
    }
    Ok(topics)
}

/// Opens the streams and waits until the instances have found all users present.
async fn settle(fleet: &mut Fleet, patience: Duration) -> anyhow::Result<()> {
    let (begin, before) = (Instant::now(), found(fleet).await?);
    fleet.open(CALM, patience).await?;
    let all = fleet.users.count as u64;
    loop {
        let joined = found(fleet).await?.joined - before.joined;
        if joined >= all {
            sleep(SETTLE).await;
            return Ok(());
        }
        if begin.elapsed() > patience {
            bail!("the instances found only {joined} of {all} users present after {patience:?}");
        }
        sleep(SECOND).await;
    }
}

/// The results of all instances up to now.
async fn found(fleet: &Fleet) -> anyhow::Result<Found> {
    let mut sum = Found::default();
    for target in &fleet.targets {
        let call = Call { method: "GET", path: "/metrics", token: "", body: "" };
        let text = String::from_utf8(Caller::connect(target).await?.ask(&call).await?)?;
        sum.joined += counter(&text, "joined")?;
        sum.left += counter(&text, "left")?;
    }
    Ok(sum)
}

/// The counter of these changes; one that never counted is not there.
fn counter(text: &str, change: &str) -> anyhow::Result<u64> {
    let name = format!("{}{{change=\"{change}\"}} ", metrics::PRESENCE_CHANGES);
    let value = text.lines().find_map(|line| line.strip_prefix(&name));
    value.map_or(Ok(0), |value| value.parse().with_context(|| format!("{name}is no count: {value}")))
}

/// Asks once a second, so often, for the users present in a topic; each time in another.
async fn ask(fleet: &Fleet, topics: &[String], times: u64) -> anyhow::Result<Times> {
    let mut caller = Caller::connect(&fleet.targets[0]).await?;
    let token = &fleet.users.publish_token()?;
    let (mut answered, mut clock) = (Times::new(), interval(SECOND));
    clock.tick().await;
    for topic in topics.iter().cycle().take(usize::try_from(times)?) {
        clock.tick().await;
        let begin = clock::now();
        let path = &format!("/api/presence?topic={topic}");
        caller.ask(&Call { method: "GET", path, token, body: "" }).await?;
        answered.record(clock::now().saturating_sub(begin));
    }
    Ok(answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read_from_the_metrics() {
        let text = "# TYPE tidings_presence_changes_total counter\ntidings_presence_changes_total{change=\"left\"} 7\n";
        assert_eq!(counter(text, "left").unwrap(), 7);
        assert_eq!(counter(text, "joined").unwrap(), 0);
    }
}
