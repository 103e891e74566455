//! How often each sender may send: so many a second, and a second's worth at once.

use std::{collections::HashMap, hash::Hash, time::Duration};

use tokio::time::Instant;

/// Senders that are kept track of before those are forgotten who have been quiet for a second.
const SENDERS: usize = 10_000;

/// For each sender the time until which it has used up what it may send.
pub(super) struct Pace<K> {
    gap: Duration,
    until: HashMap<K, Instant>,
}

impl<K: Clone + Eq + Hash> Pace<K> {
    /// So many a second for each sender.
    pub(super) fn new(per_second: u32) -> Self {
        Self { gap: Duration::from_secs(1) / per_second.max(1), until: HashMap::new() }
    }

    /// Lets one pass, or says how long to wait.
    pub(super) fn admit(&mut self, sender: &K) -> Result<(), Duration> {
        self.admit_at(sender, Instant::now())
    }

    fn admit_at(&mut self, sender: &K, now: Instant) -> Result<(), Duration> {
        let until = self.until.get(sender).map_or(now, |until| (*until).max(now)) + self.gap;
        let wait = (until - now).saturating_sub(Duration::from_secs(1));
        if !wait.is_zero() {
            return Err(wait);
        }
        if self.until.len() >= SENDERS {
            self.until.retain(|_, until| *until > now);
        }
        self.until.insert(sender.clone(), until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_signals_may_come_at_once_and_then_so_many_a_second() {
        let (mut pace, start) = (Pace::new(20), Instant::now());
        let mut admit = |sender: &str, millis: u64| {
            pace.admit_at(&sender.to_owned(), start + Duration::from_millis(millis)).is_ok()
        };
        assert_eq!((0..30).filter(|_| admit("a", 0)).count(), 20);
        assert!(admit("b", 0), "senders do not slow each other");
        assert_eq!((0..30).filter(|_| admit("a", 100)).count(), 2);
        assert_eq!((0..30).filter(|_| admit("a", 5_000)).count(), 20);
        assert_eq!(Pace::new(1).admit_at(&1, start), Ok(()));
    }

    #[test]
    fn who_must_wait_is_told_how_long() {
        let (mut pace, now) = (Pace::new(2), Instant::now());
        assert!(pace.admit_at(&1, now).is_ok() && pace.admit_at(&1, now).is_ok());
        assert_eq!(pace.admit_at(&1, now), Err(Duration::from_millis(500)));
    }
}
