//! The scenario `fanout`: one publish to a topic with many subscribers, some of them connected, under a load of others.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::value_parser;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::CALM;
use crate::{
    clock,
    figures::report::{Report, per_second},
    flags::{Common, DatabaseArgs, LoadArgs},
    load::{
        caller::{Call, Caller},
        publishers::Publishers,
        sender::Via,
    },
    marker::text_for_all,
    streams::{
        fleet::Fleet,
        protocol::{Order, Spread},
    },
};

/// The load on others begins this long before the publish to the topic.
const WARM: Duration = Duration::from_millis(500);
/// Between looks at how far it is.
const LOOK: Duration = Duration::from_millis(20);

/// Flags of `tidings-bench fanout`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    load: LoadArgs,
    /// Subscribers of the topic; those with open streams are among them.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    subscribers: u32,
    /// Notifications to single users meanwhile, per second.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// Longest wait for the last subscriber, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = value_parser!(u64).range(1..=3600))]
    longest: u64,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// The outcome of the publish to the topic.
struct Fanned {
    /// From the request to its answer.
    answered: Duration,
    /// From the answer to the last inbox.
    took: Duration,
    reached: u64,
}

/// Runs the scenario.
pub async fn run(args: &Args, common: &Common) -> anyhow::Result<Report> {
    let longest = Duration::from_secs(args.longest);
    let database = args.database.connect().await?;
    let mut fleet = common.fleet(Spread::Even, Order::Gapless).await?;
    let topic = format!("bench:{}", fleet.users.name(0));
    let subscribers = (args.subscribers as usize).max(fleet.users.count);
    database.subscribe(fleet.users.tenant(), &topic, &fleet.users.names(0..subscribers)).await?;
    fleet.open(CALM, common.patience()).await?;
    let single = args.load.by(Via::Http);
    let plan = single.plan(args.rate, args.rate * args.longest, longest);
    let publishers = Publishers::connect(plan, &fleet.users, &single.sender(&fleet.targets)).await?;

    let meter = common.meter();
    let before = meter.read()?;
    let begin = clock::now();
    fleet.begin(begin, 0).await?;
    let load = publishers.stop();
    let (published, fanned) =
        tokio::try_join!(publishers.publish(begin), fan_out(&fleet, &topic, begin, longest, load))?;
    let outcome = fleet.outcome(&published.accepted, single.grace()).await?;
    let spent = meter.since(&before)?;

    let mut report = Report::of("fanout", &fleet);
    report.count("subscribers", "subscribers of the topic", subscribers as u64);
    report.add("topicAnsweredMs", "publish to the topic answered after", milliseconds(fanned.answered), "ms");
    report.points("topic", "at those who are connected, from the request", &outcome.lag_for_all);
    report.add("allReachedMs", "in all inboxes, from the answer", milliseconds(fanned.took), "ms");
    report.add("inboxesPerSecond", "inboxes per second", per_second(fanned.reached, fanned.took), "/s");
    report.count("reached", "inboxes reached", fanned.reached);
    let missing = (fleet.streams as u64).saturating_sub(outcome.lag_for_all.count());
    report.count("topicLost", "connected subscribers that did not get it", missing);
    report.clean &= missing == 0 && fanned.reached == subscribers as u64;
    report.published(&published);
    report.points("lag", "lag of single notifications meanwhile", &outcome.lag);
    report.outcome(&outcome);
    report.cpu_per("Inbox", "inbox reached, all load included", &spent, fanned.reached);
    report.cpu_share("CpuPercent", "CPU", &spent);
    Ok(report)
}

/// Publishes to the topic and waits until all inboxes have it; ends the load on others then.
async fn fan_out(
    fleet: &Fleet,
    topic: &str,
    begin: u64,
    longest: Duration,
    load: CancellationToken,
) -> anyhow::Result<Fanned> {
    let _stop_load = load.drop_guard();
    let mut caller = Caller::connect(&fleet.targets[0]).await?;
    tokio::time::sleep(WARM).await;
    let sent = clock::now();
    let body = format!(r#"{{"topics":["{topic}"],"kind":"bench","title":"{}"}}"#, text_for_all(sent - begin));
    let token = &fleet.users.publish_token()?;
    let call = Call { method: "POST", path: "/api/notifications", token, body: &body };
    let answer: Value = serde_json::from_slice(&caller.ask(&call).await?)?;
    let answered = clock::now();
    let path = &format!("/api/fanouts/{}", answer["id"].as_str().context("the answer names no id")?);
    loop {
        let call = Call { method: "GET", path, token, body: "" };
        let progress: Value = serde_json::from_slice(&caller.ask(&call).await?)?;
        let took = clock::since(answered);
        let reached = progress["recipients"].as_u64().context("the answer names no recipients")?;
        if progress["state"] == "finished" {
            return Ok(Fanned { answered: Duration::from_micros(answered - sent), took, reached });
        }
        if took > longest {
            bail!("only {reached} subscribers were reached after {took:?}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
