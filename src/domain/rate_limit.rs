//! How often one sender may send.

use std::time::{Duration, Instant};

/// An average rate, and how much of it may come at once (the generic cell rate algorithm). One time for each sender is all there
/// is to keep.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimit {
    gap: Duration,
    burst: Duration,
}

impl RateLimit {
    /// So many a second, and as many at once as `burst` allows.
    pub(crate) fn new(per_second: u32, burst: Duration) -> Self {
        Self { gap: Duration::from_secs(1) / per_second.max(1), burst }
    }

    /// Lets one pass `now`. The sender has used its rate up to `used_until`, which moves on; a refused one leaves it.
    ///
    /// # Errors
    /// Says how long to wait when it is one too many.
    pub(crate) fn admit(self, used_until: &mut Instant, now: Instant) -> Result<(), Duration> {
        let until = (*used_until).max(now) + self.gap;
        let wait = until.duration_since(now).saturating_sub(self.burst);
        if !wait.is_zero() {
            return Err(wait);
        }
        *used_until = until;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_may_come_at_once_and_then_so_many_a_second() {
        let (limit, start) = (RateLimit::new(20, Duration::from_secs(2)), Instant::now());
        let mut used = start;
        assert_eq!((0..60).filter(|_| limit.admit(&mut used, start).is_ok()).count(), 40);
        let later = start + Duration::from_millis(100);
        assert_eq!((0..60).filter(|_| limit.admit(&mut used, later).is_ok()).count(), 2);
        let mut used = start;
        let at = |number: u64| start + Duration::from_millis(number * 50);
        assert!((0..200).all(|number| limit.admit(&mut used, at(number)).is_ok()), "at the rate for ever");
        let rested = at(1_000);
        assert_eq!((0..60).filter(|_| limit.admit(&mut used, rested).is_ok()).count(), 40, "no more after a rest");
    }

    #[test]
    fn a_sender_that_must_wait_learns_how_long() {
        let (limit, now) = (RateLimit::new(2, Duration::from_secs(1)), Instant::now());
        let mut used = now;
        assert!(limit.admit(&mut used, now).is_ok() && limit.admit(&mut used, now).is_ok());
        assert_eq!(limit.admit(&mut used, now), Err(Duration::from_millis(500)));
        assert_eq!(limit.admit(&mut used, now), Err(Duration::from_millis(500)), "a refused one does not count");
    }

    #[test]
    fn a_rate_below_the_burst_admits_one() {
        let (limit, now) = (RateLimit::new(1, Duration::from_secs(1)), Instant::now());
        assert_eq!(limit.admit(&mut now.clone(), now), Ok(()));
    }
}
