//! Removes expired notifications from inboxes, announces it to the streams, and deletes them some days later.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::repeat;
use crate::{
    actions::retract::Retractor,
    metrics,
    store::{Store, Unavailable},
};

/// Sweeps every `interval` until the stop. Several instances share the work: each skips rows that another has locked.
pub(crate) async fn run(store: Store, retractor: Retractor, interval: Duration, stop: CancellationToken) {
    repeat(stop, || sleep(interval), || sweep(&store, &retractor)).await;
}

async fn sweep(store: &Store, retractor: &Retractor) -> Result<(), Unavailable> {
    retractor.sweep().await?;
    while let Some(purged) = store.purge().await? {
        ::metrics::counter!(metrics::PURGED).increment(purged as u64);
    }
    store.purge_access().await
}
