//! Does what has a time when its time has come: delivers what waits, ends snoozes, goes on with what is due.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    fanout::Fanout,
    metrics,
    store::{Store, Unavailable},
};

/// Between looks: what has a time is early never and late by less than a second.
const LOOK: Duration = Duration::from_millis(500);

/// Looks until told to stop. Several instances share the work: each skips what another has locked.
pub async fn run(store: Store, fanout: Fanout, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        // Left over when the database is away: the next look goes on.
        let _ = stop.run_until_cancelled(look(&store, &fanout)).await;
    }
}

async fn look(store: &Store, fanout: &Fanout) -> Result<(), Unavailable> {
    while let Some(delivered) = store.deliver_scheduled().await? {
        ::metrics::counter!(metrics::SCHEDULED).increment(delivered.publishes as u64);
        fanout.tell_heads(delivered.heads);
        if delivered.begins_fanout {
            fanout.note_begun();
        }
    }
    loop {
        let heads = store.end_snoozes().await?;
        if heads.is_empty() {
            break;
        }
        ::metrics::counter!(metrics::SNOOZES).increment(heads.len() as u64);
        fanout.tell_heads(heads);
    }
    while let Some(stepped) = store.step_duties().await? {
        ::metrics::counter!(metrics::DUE_STEPS).increment(stepped.steps as u64);
        fanout.tell_heads(stepped.heads);
        if stepped.begins_fanout {
            fanout.note_begun();
        }
    }
    Ok(())
}
