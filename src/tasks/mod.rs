//! Tasks that run beside the requests, each until the stop.

pub(crate) mod fanout_worker;
pub(crate) mod head_check;
pub(crate) mod health_monitor;
pub(crate) mod presence;
pub(crate) mod retention;
pub(crate) mod room_sync;
pub(crate) mod scheduler;
pub(crate) mod zones;

use tokio_util::sync::CancellationToken;

use crate::store::Unavailable;

/// Works each time that `wake` ends, until the stop, which breaks off work under way. When the database does not answer, the rest
/// of the work is left to the next time.
async fn repeat<W, F>(stop: CancellationToken, wake: impl Fn() -> W, work: impl Fn() -> F)
where
    W: Future<Output = ()>,
    F: Future<Output = Result<(), Unavailable>>,
{
    while stop.run_until_cancelled(wake()).await.is_some() {
        let _: Option<Result<(), Unavailable>> = stop.run_until_cancelled(work()).await;
    }
}
