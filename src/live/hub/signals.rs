//! The newest signals of one user: a small ring that the user's connections share, each with a position of its own.
//!
//! Signals are numbered from 1 as they come. Of a subject only the newest is kept, at its own number. A reader that has
//! not got the older one gets only the newer.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use smallvec::SmallVec;

use super::GATHERED;
use crate::domain::{lock::lock, signal::Signal};

/// The position of a connection that wants no signals: nothing ever follows it.
pub(super) const NEVER: u64 = u64::MAX;

/// The signals after a position.
pub type Unread = SmallVec<[Arc<Signal>; GATHERED]>;

#[derive(Default)]
pub(super) struct Signals {
    /// The number of the newest; written under the ring's lock.
    newest: AtomicU64,
    /// Made by the first signal: most users get none.
    ring: Mutex<Option<Box<Ring>>>,
}

/// Between two uses of the lock, as `Ring::check` asserts:
///
/// - numbers rise, and none is above `Signals::newest`;
/// - no two entries have the same subject;
/// - `bytes` is the length of the entries' texts.
#[derive(Default)]
struct Ring {
    entries: VecDeque<(u64, Arc<Signal>)>,
    bytes: usize,
}

impl Signals {
    /// The position after all signals.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// Takes in a signal and forgets those that every reader has got; `least` is the lowest position of a reader. Answers how many
    /// were dropped that some reader has not got.
    pub(super) fn push(&self, signal: Arc<Signal>, least: u64, most: usize, most_bytes: usize) -> usize {
        let mut ring = lock(&self.ring);
        let number = self.newest() + 1;
        let dropped = ring.get_or_insert_default().push(number, signal, least, most, most_bytes);
        self.newest.store(number, Ordering::Release);
        dropped
    }

    /// The signals after `position`, up to about `most_bytes` and [`GATHERED`] signals, and the position after them.
    pub(super) fn after(&self, position: u64, most_bytes: usize) -> (Unread, u64) {
        let ring = lock(&self.ring);
        let newest = self.newest();
        match &*ring {
            Some(ring) => ring.after(position, most_bytes, newest),
            None => (Unread::new(), newest),
        }
    }
}

impl Ring {
    fn push(&mut self, number: u64, signal: Arc<Signal>, least: u64, most: usize, most_bytes: usize) -> usize {
        while self.entries.front().is_some_and(|(number, _)| *number <= least) {
            self.pop();
        }
        let older = self.entries.iter().position(|(_, known)| known.subject == signal.subject);
        if let Some((_, older)) = older.and_then(|index| self.entries.remove(index)) {
            self.bytes -= older.bytes.len();
        }
        self.bytes += signal.bytes.len();
        debug_assert!(self.entries.back().is_none_or(|(last, _)| *last < number), "numbers rise");
        self.entries.push_back((number, signal));
        let mut dropped = 0;
        while self.entries.len() > most || (self.bytes > most_bytes && self.entries.len() > 1) {
            self.pop();
            dropped += 1;
        }
        dropped
    }

    fn pop(&mut self) {
        if let Some((_, oldest)) = self.entries.pop_front() {
            self.bytes -= oldest.bytes.len();
        }
    }

    fn after(&self, position: u64, most_bytes: usize, newest: u64) -> (Unread, u64) {
        let first = self.entries.partition_point(|(number, _)| *number <= position);
        let (mut unread, mut bytes, mut end) = (Unread::new(), 0, newest);
        for (number, signal) in self.entries.iter().skip(first) {
            bytes += signal.bytes.len();
            if unread.len() == GATHERED || (bytes > most_bytes && !unread.is_empty()) {
                end = number - 1;
                break;
            }
            unread.push(signal.clone());
        }
        (unread, end)
    }

    #[cfg(test)]
    fn check(&self, newest: u64) {
        let numbers: Vec<u64> = self.entries.iter().map(|(number, _)| *number).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?} rise");
        assert!(numbers.last().is_none_or(|last| *last <= newest));
        let subjects: std::collections::HashSet<_> = self.entries.iter().map(|(_, signal)| &signal.subject).collect();
        assert_eq!(subjects.len(), self.entries.len());
        assert_eq!(self.bytes, self.entries.iter().map(|(_, signal)| signal.bytes.len()).sum::<usize>());
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use proptest::prelude::*;

    use super::*;
    use crate::domain::signal::{Address, Subject, TopicKey};

    fn signal(key: u8, value: u64) -> Arc<Signal> {
        let topic = TopicKey { tenant: "t".parse().unwrap(), topic: "team:7".parse().unwrap() };
        let subject = Subject { to: Address::Topic(topic), kind: "k".into(), key: key.to_string().into() };
        let bytes = value.to_string().into();
        Arc::new(Signal { subject, interval: Duration::ZERO, sent_at: value, bytes })
    }

    proptest! {
        /// For every order of signals and reads: each reader gets the values of a key in order and none twice, and ends with
        /// the newest value of every key that was not dropped. The ring keeps its bounds.
        #[test]
        fn readers_get_the_newest_of_every_key_in_order(
            steps in prop::collection::vec((0_u8..12, 0_usize..4), 1..200), most in 1_usize..8,
        ) {
            let signals = Signals::default();
            let mut positions = [0_u64; 3];
            let mut got: [HashMap<u8, u64>; 3] = Default::default();
            let mut sent = HashMap::new();
            let mut dropped = 0;
            let read = |positions: &mut [u64; 3], got: &mut [HashMap<u8, u64>; 3], reader: usize| {
                let (unread, end) = signals.after(positions[reader], 10);
                assert!(end >= positions[reader]);
                positions[reader] = end;
                for signal in unread {
                    let key = signal.subject.key.parse().unwrap();
                    let before = got[reader].insert(key, signal.sent_at);
                    assert!(before.is_none_or(|before| before < signal.sent_at));
                }
            };
            for (value, (key, reader)) in (1..).zip(steps) {
                if reader < 3 {
                    read(&mut positions, &mut got, reader);
                }
                let least = *positions.iter().min().unwrap();
                dropped += signals.push(signal(key, value), least, most, 1_000);
                sent.insert(key, value);
                let ring = lock(&signals.ring);
                let ring = ring.as_deref().unwrap();
                ring.check(signals.newest());
                prop_assert!(ring.entries.len() <= most);
            }
            for reader in 0..3 {
                while positions[reader] < signals.newest() {
                    read(&mut positions, &mut got, reader);
                }
                let missed = sent.iter().filter(|(key, value)| got[reader].get(key) != Some(value)).count();
                prop_assert!(missed <= dropped);
            }
        }
    }

    #[test]
    fn a_slow_reader_gets_the_newer_value_in_the_place_of_the_older() {
        let signals = Signals::default();
        for value in 1..=5 {
            assert_eq!(signals.push(signal(1, value), 0, 4, 1_000), 0);
        }
        let (unread, end) = signals.after(0, 1_000);
        assert_eq!((unread.len(), unread[0].sent_at, end), (1, 5, 5));
        assert!(signals.after(end, 1_000).0.is_empty() && signals.after(NEVER, 1_000).0.is_empty());
    }

    #[test]
    fn an_overflow_drops_the_oldest_and_says_so() {
        let signals = Signals::default();
        let dropped: usize = (1..=6).map(|key| signals.push(signal(key, key.into()), 0, 4, 1_000)).sum();
        let (unread, _) = signals.after(0, 1_000);
        let left: Vec<_> = unread.iter().map(|signal| signal.sent_at).collect();
        assert_eq!((dropped, left), (2, vec![3, 4, 5, 6]));
    }

    fn told(signals: &Signals, position: u64, most_bytes: usize) -> (Vec<u64>, u64) {
        let (unread, end) = signals.after(position, most_bytes);
        (unread.iter().map(|signal| signal.sent_at).collect(), end)
    }

    #[test]
    fn the_ring_holds_as_many_bytes_as_it_may_and_one_signal_at_least() {
        let signals = Signals::default();
        let dropped: usize = (1..=4).map(|key| signals.push(signal(key, key.into()), 0, 9, 3)).sum();
        assert_eq!((dropped, told(&signals, 0, 1_000)), (1, (vec![2, 3, 4], 4)));
        assert_eq!(signals.push(signal(9, 5), 0, 9, 0), 3);
        assert_eq!(told(&signals, 0, 1_000), (vec![5], 5));
    }

    #[test]
    fn bytes_of_a_replaced_signal_are_not_counted_any_more() {
        let signals = Signals::default();
        let dropped = [(1, 10), (1, 5), (2, 6)].map(|(key, value)| signals.push(signal(key, value), 0, 9, 2));
        assert_eq!((dropped, told(&signals, 0, 1_000)), ([0, 0, 0], (vec![5, 6], 3)));
    }

    #[test]
    fn signals_that_every_reader_has_got_are_forgotten() {
        let signals = Signals::default();
        [(1, 0), (2, 0), (3, 2)].into_iter().for_each(|(key, least)| {
            assert_eq!(signals.push(signal(key, key.into()), least, 9, 1_000), 0);
        });
        assert_eq!(told(&signals, 0, 1_000), (vec![3], 3));
        assert_eq!(signals.push(signal(4, 4), 2, 9, 2), 0, "their bytes do not count");
    }

    #[test]
    fn a_read_takes_as_many_bytes_and_signals_as_it_may_and_one_at_least() {
        let signals = Signals::default();
        for key in 0..20 {
            signals.push(signal(key, 1), 0, 99, 1_000);
        }
        assert_eq!(told(&signals, 0, 2), (vec![1, 1], 2));
        assert_eq!(told(&signals, 2, 0), (vec![1], 3));
        let (unread, end) = signals.after(1, 1_000);
        assert_eq!((unread.len(), end), (GATHERED, 17));
        assert_eq!(signals.after(end, 1_000).0.len(), 3);
    }
}
