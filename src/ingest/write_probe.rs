//! Asks Redis for a write now and then. A server that is full, or has become a replica, still answers whoever listens; but publishers
//! cannot add entries, and messages cannot be deduplicated.

use std::{sync::Arc, time::Duration};

use redis::Value;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Ingest, cure, stream};
use crate::{
    bus::redis::servers::probe_write,
    health::{Need, Way},
};

/// Between two probes.
const EVERY: Duration = Duration::from_secs(5);

/// Probes until the stop.
pub(super) async fn run(ingest: Arc<Ingest>, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let command = probe_write(&ingest.prefix, &stream::key(&ingest.prefix), &ingest.instance);
        let written = ingest.with_connection(async |connection| command.query_async::<Value>(connection).await).await;
        let rights = format!("all commands on the keys {}:*", ingest.prefix);
        let written = written.map(drop).map_err(|error| cure::of(&error, &rights));
        for way in [Way::RedisChannels, Way::RedisStream] {
            ingest.health.note_way(way, Need::Write, written.clone());
        }
    }
}
