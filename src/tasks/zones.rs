//! Gives the database the time zones of this binary, and warns of those that preferences name and nobody knows any more.

use std::{collections::HashSet, time::Duration};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::store::{Store, Unavailable};

/// The warnings look at all preferences, so they are rare.
const PERIOD: Duration = Duration::from_hours(24);
/// Pause after the database did not answer.
const PAUSE: Duration = Duration::from_secs(10);

/// Works at once and every day, until the stop.
pub(crate) async fn run(store: Store, stop: CancellationToken) {
    let mut named = HashSet::new();
    while let Some(done) = stop.run_until_cancelled(work(&store, &mut named)).await {
        let pause = if done.is_ok() { PERIOD } else { PAUSE };
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// Each name is told once.
async fn work(store: &Store, named: &mut HashSet<String>) -> Result<(), Unavailable> {
    store.write_zones().await?;
    for zone in store.unknown_zones().await? {
        if named.insert(zone.clone()) {
            log::warn!("no time zone is called {zone:?}: quiet hours of preferences that name it are not kept");
        }
    }
    Ok(())
}
