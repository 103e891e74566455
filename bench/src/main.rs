//! `tidings-bench`: a load on a running deployment, and figures of its behaviour.
//!
//! Every run has users of its own and ends by itself. It counts lost, repeated, misordered and foreign notifications; any of
//! these is a failed run. Streams are bare sockets in processes of their own (`reader`), so that the tool takes little
//! of the machine and may open more of them than one process may have files.

mod clock;
mod database;
mod figures;
mod flags;
mod http1;
mod load;
mod marker;
mod peers;
mod scenarios;
mod streams;
mod target;

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, error::ErrorKind};
use mimalloc::MiMalloc;
use serde_json::Value;

use self::{
    figures::{
        compare::{self, Side},
        report::Report,
    },
    flags::{Common, Format},
    scenarios::{churn, deliver, drain, fanout, idle, mixed, presence, publish, schedule, signals, storm},
    streams::reader,
};

/// An error that the user can correct: wrong arguments.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Mistake(String);

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Puts a load on a running deployment and measures how it bears it.
#[derive(Debug, Clone, Parser)]
#[command(name = "tidings-bench", version)]
struct Args {
    #[command(subcommand)]
    scenario: Scenario,
}

/// The scenarios.
#[derive(Debug, Clone, clap::Subcommand)]
enum Scenario {
    /// Open streams and leave them alone: memory and processor time of each, and of their heartbeats.
    Idle(idle::Args),
    /// Announce stored notifications at a rate, each to one user with an open stream: the delivery alone.
    ///
    /// Writes their rows in bulk first, through `DATABASE_URL`, then announces them over `REDIS_URL`, as the instance that
    /// stored them would have done. That is one Redis server over plain TCP, no cluster.
    Unicast(deliver::Args),
    /// The same with all streams of one user: each announcement is delivered to all of them.
    ///
    /// The instances need `TIDINGS_MAX_CONNECTIONS_PER_USER` of at least the number of their streams.
    Broadcast(deliver::Args),
    /// Publish at a rate to users with open streams: rates, lag, processor time of each durable notification.
    Publish(publish::Args),
    /// Drop all streams at once, publish while they are away, come back all at once with cursors.
    ///
    /// With `DATABASE_URL` it shows Postgres' busiest second, with `--postgres-pid` its processor time then.
    Storm(storm::Args),
    /// A blend of everything: streams that come and go, publishes one by one and in batches, lists, items marked read.
    Mixed(mixed::Args),
    /// Send SIGTERM to one instance: how long its streams take to be live elsewhere, and the effect on the others.
    ///
    /// The first `--url` is that instance and the first `--pid` its process.
    Drain(drain::Args),
    /// Publish once to a topic with many subscribers, some of them with open streams, under a load of other publishes.
    ///
    /// Writes the subscribers in bulk first, through `DATABASE_URL`.
    Fanout(fanout::Args),
    /// Send signals to a topic at a rate, all of whose subscribers have open streams, and compare with `broadcast`.
    ///
    /// Writes the subscribers in bulk first, through `DATABASE_URL`. The instances need the settings of `broadcast`.
    Signals(deliver::Args),
    /// Let streams leave and come back at a rate, with presence signals to topics: processor time beyond idle.
    ///
    /// Writes the subscribers in bulk first, through `DATABASE_URL`.
    Presence(presence::Args),
    /// Schedule many publishes, then deliver many within one second: the cost of scheduled ones, and the time until all arrive.
    ///
    /// Writes the scheduled ones in bulk, through `DATABASE_URL`; they stay there.
    Schedule(schedule::Args),
    /// Connect, publish and disconnect again and again, with new users each time: memory must stay flat.
    Churn(churn::Args),
    /// Load other systems in the same way and compare them.
    #[command(subcommand)]
    Peers(peers::Command),
    /// Read streams for another process of this program.
    #[command(hide = true)]
    Reader,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(args)));
    done.map_or_else(|error| report(&error), |()| ExitCode::SUCCESS)
}

/// Prints the error and picks the exit code: 2 for a mistake of the user's, otherwise 1.
fn report(error: &anyhow::Error) -> ExitCode {
    // Clap colours the word as it does its own errors; with a closed standard error there is no reader.
    let _ = clap::Error::raw(ErrorKind::ValueValidation, format!("{error:#}\n")).print();
    if error.is::<Mistake>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// Runs the scenario and prints its figures.
///
/// # Errors
/// When it cannot be run, or when anything was lost, repeated, out of order or foreign.
async fn run(args: Args) -> anyhow::Result<()> {
    if let Scenario::Peers(command) = args.scenario {
        return peers::run(command).await;
    }
    let Some(common) = args.scenario.common() else { return reader::run().await };
    let mut sides = vec![(common.clone(), Vec::new())];
    if !common.compare.is_empty() {
        sides.push((common.other(), Vec::new()));
    }
    if matches!(args.scenario, Scenario::Drain(_)) && (sides.len() > 1 || common.repeat() > 1) {
        return Err(Mistake("drain ends its instance, so it cannot be repeated".to_owned()).into());
    }
    for _ in 0..common.repeat() {
        for (common, runs) in &mut sides {
            runs.push(Box::pin(args.scenario.at(common)).await?);
        }
    }
    let name = |common: &Common| common.urls.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let sides: Vec<Side> = sides.into_iter().map(|(common, runs)| Side { url: name(&common), runs }).collect();
    show(common, &sides)?;
    if sides.iter().flat_map(|side| &side.runs).any(|run| !run.clean) {
        bail!("the stream's promise was broken: see lost, repeated, out of order, other users', resets");
    }
    Ok(())
}

fn show(common: &Common, sides: &[Side]) -> anyhow::Result<()> {
    let (table, json): (String, Value) = match sides {
        [Side { runs, .. }] if runs.len() == 1 => (runs[0].table(), runs[0].json()),
        sides => {
            let scenario = sides[0].runs[0].scenario;
            (compare::as_table(scenario, sides), compare::as_json(scenario, sides))
        }
    };
    match common.format {
        Format::Table => print!("{table}"),
        Format::Json => println!("{json}"),
    }
    if let Some(file) = &common.json {
        std::fs::write(file, format!("{json:#}\n")).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

impl Scenario {
    fn common(&self) -> Option<&Common> {
        match self {
            Self::Idle(args) => Some(&args.common),
            Self::Unicast(args) | Self::Broadcast(args) | Self::Signals(args) => Some(&args.common),
            Self::Publish(args) => Some(&args.common),
            Self::Storm(args) => Some(&args.common),
            Self::Mixed(args) => Some(&args.common),
            Self::Drain(args) => Some(&args.common),
            Self::Fanout(args) => Some(&args.common),
            Self::Presence(args) => Some(&args.common),
            Self::Schedule(args) => Some(&args.common),
            Self::Churn(args) => Some(&args.common),
            Self::Peers(_) | Self::Reader => None,
        }
    }

    /// Runs it once with these flags instead of its own.
    async fn at(&self, common: &Common) -> anyhow::Result<Report> {
        match self {
            Self::Idle(args) => idle::run(args, common).await,
            Self::Unicast(args) => deliver::unicast(args, common).await,
            Self::Broadcast(args) => deliver::broadcast(args, common).await,
            Self::Publish(args) => publish::run(args, common).await,
            Self::Storm(args) => storm::run(args, common).await,
            Self::Mixed(args) => mixed::run(args, common).await,
            Self::Drain(args) => drain::run(args, common).await,
            Self::Fanout(args) => fanout::run(args, common).await,
            Self::Signals(args) => signals::run(args, common).await,
            Self::Presence(args) => presence::run(args, common).await,
            Self::Schedule(args) => schedule::run(args, common).await,
            Self::Churn(args) => churn::run(args, common).await,
            Self::Peers(_) | Self::Reader => bail!("this measures nothing by itself"),
        }
    }
}
