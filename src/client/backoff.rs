//! How long to wait before the next try: the server's word where it gave one, jittered, longer after each failure.

use std::time::Duration;

const START: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(30);

/// The waits of one client.
#[derive(Debug, Default)]
pub struct Backoff {
    asked: Option<Duration>,
    failures: u32,
}

impl Backoff {
    /// The server asked for this wait, by `retry:`, `bye` or `Retry-After`; it applies until the server asks for another.
    pub fn ask(&mut self, wait: Duration) {
        self.asked = Some(wait);
    }

    /// A stream was opened: failures before it no longer count.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// A try failed.
    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// The wait before the next try: the wait that the server asked for, or half a second doubled by each failure up to 30 s, if that
    /// is longer. Up to half as much again is added, so that clients which ended together do not return together.
    pub fn wait(&self) -> Duration {
        let grown = START.saturating_mul(1 << self.failures.min(16)).min(MOST);
        self.asked
            .unwrap_or(START)
            .max(if self.failures > 0 { grown } else { Duration::ZERO })
            .mul_f64(1.0 + rand::random_range(0.0..0.5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_never_shorter_than_the_server_asked() {
        let mut backoff = Backoff::default();
        backoff.ask(Duration::from_secs(4));
        for _ in 0..100 {
            let wait = backoff.wait();
            assert!(wait >= Duration::from_secs(4) && wait <= Duration::from_secs(6), "{wait:?}");
        }
    }

    #[test]
    fn waits_grow_with_failures_to_a_bound_and_restart_after_success() {
        let mut backoff = Backoff::default();
        (0..50).for_each(|_| backoff.failed());
        assert!(backoff.wait() >= MOST && backoff.wait() <= MOST.mul_f64(1.5));
        backoff.succeeded();
        assert!(backoff.wait() < Duration::from_secs(1));
    }

    #[test]
    fn a_long_wait_that_was_asked_for_is_kept_under_failures() {
        let mut backoff = Backoff::default();
        backoff.ask(Duration::from_mins(2));
        backoff.failed();
        assert!(backoff.wait() >= Duration::from_mins(2));
    }
}
