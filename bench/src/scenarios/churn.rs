//! The scenario `churn`: connect, publish, disconnect, with new users each time. Anything that the instances
//! keep of users that are gone shows as growing memory.

use std::time::{Duration, Instant};

use clap::value_parser;

use super::CALM;
use crate::{
    clock,
    figures::{process::memory, report::Report},
    flags::{Common, LoadArgs},
    load::publishers::Publishers,
    streams::protocol::{Order, Outcome, Spread},
};

const LONGEST: Duration = Duration::from_mins(10);
/// An instance is given so long to notice that its clients are gone before its memory is read.
const SETTLE: Duration = Duration::from_millis(300);

/// Flags of `tidings-bench churn`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    load: LoadArgs,
    /// How long.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Notifications to every user in each round.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = value_parser!(u64).range(0..=1000))]
    each: u64,
}

/// Runs the scenario.
pub async fn run(args: &Args, common: &Common) -> anyhow::Result<Report> {
    let (begin, meter) = (Instant::now(), common.meter());
    let before = meter.read()?;
    let (mut sum, mut rounds, mut curve) = (Outcome::default(), 0, Vec::new());
    while rounds == 0 || begin.elapsed() < Duration::from_secs(args.seconds) {
        let outcome = round(args, common).await?;
        sum.add(outcome);
        rounds += 1;
        tokio::time::sleep(SETTLE).await;
        let now = memory(&common.pids)?;
        curve.extend(now.map(|memory| [begin.elapsed().as_secs_f64(), memory.rss / 1000.0]));
    }
    let spent = meter.since(&before)?;

    let connections = rounds * u64::from(common.streams);
    let mut report = Report::new("churn");
    report.count("streams", "streams at the same time", common.streams.into());
    report.count("rounds", "rounds", rounds);
    report.count("connections", "connections in all", connections);
    show_memory(&mut report, &curve, connections);
    report.outcome(&sum);
    report.cpu_per("Connection", "connection", &spent, connections);
    report.curve(curve);
    Ok(report)
}

/// New users connect, get something each, and leave.
async fn round(args: &Args, common: &Common) -> anyhow::Result<Outcome> {
    let Args { load, each, .. } = args;
    let mut fleet = common.fleet(Spread::Even, Order::Gapless).await?;
    fleet.open(CALM, common.patience()).await?;
    let plan = load.plan(0, each * fleet.users.count as u64, LONGEST);
    let publishers = Publishers::connect(plan, &fleet.users, &load.sender(&fleet.targets)).await?;
    let begin = clock::now();
    fleet.begin(begin, 0).await?;
    let published = publishers.publish(begin).await?;
    let outcome = fleet.outcome(&published.accepted, load.grace()).await?;
    fleet.close().await?;
    Ok(outcome)
}

/// Adds the memory without connections: after the first round, half-way and at the end, and how it grew since half-way.
fn show_memory(report: &mut Report, curve: &[[f64; 2]], connections: u64) {
    let at = |index: usize| curve.get(index).map(|[_, mb]| *mb);
    let (half, last) = (curve.len() / 2, curve.len().saturating_sub(1));
    report.maybe("rssFirstMb", "server memory after the first round (RSS)", at(0), "MB");
    report.maybe("rssHalfMb", "server memory half-way (RSS)", at(half), "MB");
    report.maybe("rssLastMb", "server memory at the end (RSS)", at(last), "MB");
    let since = connections as f64 * (last - half) as f64 / curve.len().max(1) as f64;
    let grown = at(last).zip(at(half)).filter(|_| since > 0.0).map(|(last, half)| (last - half) * 1e6 / since);
    report.maybe("grownPerConnectionBytes", "grown per connection since half-way", grown, "bytes");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(memory: &[f64]) -> Option<f64> {
        let curve: Vec<_> = memory.iter().enumerate().map(|(index, mb)| [index as f64, *mb]).collect();
        let mut report = Report::new("churn");
        show_memory(&mut report, &curve, 1_000 * memory.len() as u64);
        report.figures.iter().find(|figure| figure.key == "grownPerConnectionBytes").and_then(|figure| figure.value)
    }

    #[test]
    fn growth_is_counted_from_half_way_on() {
        assert_eq!(grown(&[10.0, 50.0, 50.0, 50.0]), Some(0.0));
        assert_eq!(grown(&[10.0, 50.0, 50.0, 51.0]), Some(1_000.0));
        assert_eq!(grown(&[10.0]), None);
        assert_eq!(grown(&[]), None);
    }
}
