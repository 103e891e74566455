//! The clock that the processes of one run share.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Microseconds of the machine's monotonic clock.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as u64) * 1_000_000 + (time.tv_nsec as u64) / 1_000
}

/// A duration in whole microseconds.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
