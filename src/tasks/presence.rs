//! Stores every second that the instance is alive, and which and how many streams are open here.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    actions::presence::Presence,
    health::{Health, Phase},
};

const BEAT: Duration = Duration::from_secs(1);

/// Beats until the stop, and once more then: all users have left.
pub(crate) async fn run(presence: Presence, health: Arc<Health>, stop: CancellationToken) {
    let mut ticks = interval(BEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        // While the database is away no user counts as having left; the next beat includes the changes of this one.
        let _ = presence.beat(health.phase() == Phase::Serving).await;
    }
    let _ = presence.beat(false).await;
}
