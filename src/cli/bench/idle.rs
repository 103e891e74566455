//! The scenario `idle`: many open streams with nothing to say but heartbeats.

use std::time::Duration;

use clap::value_parser;

use super::{
    Common,
    phase::lock,
    process::Usage,
    report::{Report, cpu_between, per_second},
};

/// Flags of `tidings bench idle`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) common: Common,
    /// How long to leave the streams alone; longer than a heartbeat to see its cost.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Streams that may be opening at the same time.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = value_parser!(u32).range(1..=100_000))]
    concurrency: u32,
}

/// Runs the scenario.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let Args { common, seconds, concurrency } = args;
    let fleet = common.fleet().await?;
    let before = common.usage()?;
    let opened = fleet.open(*concurrency as usize);
    let took = fleet.all_live(&opened, common.patience()).await?;
    let open = common.usage()?;
    let window = Duration::from_secs(*seconds);
    tokio::time::sleep(window).await;
    let after = common.usage()?;

    let streams = fleet.len() as u64;
    let mut report = common.begin("idle", &fleet);
    report.add("connectsPerSecond", "connects per second", per_second(streams, took), "/s");
    let points = [("liveP50Ms", "live after, p50", 0.5), ("liveMaxMs", "live after, max", 1.0)];
    report.times(&lock(&opened.phase.live_after), &points);
    report.opened(&opened.phase);
    report.cpu_per("serverCpuPerConnectUs", "server CPU per connect", cpu_between(before, open), streams);
    if let Some(((before, open), after)) = before.zip(open).zip(after) {
        memory(&mut report, [before, open, after], fleet.len());
        let used = after.cpu.saturating_sub(open.cpu).as_secs_f64() / window.as_secs_f64();
        report.add("idleCpuPercent", "server CPU while idle", 100.0 * used, "% of a core");
    }
    opened.close().await;
    Ok(report)
}

fn memory(report: &mut Report, [before, open, after]: [Usage; 3], streams: usize) {
    let each = |usage: Usage| usage.rss_kib.saturating_sub(before.rss_kib) as f64 * 1.024 / streams as f64;
    report.add("memoryPerConnectionKb", "server memory per connection (RSS)", each(after), "KB");
    report.add("memoryPerConnectionOpenedKb", "the same as soon as all were open", each(open), "KB");
    let pss = after.pss_kib.saturating_sub(before.pss_kib) as f64 * 1.024 / streams as f64;
    report.add("pssPerConnectionKb", "server memory per connection (PSS)", pss, "KB");
    report.add("memoryBeforeMb", "server memory before", before.rss_kib as f64 * 1.024 / 1000.0, "MB");
    report.add("memoryMb", "server memory with all open", after.rss_kib as f64 * 1.024 / 1000.0, "MB");
}
