//! The scenario `schedule`: the cost of many scheduled publishes, and the time until all arrive when many
//! are delivered, and many fall due, in one second.

use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::value_parser;
use tokio::time::sleep;

use super::CALM;
use crate::{
    clock::{self, micros},
    database::{Database, Tally},
    figures::{
        meter::{Meter, Spent},
        report::{Report, per_second},
    },
    flags::{Common, DatabaseArgs},
    load::{
        publishers::Batch,
        sender::{Sender, Via},
    },
    marker::Marker,
    streams::{
        fleet::Fleet,
        protocol::{Order, Request, Spread},
    },
};

/// Publishes of one request, and scheduled ones of one statement.
const BATCH: usize = 500;
const BULK: u64 = 10_000;
/// Until the first of those that only wait would be delivered.
const FAR: chrono::TimeDelta = chrono::TimeDelta::days(30);
/// Data that was written and streams that were opened have settled after this time.
const SETTLE: Duration = Duration::from_secs(3);
/// Between looks at how far it is.
const LOOK: Duration = Duration::from_millis(100);

/// Flags of `tidings-bench schedule`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    /// Publishes that wait for a time far away.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..=10_000_000))]
    waiting: u64,
    /// Publishes that are delivered in one second, and as many that are due in another.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    due: u32,
    /// Recipients, round robin; users with open streams are among them.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    recipients: u32,
    /// How long before that second publishing begins; it must be over by then.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = value_parser!(u64).range(1..=3600))]
    ahead: u64,
    /// How long to measure the idle instance, before there are scheduled publishes and with them.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = value_parser!(u64).range(1..=3600))]
    idle: u64,
    /// Longest wait for the last one, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = value_parser!(u64).range(1..=3600))]
    longest: u64,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// A second of the future.
#[derive(Clone, Copy)]
struct Moment {
    at: DateTime<Utc>,
    /// The same by the shared clock.
    micros: u64,
}

/// The run, as its steps see it.
struct Run<'a> {
    args: &'a Args,
    database: Database,
    meter: Meter,
    fleet: Fleet,
    recipients: usize,
}

/// The outcome of a second in which many things were to happen.
struct Fallen {
    /// From that second to the last of them.
    took: Duration,
    spent: Spent,
    tally: Tally,
}

/// Runs the scenario.
pub async fn run(args: &Args, common: &Common) -> anyhow::Result<Report> {
    let database = args.database.connect().await?;
    let mut fleet = common.fleet(Spread::Even, Order::Gapless).await?;
    fleet.open(CALM, common.patience()).await?;
    let recipients = (args.recipients as usize).max(fleet.users.count);
    let mut run = Run { args, database, meter: common.meter(), fleet, recipients };

    let idle = run.idle().await?;
    run.seed().await?;
    let waiting = run.idle().await?;
    let delivered = run.deliver().await?;
    let due = u64::from(args.due);
    let accepted: Vec<_> = run.marked(due).checked_sub(1).map(|last| (0, last)).into_iter().collect();
    let outcome = run.fleet.outcome(&accepted, Duration::from_secs(args.longest)).await?;
    let early = run.fleet.ask(&Request::Progress).await?.early;
    let overdue = run.fall_overdue().await?;

    let mut report = Report::of("schedule", &run.fleet);
    report.count("waiting", "publishes that wait", args.waiting);
    report.cpu_share("IdleCpuPercent", "CPU before there were any", &idle);
    report.cpu_share("WaitingCpuPercent", "CPU with them", &waiting);
    report.cpu_share("ClockCpuPercent", "CPU: the difference", &waiting.beyond(&idle));
    report.count("recipients", "recipients", recipients as u64);
    report.fallen("delivered", "delivered in one second", &delivered, due);
    report.count("early", "delivered before it", early);
    report.points("lag", "at streams, from that second", &outcome.lag);
    report.outcome(&outcome);
    report.cpu_per("Delivery", "delivery", &delivered.spent, due);
    report.fallen("overdue", "overdue in one second", &overdue, due);
    report.cpu_per("Overdue", "one that becomes overdue", &overdue.spent, due);
    // Each is one item with two changes: its arrival and its becoming overdue.
    let count = i64::from(args.due);
    let once = Tally { items: count, notifications: count, overdue: 0, changes: count };
    let twice = Tally { overdue: count, changes: 2 * count, ..once };
    report.clean &= early == 0 && delivered.tally == once && overdue.tally == twice;
    Ok(report)
}

impl Report {
    fn fallen(&mut self, key: &str, label: &str, fallen: &Fallen, count: u64) {
        self.count(&format!("{key}Items"), &format!("items, {label}"), fallen.tally.items.unsigned_abs());
        self.count(&format!("{key}Changes"), "changes of their inboxes", fallen.tally.changes.unsigned_abs());
        self.add(&format!("{key}Ms"), "the last of them after", fallen.took.as_secs_f64() * 1000.0, "ms");
        self.add(&format!("{key}PerSecond"), "per second", per_second(count, fallen.took), "/s");
    }
}

impl Run<'_> {
    /// Measures the idle instance.
    async fn idle(&self) -> anyhow::Result<Spent> {
        sleep(SETTLE).await;
        let before = self.meter.read()?;
        sleep(Duration::from_secs(self.args.idle)).await;
        self.meter.since(&before)
    }

    /// Has many publishes wait, each for a user of its own.
    async fn seed(&self) -> anyhow::Result<()> {
        let from = Utc::now() + FAR;
        for first in (0..self.args.waiting).step_by(BULK as usize) {
            let numbers = first..self.args.waiting.min(first + BULK);
            let users: Vec<_> = numbers.map(|n| format!("{}-waits-{n}", self.fleet.users.name(0))).collect();
            self.database.schedule(self.fleet.users.tenant(), &users, from).await?;
        }
        self.database.tidy("notifications, scheduled").await
    }

    /// Publishes to users, some of them with open streams, and waits until all are delivered.
    async fn deliver(&mut self) -> anyhow::Result<Fallen> {
        let moment = self.moment();
        self.fleet.begin(moment.micros, 0).await?;
        let users = self.names(0);
        let connected = self.fleet.users.count;
        let title_of = |index: usize| {
            let (round, user) = (index / self.recipients, index % self.recipients);
            let n = (round * connected + user) as u64;
            if user < connected { Marker { n, t: 0 }.text() } else { "Delivered".to_owned() }
        };
        self.publish(&users, "deliverAt", moment.at, title_of).await?;
        self.fall(&users, moment, u64::from(self.args.due)).await
    }

    /// Publishes due items to users without streams, and waits until all are overdue. Users with streams would not do: a stream that
    /// is behind receives the arrival of an item and its becoming overdue as one.
    async fn fall_overdue(&self) -> anyhow::Result<Fallen> {
        let (moment, users, count) = (self.moment(), self.names(self.recipients), u64::from(self.args.due));
        self.publish(&users, "dueAt", moment.at, |_| "Due".to_owned()).await?;
        self.fall(&users, moment, 2 * count).await
    }

    /// Recipients, the first with this number.
    fn names(&self, first: usize) -> Vec<String> {
        (first..first + self.recipients).map(|user| self.fleet.users.name(user)).collect()
    }

    /// How many of so many publishes go to users with open streams.
    fn marked(&self, count: u64) -> u64 {
        let (recipients, connected) = (self.recipients as u64, self.fleet.users.count as u64);
        count / recipients * connected + (count % recipients).min(connected)
    }

    /// A whole second.
    fn moment(&self) -> Moment {
        let (now, micros_now) = (Utc::now(), clock::now());
        let soonest = now + Duration::from_secs(self.args.ahead + 1);
        let at = DateTime::from_timestamp(soonest.timestamp(), 0).unwrap_or(soonest);
        Moment { at, micros: micros_now + micros((at - now).to_std().unwrap_or_default()) }
    }

    /// Publishes to users, round robin; a field says at which time, and all must be accepted before it.
    async fn publish(
        &self,
        users: &[String],
        field: &str,
        at: DateTime<Utc>,
        title: impl Fn(usize) -> String,
    ) -> anyhow::Result<()> {
        let mut sender = Sender::over_http(&self.fleet.targets[0], &self.fleet.users, Via::HttpBatch).await?;
        let at = at.to_rfc3339();
        let body = |index: usize| {
            let (user, title) = (&users[index % users.len()], title(index));
            format!(r#"{{"users":["{user}"],"kind":"bench","title":"{title}","{field}":"{at}"}}"#)
        };
        let indices: Vec<usize> = (0..self.args.due as usize).collect();
        for indices in indices.chunks(BATCH) {
            let bodies = indices.iter().map(|index| body(*index)).collect();
            let accepted = sender.send(&Batch { users: Vec::new(), bodies }).await?;
            if !accepted.iter().all(|accepted| *accepted) {
                bail!("a publish was refused: {}", sender.take_trouble().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Waits for a second, and from then on until the users' inboxes have had so many changes.
    async fn fall(&self, users: &[String], moment: Moment, changes: u64) -> anyhow::Result<Fallen> {
        let ahead = moment.micros.checked_sub(clock::now()).context("publishing took too long: raise --ahead")?;
        sleep(Duration::from_micros(ahead)).await;
        let before = self.meter.read()?;
        let tenant = self.fleet.users.tenant();
        loop {
            let come = self.database.changes(tenant, users).await?;
            let took = clock::since(moment.micros);
            if come.unsigned_abs() >= changes {
                let spent = self.meter.since(&before)?;
                return Ok(Fallen { took, spent, tally: self.database.tally(tenant, users).await? });
            }
            if took > Duration::from_secs(self.args.longest) {
                bail!("only {come} of {changes} changes came within {took:?}");
            }
            sleep(LOOK).await;
        }
    }
}
