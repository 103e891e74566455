//! What runs beside the requests, each task until it is told to stop.

pub mod fanout_worker;
pub mod head_check;
pub mod health_monitor;
pub mod presence;
pub mod retention;
pub mod room_sync;
pub mod scheduler;

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
