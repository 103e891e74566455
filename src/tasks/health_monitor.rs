//! Watches the instance's health every second: the database, the bus, the pool, and the unread counts.

use std::{sync::Arc, time::Duration};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::{bus::Bus, health::Health, live::hub::Hub, metrics, store::Store};

const TICK: Duration = Duration::from_secs(1);
/// Pings are rare while the database answers and its schema fits: every query shows that it does.
const TICKS_PER_PING: u32 = 5;
const TICKS_PER_RECOUNT: u32 = 60;
/// Users whose unread counts one recount checks.
const SAMPLE: usize = 50;

/// Watches the parts and writes their state to `health` and the metrics.
pub(crate) struct HealthMonitor {
    pub(crate) hub: Hub,
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) health: Arc<Health>,
    /// Its histograms grow until `run_upkeep` folds them.
    pub(crate) metrics: PrometheusHandle,
}

impl HealthMonitor {
    /// Runs until the stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        for tick in 0_u32.. {
            if tick % TICKS_PER_PING == 0 || !self.store.is_up() || self.store.misfit().is_some() {
                // The store itself notes the result.
                if let Some(Ok(durability)) = stop.run_until_cancelled(self.store.ping()).await {
                    self.health.note_durability(durability);
                }
            }
            self.metrics.run_upkeep();
            if tick % TICKS_PER_RECOUNT == TICKS_PER_RECOUNT - 1 {
                self.recount(tick as usize).await;
            }
            self.note();
            if stop.run_until_cancelled(tokio::time::sleep(TICK)).await.is_none() {
                return;
            }
        }
    }

    fn note(&self) {
        self.health.note_database(self.store.is_up());
        self.health.note_connections(self.hub.connections());
        let pool = self.store.pool_use();
        gauge(metrics::POOL_SIZE, pool.open);
        gauge(metrics::POOL_IDLE, pool.idle);
        gauge(metrics::POOL_WAITING, pool.waiting);
        let bus = self.bus.health();
        gauge(metrics::BUS_UP, usize::from(bus.up));
        // Without Redis there is no probe; before the first one comes back, `BUS_UP` is 0.
        ::metrics::gauge!(metrics::BUS_PROBE_AGE_SECONDS).set(bus.probe_age.unwrap_or_default().as_secs_f64());
    }

    /// Recounts some of the users who are connected, others each time.
    async fn recount(&self, turn: usize) {
        let users = self.hub.users();
        let sample: Vec<_> =
            users.iter().cycle().skip(turn % users.len().max(1)).take(SAMPLE.min(users.len())).cloned().collect();
        if let Ok(drift) = self.store.drift(&sample).await {
            ::metrics::gauge!(metrics::UNREAD_DRIFT).set(drift as f64);
            if drift > 0 {
                log::error!("the counts of {drift} of {} users do not agree with their inboxes", sample.len());
            }
        }
    }
}

fn gauge(name: &'static str, value: usize) {
    ::metrics::gauge!(name).set(value as f64);
}
