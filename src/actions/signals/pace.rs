//! How often each sender may send: so many a second, and a second's worth at once.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use crate::domain::rate_limit::RateLimit;

/// Senders that are kept track of before those are forgotten that have used up nothing.
const SENDERS: usize = 10_000;
const BURST: Duration = Duration::from_secs(1);

/// The rate limit of each sender.
pub(super) struct Pace<K> {
    limit: RateLimit,
    /// Until when each sender has used up its rate.
    used_until: HashMap<K, Instant>,
}

impl<K: Clone + Eq + Hash> Pace<K> {
    /// So many a second for each sender.
    pub(super) fn new(per_second: u32) -> Self {
        Self { limit: RateLimit::new(per_second, BURST), used_until: HashMap::new() }
    }

    /// Lets one pass, or says how long to wait.
    pub(super) fn admit(&mut self, sender: &K) -> Result<(), Duration> {
        self.admit_at(sender, Instant::now())
    }

    fn admit_at(&mut self, sender: &K, now: Instant) -> Result<(), Duration> {
        if let Some(used_until) = self.used_until.get_mut(sender) {
            return self.limit.admit(used_until, now);
        }
        if self.used_until.len() >= SENDERS {
            self.used_until.retain(|_, used_until| *used_until > now);
        }
        self.limit.admit(self.used_until.entry(sender.clone()).or_insert(now), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_do_not_slow_each_other() {
        let (mut pace, now) = (Pace::new(2), Instant::now());
        assert_eq!((0..5).filter(|_| pace.admit_at(&"a", now).is_ok()).count(), 2);
        assert_eq!(pace.admit_at(&"b", now), Ok(()));
    }

    #[test]
    fn senders_that_have_rested_are_forgotten() {
        let (mut pace, start) = (Pace::new(1), Instant::now());
        assert!((0..SENDERS).all(|sender| pace.admit_at(&sender, start).is_ok()));
        assert_eq!(pace.admit_at(&SENDERS, start + Duration::from_millis(500)), Ok(()));
        assert_eq!(pace.used_until.len(), SENDERS + 1, "nobody has rested yet");
        assert_eq!(pace.admit_at(&(SENDERS + 1), start + BURST), Ok(()));
        assert_eq!(pace.used_until.len(), 2);
    }
}
