//! Changes that a caller cannot break off: once begun, a commit is followed by its announcement.

use tokio_util::task::TaskTracker;

use crate::store::Unavailable;

/// Runs a commit and its announcement on a task of its own. A caller that disconnects between the two would otherwise keep the
/// announcement from the user's other streams, and from the other instances. A stop waits for the tracker's tasks.
pub(super) async fn run<T, E>(
    tracker: &TaskTracker,
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Unavailable> + Send + 'static,
{
    tracker.spawn(work).await.unwrap_or_else(|ended| {
        // Nothing cancels these tasks, so the work panicked: whether it committed is not known.
        log::error!("a change ended without an answer: {ended}");
        Err(Unavailable.into())
    })
}
