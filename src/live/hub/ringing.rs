//! Rings many connections side by side.

use std::sync::Arc;

use tokio::runtime::Handle;

/// So many are rung by one task: more are rung by several tasks side by side.
const RUNG_TOGETHER: usize = 128;

/// Rings all, and must be called without any lock: a ring may write to a socket. Many are spread over the runtime's threads, so that
/// the next work after a broadcast need not wait for its last connection.
pub(super) fn ring_all<T: Send + Sync + 'static>(all: Arc<Vec<Arc<T>>>, ring: impl Fn(&T) + Copy + Send + 'static) {
    let runtime = Handle::try_current().ok().filter(|_| all.len() > RUNG_TOGETHER);
    let Some(runtime) = runtime else { return all.iter().for_each(|one| ring(one)) };
    for first in (0..all.len()).step_by(RUNG_TOGETHER) {
        let all = all.clone();
        runtime.spawn(async move { all.iter().skip(first).take(RUNG_TOGETHER).for_each(|one| ring(one)) });
    }
}
