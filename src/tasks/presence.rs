//! Has the instance say every second that it lives and who is connected to it.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::actions::presence::Presence;

const BEAT: Duration = Duration::from_secs(1);

/// Beats until told to stop, and once more then: whoever was connected has left.
pub async fn run(presence: Presence, stop: CancellationToken) {
    let mut ticks = interval(BEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        // While the database is away nobody is found to have left; the next beat says what this one could not.
        let _ = presence.beat().await;
    }
    let _ = presence.beat().await;
}
