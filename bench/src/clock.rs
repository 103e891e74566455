//! The clock that the processes of one run share.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

const HEAD_START: Duration = Duration::from_millis(200);

/// Microseconds of the machine's monotonic clock.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as u64) * 1_000_000 + (time.tv_nsec as u64) / 1_000
}

/// A duration in whole microseconds.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A moment that is late enough for the readers to receive it and for a sender to begin.
pub fn soon() -> u64 {
    now() + micros(HEAD_START)
}

/// The time since a moment.
pub fn since(moment: u64) -> Duration {
    Duration::from_micros(now().saturating_sub(moment))
}
