//! Lets a subject through at most once per interval; the newest that came meanwhile follows at the interval's end.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use tokio::time::Instant;

use crate::domain::signal::{Signal, Subject};

/// Most subjects that are under way; signals of further ones are dropped until an interval ends.
const SUBJECTS: usize = 10_000;

/// The subjects whose interval has not ended. `ends` has one entry for each subject in `held` and no others, as
/// `Throttle::check` asserts, so every held signal is sent some time.
#[derive(Default)]
pub(super) struct Throttle {
    /// None is held until something comes within the interval.
    held: HashMap<Subject, Option<Signal>>,
    /// When each subject's interval ends.
    ends: BinaryHeap<Reverse<(Instant, Subject)>>,
}

/// The outcome for a signal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// It goes now.
    Now(Signal),
    /// It, or one that replaces it, goes when the interval ends.
    Later,
    /// There are too many subjects.
    Dropped,
}

impl Throttle {
    /// A signal is held while the interval of its subject lasts, even if its own interval is 0. The interval of a topic may have
    /// changed, and a signal that passed now would overtake the held one.
    pub(super) fn offer(&mut self, signal: Signal, now: Instant) -> Passage {
        if let Some(held) = self.held.get_mut(&signal.subject) {
            *held = Some(signal);
            return Passage::Later;
        }
        if signal.interval.is_zero() {
            return Passage::Now(signal);
        }
        if self.held.len() >= SUBJECTS {
            return Passage::Dropped;
        }
        self.ends.push(Reverse((now + signal.interval, signal.subject.clone())));
        self.held.insert(signal.subject.clone(), None);
        Passage::Now(signal)
    }

    /// When the next interval ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.ends.peek().map(|Reverse((end, _))| *end)
    }

    /// The held signals that may go now; each begins another interval.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Signal> {
        let mut due = Vec::new();
        while self.next_end().is_some_and(|end| end <= now) {
            let Some(Reverse((_, subject))) = self.ends.pop() else { break };
            if let Some(signal) = self.held.get_mut(&subject).and_then(Option::take) {
                self.ends.push(Reverse((now + signal.interval, subject)));
                due.push(signal);
            } else {
                self.held.remove(&subject);
            }
        }
        due
    }

    /// Forgets the held signals.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let ends: std::collections::HashSet<_> = self.ends.iter().map(|Reverse((_, subject))| subject).collect();
        assert_eq!(ends.len(), self.ends.len(), "a subject has one end");
        assert_eq!(ends, self.held.keys().collect::<std::collections::HashSet<_>>());
        for (subject, signal) in &self.held {
            assert!(signal.as_ref().is_none_or(|signal| signal.subject == *subject));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::signal::{Address, TopicKey};

    fn signal(key: u8, interval: u64, value: u64) -> Signal {
        let topic = TopicKey { tenant: "t".parse().unwrap(), topic: "team:7".parse().unwrap() };
        let subject = Subject { to: Address::Topic(topic), kind: "k".into(), key: key.to_string().into() };
        Signal { subject, interval: Duration::from_millis(interval), sent_at: value, bytes: "x".into() }
    }

    proptest! {
        /// For signals at any times: two signals of a key are never closer than the interval, they keep their order, and the
        /// newest always gets through in the end.
        #[test]
        fn a_key_is_let_through_once_per_interval_and_its_newest_last(
            steps in prop::collection::vec((0_u8..3, 0_u64..40), 1..100), interval in 1_u64..100,
        ) {
            let mut throttle = Throttle::default();
            let mut now = Instant::now();
            let mut passed: HashMap<Subject, Vec<(Instant, u64)>> = HashMap::new();
            let mut newest = HashMap::new();
            for (value, (key, pause)) in (1..).zip(steps) {
                now += Duration::from_millis(pause);
                let mut through = throttle.due(now);
                throttle.check();
                let offered = signal(key, interval, value);
                newest.insert(offered.subject.clone(), value);
                if let Passage::Now(signal) = throttle.offer(offered, now) {
                    through.push(signal);
                }
                throttle.check();
                for signal in through {
                    passed.entry(signal.subject).or_default().push((now, signal.sent_at));
                }
            }
            while let Some(end) = throttle.next_end() {
                for signal in throttle.due(end) {
                    passed.entry(signal.subject).or_default().push((end, signal.sent_at));
                }
            }
            prop_assert!(throttle.held.is_empty());
            for (subject, passed) in passed {
                for pair in passed.windows(2) {
                    prop_assert!(pair[1].0 - pair[0].0 >= Duration::from_millis(interval));
                    prop_assert!(pair[1].1 > pair[0].1);
                }
                prop_assert_eq!(passed.last().unwrap().1, newest[&subject]);
            }
        }
    }

    #[test]
    fn without_an_interval_everything_passes() {
        let mut throttle = Throttle::default();
        for value in 0..3 {
            assert!(matches!(throttle.offer(signal(1, 0, value), Instant::now()), Passage::Now(_)));
        }
    }

    #[test]
    fn a_signal_without_interval_still_comes_after_the_held_one() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let mut offer = |interval, value| throttle.offer(signal(1, interval, value), now);
        assert!(matches!(offer(1_000, 1), Passage::Now(_)));
        assert_eq!((offer(1_000, 2), offer(0, 3)), (Passage::Later, Passage::Later));
        assert_eq!(throttle.due(now + Duration::from_secs(1)), [signal(1, 0, 3)]);
        assert_eq!(throttle.next_end(), None, "nothing of it is under way any more");
    }

    #[test]
    fn too_many_subjects_are_dropped_rather_than_kept() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..=SUBJECTS {
            let mut signal = signal(0, 1_000, 0);
            signal.subject.key = number.to_string().into();
            let passage = throttle.offer(signal, now);
            assert_eq!(passage == Passage::Dropped, number == SUBJECTS);
        }
    }
}
