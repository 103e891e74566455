//! The scenario `signals`: signals to a topic whose subscribers are all connected, beside stored notifications to as many
//! streams.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{CALM, deliver};
use crate::{
    clock::{self, micros},
    figures::report::Report,
    flags::Common,
    load::{
        caller::{Call, Caller},
        pace::Pace,
    },
    marker::Marker,
    streams::{
        fleet::Fleet,
        protocol::{Order, Outcome, Request, Spread},
        track::Faults,
    },
};

/// Presence signals of the users that joined arrive within this time; they are no part of the measure.
const SETTLE: Duration = Duration::from_secs(3);
/// Between looks at how many have come.
const TICK: Duration = Duration::from_millis(10);
/// The processor time that is compared.
const CPU: &str = "serverCpuPerDeliveryUs";

/// Runs the scenario: first `broadcast`, to compare with, then the signals.
pub async fn run(args: &deliver::Args, common: &Common) -> anyhow::Result<Report> {
    let plain = deliver::broadcast(args, common).await?;
    let mut report = measure(args, common).await?;
    report.clean &= plain.clean;
    report.maybe("plainLagP50Ms", "lag of a notification, p50", plain.figure("lagP50Ms"), "ms");
    report.maybe("plainLagP99Ms", "lag of a notification, p99", plain.figure("lagP99Ms"), "ms");
    report.maybe("plainServerCpuPerDeliveryUs", "server CPU per delivery of a notification", plain.figure(CPU), "us");
    let ratio = report.figure(CPU).zip(plain.figure(CPU)).map(|(signal, plain)| signal / plain);
    report.maybe("ratio", "server CPU per delivery, signal / notification", ratio, "");
    report.remarks.extend(plain.remarks);
    Ok(report)
}

async fn measure(args: &deliver::Args, common: &Common) -> anyhow::Result<Report> {
    let pace = args.pace_for_all()?;
    let database = args.database.connect().await?;
    let mut fleet = common.fleet(Spread::Even, Order::Gapless).await?;
    let topic = format!("bench:{}", fleet.users.name(0));
    database.subscribe(fleet.users.tenant(), &topic, &fleet.users.names(0..fleet.users.count)).await?;
    fleet.open(CALM, common.patience()).await?;
    sleep(SETTLE).await;

    let meter = common.meter();
    let before = meter.read()?;
    let begin = clock::now();
    fleet.begin(begin, 0).await?;
    send(pace, args.payload_bytes as usize, &fleet, &topic, begin).await?;
    let expected = pace.total * fleet.streams as u64;
    let outcome = arrive(&mut fleet, expected, args.grace()).await?;
    let spent = meter.since(&before)?;

    let mut report = Report::of("signals", &fleet);
    report.count("signals", "signals sent", pace.total);
    show(&mut report, &outcome, expected);
    report.cpu_per("Delivery", "delivery", &spent, outcome.deliveries);
    report.cpu_share("CpuPercent", "CPU", &spent);
    Ok(report)
}

/// Sends signals, each at its time, one after another so that their order is known.
async fn send(pace: Pace, payload: usize, fleet: &Fleet, topic: &str, begin: u64) -> anyhow::Result<()> {
    let mut caller = Caller::connect(&fleet.targets[0]).await?;
    let token = &fleet.users.publish_token()?;
    for n in 0..pace.total {
        let due = micros(pace.due(n));
        sleep(Duration::from_micros((begin + due).saturating_sub(clock::now()))).await;
        let body = &body(topic, Marker { n, t: due }, payload);
        caller.ask(&Call { method: "POST", path: "/api/signals", token, body }).await?;
    }
    Ok(())
}

/// A signal with a key of its own, so that no other replaces it.
fn body(topic: &str, marker: Marker, payload: usize) -> String {
    let (key, title) = (marker.n, marker.text());
    format!(
        r#"{{"topic":"{topic}","kind":"bench","key":"{key}","data":{{"title":"{title}","padding":"{:p<payload$}"}}}}"#,
        ""
    )
}

/// Waits until all have come, but no longer than the grace time: signals may be lost.
async fn arrive(fleet: &mut Fleet, expected: u64, grace: Duration) -> anyhow::Result<Outcome> {
    let deadline = Instant::now() + grace;
    while fleet.ask(&Request::Progress).await?.deliveries < expected && Instant::now() < deadline {
        sleep(TICK).await;
    }
    fleet.outcome(&[], Duration::ZERO).await
}

fn show(report: &mut Report, outcome: &Outcome, expected: u64) {
    let Faults { repeated, out_of_order, .. } = outcome.faults;
    report.clean &= repeated == 0 && out_of_order == 0;
    report.count("deliveries", "delivered", outcome.deliveries);
    report.count("lost", "lost, as signals may be", expected.saturating_sub(outcome.deliveries));
    report.count("repeated", "repeated", repeated);
    report.count("outOfOrder", "out of order", out_of_order);
    report.points("lag", "lag of a signal", &outcome.lag);
}
