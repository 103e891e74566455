//! The scenario `mixed`: the work of a deployment, everything at the same time.

use std::time::Duration;

use clap::value_parser;

use super::CALM;
use crate::{
    clock,
    figures::report::Report,
    flags::{Common, LoadArgs},
    load::{
        publishers::{Plan, Published, Publishers},
        sender::Via,
        visitor::{Visited, Visits, visit},
    },
    streams::protocol::{Order, Spread},
};

/// Flags of `tidings-bench mixed`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    load: LoadArgs,
    /// How long.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Notifications published one by one, per second.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = value_parser!(u64).range(0..=100_000))]
    single_rate: u64,
    /// Notifications published by `--via`, per second.
    #[arg(long, value_name = "N", default_value_t = 800, value_parser = value_parser!(u64).range(0..=1_000_000))]
    rate: u64,
    /// Streams that leave and come back, per second.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u32).range(0..=100_000))]
    reconnect_rate: u32,
    /// Users who list their inbox, per second.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u64).range(0..=100_000))]
    list_rate: u64,
    /// Items that each of them marks as read.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u8).range(0..=20))]
    reads: u8,
}

impl Args {
    /// The two loads: one by one, and by the chosen way.
    fn plans(&self) -> [Plan; 2] {
        let longest = Duration::from_secs(self.seconds);
        let single = self.load.by(Via::Http);
        let singles = single.plan(self.single_rate.max(1), self.single_rate * self.seconds, longest);
        let others = self.load.plan(self.rate.max(1), self.rate * self.seconds, longest);
        [singles, Plan { first: singles.pace.total, ..others }]
    }
}

/// Runs the scenario.
pub async fn run(args: &Args, common: &Common) -> anyhow::Result<Report> {
    let load = &args.load;
    let mut fleet = common.fleet(Spread::Even, Order::Ascending).await?;
    fleet.open(CALM, common.patience()).await?;
    let [singles, others] = args.plans();
    let single = load.by(Via::Http);
    let singles = Publishers::connect(singles, &fleet.users, &single.sender(&fleet.targets)).await?;
    let others = Publishers::connect(others, &fleet.users, &load.sender(&fleet.targets)).await?;
    let longest = Duration::from_secs(args.seconds);
    let visits = Visits { rate: args.list_rate, reads: args.reads.into(), longest, clients: 16 };

    let meter = common.meter();
    let before = meter.read()?;
    let begin = clock::now();
    fleet.begin(begin, 0).await?;
    if args.reconnect_rate > 0 {
        fleet.turn_over(args.reconnect_rate.into(), Duration::ZERO).await?;
    }
    let visiting = visit(visits, &fleet.users, &fleet.targets, begin);
    let (singles, others, visited) = tokio::try_join!(singles.publish(begin), others.publish(begin), visiting)?;
    let accepted = [&singles.accepted[..], &others.accepted[..]].concat();
    let outcome = fleet.outcome(&accepted, load.grace()).await?;
    let spent = meter.since(&before)?;

    let mut report = Report::of("mixed", &fleet);
    publishes(&mut report, "single", "one by one", &singles);
    publishes(&mut report, "batch", "by batches", &others);
    visitors(&mut report, visited);
    report.points("lag", "lag", &outcome.lag);
    report.opened(&outcome);
    report.outcome(&outcome);
    report.cpu_per("Notification", "durable notification", &spent, singles.count() + others.count());
    report.cpu_share("CpuPercent", "CPU", &spent);
    Ok(report)
}

fn publishes(report: &mut Report, key: &str, label: &str, published: &Published) {
    report.count(&format!("{key}Accepted"), &format!("accepted {label}"), published.count());
    report.count(&format!("{key}NotAccepted"), &format!("refused or unanswered {label}"), published.failed);
    report.points(&format!("{key}Answered"), &format!("publish {label} answered after"), &published.answered);
    report.remarks.extend(published.trouble.iter().map(|why| format!("Last refusal of a publish {label}: {why}.")));
}

fn visitors(report: &mut Report, visited: Visited) {
    report.count("lists", "lists", visited.lists.count());
    report.points("list", "list answered after", &visited.lists);
    report.count("reads", "items marked as read", visited.reads.count());
    report.points("read", "mark as read answered after", &visited.reads);
    report.count("visitsFailed", "lists or reads that failed", visited.failed);
    report.remarks.extend(visited.trouble.map(|why| format!("Last failed list or read: {why}.")));
}
