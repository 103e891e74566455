//! Growing pauses between attempts, with jitter so that instances do not return in step.

use std::time::Duration;

use tokio::time::Instant;

/// A failure as quick as this is a connection that was lost unnoticed, and worth a second attempt at once.
const QUICK: Duration = Duration::from_millis(500);

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3);

/// The pauses of one thing that is attempted again and again.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next pause: between half and all of 100 ms, doubled with every failure up to 3 s.
    pub(crate) fn next(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Resets the count of failures after a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Refuses work for a server that has failed, during a pause that grows.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    backoff: Backoff,
    open_until: Option<Instant>,
}

/// An operation that may be attempted twice.
pub(super) struct Attempt(Instant);

impl Breaker {
    /// An attempt, unless the pause still lasts.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        let now = Instant::now();
        self.open_until.is_none_or(|until| until <= now).then_some(Attempt(now))
    }

    /// Takes the result of an operation: a failure begins a pause.
    pub(super) fn ended(&mut self, succeeded: bool) {
        if succeeded {
            *self = Self::default();
        } else {
            self.open_until = Some(Instant::now() + self.backoff.next());
        }
    }

    /// Ends the pause.
    pub(super) fn close(&mut self) {
        self.open_until = None;
    }
}

impl Attempt {
    /// Whether a failure now is worth a second attempt at once.
    pub(super) fn failed_quickly(&self) -> bool {
        self.0.elapsed() < QUICK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_start_again() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..50).map(|_| backoff.next()).collect();
        assert!(pauses[0] <= FIRST && pauses[0] >= FIRST / 2);
        assert!(pauses[10..].iter().all(|pause| (LONGEST / 2..=LONGEST).contains(pause)));
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn a_server_that_failed_is_left_alone_for_a_pause() {
        let mut breaker = Breaker::default();
        assert!(breaker.attempt().is_some_and(|attempt| attempt.failed_quickly()));
        breaker.ended(false);
        assert!(breaker.attempt().is_none());
        assert!(breaker.open_until.is_some_and(|until| until <= Instant::now() + FIRST));
        breaker.open_until = Some(Instant::now());
        assert!(breaker.attempt().is_some());
        breaker.ended(false);
        breaker.close();
        assert!(breaker.attempt().is_some());
        assert_eq!(breaker.backoff.failures, 2);
        breaker.ended(true);
        assert_eq!(breaker.backoff.failures, 0);
    }

    #[test]
    fn a_slow_failure_is_not_worth_a_second_attempt_at_once() {
        let began = Instant::now().checked_sub(QUICK).unwrap();
        assert!(!Attempt(began).failed_quickly());
    }
}
