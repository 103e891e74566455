//! Postgres' busiest second, from samples taken during a measurement.

use std::time::Duration;

use anyhow::Context;
use tokio::{task::JoinHandle, time::interval};
use tokio_util::sync::CancellationToken;

use super::process::cpu;
use crate::database::{Activity, Database};

const INTERVAL: Duration = Duration::from_millis(100);
/// A connection of Postgres reports the last of its work only some time after it fell idle.
const LATE: Duration = Duration::from_secs(11);

/// A sampling that continues until it is finished.
pub struct Sampling {
    stop: CancellationToken,
    samples: JoinHandle<anyhow::Result<Vec<Sample>>>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    activity: Activity,
    cpu: Option<Duration>,
}

/// The most of each within one second; not always the same second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Busiest {
    pub transactions: f64,
    /// Rows read.
    pub rows: f64,
    /// Processor time as a share of one core, in percent; none when the process is not known.
    pub cpu_percent: Option<f64>,
}

impl Sampling {
    /// Begins to sample this database, and the processor time of these processes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(database_url: &str, pids: Vec<u32>) -> anyhow::Result<Self> {
        let database = Database::connect(database_url).await?;
        let stop = CancellationToken::new();
        let mut samples = vec![sample(&database, &pids).await?];
        let stopped = stop.clone();
        let samples = tokio::spawn(async move {
            let mut clock = interval(INTERVAL);
            while !stopped.is_cancelled() {
                clock.tick().await;
                samples.push(sample(&database, &pids).await?);
            }
            Ok(samples)
        });
        Ok(Self { stop, samples })
    }

    /// Waits for the late reports of Postgres, and returns the busiest second.
    ///
    /// # Errors
    /// When the database stopped answering.
    pub async fn finish(self) -> anyhow::Result<Busiest> {
        tokio::time::sleep(LATE).await;
        self.stop.cancel();
        Ok(busiest(&self.samples.await.context("sampling ended early")??))
    }
}

async fn sample(database: &Database, pids: &[u32]) -> anyhow::Result<Sample> {
    let activity = database.activity().await?;
    Ok(Sample { activity, cpu: cpu(pids)? })
}

/// Looks at every stretch of about a second that begins with a sample.
fn busiest(samples: &[Sample]) -> Busiest {
    let mut busiest = Busiest::default();
    for (index, first) in samples.iter().enumerate() {
        let second = samples[index..].iter().find(|later| later.activity.at - first.activity.at >= 1.0);
        let Some(second) = second else { break };
        let seconds = second.activity.at - first.activity.at;
        let grown = |now: i64, before: i64| (now - before) as f64 / seconds;
        busiest.transactions =
            busiest.transactions.max(grown(second.activity.transactions, first.activity.transactions));
        busiest.rows = busiest.rows.max(grown(second.activity.rows, first.activity.rows));
        let cpu = second.cpu.zip(first.cpu).map(|(now, before)| now.saturating_sub(before).as_secs_f64() / seconds);
        busiest.cpu_percent =
            cpu.map(|cpu| (100.0 * cpu).max(busiest.cpu_percent.unwrap_or(0.0))).or(busiest.cpu_percent);
    }
    busiest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_second_may_begin_anywhere() {
        let steps = [(0.0, 0), (0.5, 10), (1.0, 400), (1.5, 800), (2.0, 810), (2.5, 820)];
        let samples = steps.map(|(at, done)| Sample {
            activity: Activity { at, transactions: done, rows: 2 * done },
            cpu: Some(Duration::from_millis(done as u64)),
        });
        let wanted = Busiest { transactions: 790.0, rows: 1580.0, cpu_percent: Some(79.0) };
        assert_eq!(busiest(&samples), wanted);
        assert_eq!(busiest(&samples[..2]), Busiest::default());
    }
}
