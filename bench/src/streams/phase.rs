//! One opening of a reader's streams: when each was live, and its faults.

use std::sync::{
    Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use tidings::client::wire::Verdict;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{clock, figures::times::Times};

/// Locks a mutex that only short sections of this tool hold; a panic in one leaves figures behind, not broken state.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One opening of all streams.
pub struct Phase {
    /// When it began, by the shared clock.
    start: u64,
    /// Streams that may be opening at the same time.
    pub permits: Semaphore,
    /// Ends all streams of the phase.
    pub stop: CancellationToken,
    /// Why it cannot succeed, for example because the server refuses the token.
    pub fatal: OnceLock<String>,
    /// Streams that have been live at least once.
    pub live: AtomicUsize,
    /// From the beginning of the phase to a stream's being live.
    pub live_after: Mutex<Times>,
    /// Ends and failed tries that were followed by another try.
    pub retries: AtomicU64,
    /// The last of them.
    pub trouble: Mutex<Option<String>>,
    verdicts: [AtomicU64; 3],
}

impl Phase {
    /// A phase that began at `start`.
    pub fn new(concurrency: usize, start: u64) -> Self {
        Self {
            start,
            permits: Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS)),
            stop: CancellationToken::new(),
            fatal: OnceLock::new(),
            live: AtomicUsize::new(0),
            live_after: Mutex::default(),
            retries: AtomicU64::new(0),
            trouble: Mutex::new(None),
            verdicts: Default::default(),
        }
    }

    /// A stream is live for the first time in this phase.
    pub fn arrived(&self) {
        lock(&self.live_after).record(clock::now().saturating_sub(self.start));
        self.live.fetch_add(1, Relaxed);
    }

    /// A stream was answered with a verdict.
    pub fn answered(&self, verdict: Verdict) {
        self.verdicts[verdict as usize].fetch_add(1, Relaxed);
    }

    /// How often each verdict was given.
    pub fn verdicts(&self) -> [u64; 3] {
        self.verdicts.each_ref().map(|count| count.load(Relaxed))
    }

    /// A stream ended or was not opened and will be tried again.
    pub fn retried(&self, why: String) {
        self.retries.fetch_add(1, Relaxed);
        *lock(&self.trouble) = Some(why);
    }
}
