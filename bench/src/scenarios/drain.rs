//! The scenario `drain`: an instance receives SIGTERM while others serve.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::value_parser;
use rustix::process::{Pid, Signal, kill_process};

use super::CALM;
use crate::{
    Mistake, clock,
    figures::report::Report,
    flags::{Common, LoadArgs},
    load::publishers::Publishers,
    streams::{
        fleet::Fleet,
        protocol::{Order, Request, Spread},
    },
};

const TICK: Duration = Duration::from_millis(20);

/// Flags of `tidings-bench drain`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    load: LoadArgs,
    /// Streams at the other instances, besides `--streams` at the one that drains.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    others: u32,
    /// Notifications per second, each to one user, all the time.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = value_parser!(u64).range(1..=1_000_000))]
    rate: u64,
    /// How long to publish.
    #[arg(long, value_name = "N", default_value_t = 45, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// When the instance receives SIGTERM.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = value_parser!(u64).range(0..=3600))]
    after: u64,
}

/// Runs the scenario.
pub async fn run(args: &Args, common: &Common) -> anyhow::Result<Report> {
    let Args { load, others, rate, seconds, after, .. } = args;
    let [_, _, ..] = common.urls[..] else {
        bail!(Mistake("drain needs --url of the instance that ends and of at least one other".to_owned()));
    };
    let Some((&ends, stay)) = common.pids.split_first() else {
        bail!(Mistake("drain needs --pid of the instance that ends".to_owned()));
    };
    let all = common.with_others(*others, stay);
    let mut fleet = all.fleet(Spread::First(common.streams as usize), Order::Gapless).await?;
    fleet.open(CALM, common.patience()).await?;
    let plan = load.plan(*rate, rate * seconds, Duration::from_secs(*seconds));
    let publishers = Publishers::connect(plan, &fleet.users, &load.sender(&fleet.targets[1..])).await?;

    let meter = all.meter();
    let before = meter.read()?;
    let begin = clock::now();
    fleet.begin(begin, 0).await?;
    let publishing = tokio::spawn(publishers.publish(begin));
    tokio::time::sleep(Duration::from_secs(*after)).await;
    fleet.ask(&Request::Leave(clock::now())).await?;
    end(ends)?;
    all_moved(&mut fleet, common.streams as usize, common.patience()).await?;
    let published = publishing.await.context("publishing ended early")??;
    let outcome = fleet.outcome(&published.accepted, load.grace()).await?;
    let spent = meter.since(&before)?;

    let mut report = Report::of("drain", &fleet);
    report.count("moved", "streams of the instance that ended", outcome.moved_after.count());
    let took = outcome.moved_after.milliseconds_at(1.0) / 1000.0;
    report.add("allMovedSeconds", "all live elsewhere after", took, "s");
    report.points("moved", "live elsewhere after", &outcome.moved_after);
    report.published(&published);
    report.points("lag", "lag of everyone else", &outcome.lag);
    report.points("movedLag", "lag of the streams that moved", &outcome.moved_lag);
    report.outcome(&outcome);
    report.cpu_share("CpuPercent", "CPU", &spent);
    Ok(report)
}

fn end(pid: u32) -> anyhow::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("--pid is no process")?;
    kill_process(pid, Signal::TERM).context("cannot tell the instance to stop")
}

async fn all_moved(fleet: &mut Fleet, streams: usize, patience: Duration) -> anyhow::Result<()> {
    let begin = Instant::now();
    loop {
        let progress = fleet.ask(&Request::Progress).await?;
        if progress.moved >= streams {
            return Ok(());
        }
        if begin.elapsed() > patience {
            let why = progress.trouble.unwrap_or_default();
            bail!("only {} of {streams} streams moved within {patience:?}; the last trouble: {why}", progress.moved);
        }
        tokio::time::sleep(TICK).await;
    }
}
