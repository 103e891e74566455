//! Removes expired notifications from inboxes, announces it to the streams, and deletes them some days later.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::repeat;
use crate::{
    live::announce::Announcer,
    metrics,
    store::{Store, Unavailable},
};

/// Sweeps every `interval` until the stop. Several instances share the work: each skips rows that another has locked.
pub(crate) async fn run(store: Store, announcer: Announcer, interval: Duration, stop: CancellationToken) {
    repeat(stop, || sleep(interval), || sweep(&store, &announcer)).await;
}

async fn sweep(store: &Store, announcer: &Announcer) -> Result<(), Unavailable> {
    while let Some(swept) = store.sweep().await? {
        ::metrics::counter!(metrics::SWEPT).increment(swept.notifications as u64);
        swept.streams.iter().for_each(|(key, changed)| announcer.announce_change(key, changed));
    }
    while let Some(purged) = store.purge().await? {
        ::metrics::counter!(metrics::PURGED).increment(purged as u64);
    }
    store.purge_access().await
}
