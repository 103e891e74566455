//! One opening of all streams: who is live since when, and what stood in the way.

use std::{
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::client::wire::Verdict;

/// Microseconds that a histogram tells apart at most: ten minutes.
const LONGEST: u64 = 600_000_000;

/// A histogram of microseconds with three significant digits.
pub struct Micros(Histogram<u64>);

impl Micros {
    /// An empty histogram.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST, 3);
        Self(histogram.unwrap_or_else(|_| unreachable!("the bounds are constants that fit")))
    }

    /// Adds a time; what is longer than ten minutes counts as ten.
    pub fn record(&mut self, micros: u64) {
        self.0.saturating_record(micros);
    }

    /// The time, in milliseconds, that this share of all times (0 to 1) does not pass.
    pub fn milliseconds_at(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1000.0
    }
}

/// Locks what only this tool's own short sections hold; a panic in one leaves figures behind, not broken state.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One opening of all streams.
pub struct Phase {
    /// When it began.
    pub start: Instant,
    /// Streams that may be opening at the same time.
    pub permits: Semaphore,
    /// Ends all streams of the phase.
    pub stop: CancellationToken,
    /// Why it cannot succeed: the server refuses the token, say.
    pub fatal: OnceLock<String>,
    /// Streams that have been live at least once.
    pub live: AtomicUsize,
    /// From the beginning of the phase to a stream's being live.
    pub live_after: Mutex<Micros>,
    /// Ends and failed tries that were followed by another try.
    pub retries: AtomicU64,
    /// The last of them.
    pub trouble: Mutex<Option<String>>,
    verdicts: [AtomicU64; 3],
}

impl Phase {
    /// A phase that begins now.
    pub fn new(concurrency: usize) -> Self {
        Self {
            start: Instant::now(),
            permits: Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS)),
            stop: CancellationToken::new(),
            fatal: OnceLock::new(),
            live: AtomicUsize::new(0),
            live_after: Mutex::new(Micros::new()),
            retries: AtomicU64::new(0),
            trouble: Mutex::new(None),
            verdicts: Default::default(),
        }
    }

    /// A stream is live for the first time in this phase.
    pub fn arrived(&self) {
        lock(&self.live_after).record(micros(self.start.elapsed()));
        self.live.fetch_add(1, Relaxed);
    }

    /// A stream was answered with a verdict.
    pub fn answered(&self, verdict: Verdict) {
        self.verdicts[verdict as usize].fetch_add(1, Relaxed);
    }

    /// How often a verdict was given.
    pub fn verdicts(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict as usize].load(Relaxed)
    }

    /// A stream ended or was not opened and will be tried again.
    pub fn retried(&self, why: String) {
        self.retries.fetch_add(1, Relaxed);
        *lock(&self.trouble) = Some(why);
    }
}

/// A duration in whole microseconds.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
