//! The events that one stream had to get and those that it got: lost, repeated, misordered and foreign ones.

use serde::{Deserialize, Serialize};

use super::protocol::Order;
use crate::marker::Marker;

/// Faults seen by one stream or by all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Came a second time.
    pub repeated: u64,
    /// Its seq was not the one after its predecessor's, or not after it at all.
    pub out_of_order: u64,
    /// Was for another user.
    pub foreign: u64,
    /// The server could not resume the cursor.
    pub resets: u64,
}

impl Faults {
    /// The counts since an earlier one.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            repeated: self.repeated - earlier.repeated,
            out_of_order: self.out_of_order - earlier.out_of_order,
            foreign: self.foreign - earlier.foreign,
            resets: self.resets - earlier.resets,
        }
    }

    /// Adds another stream's faults.
    pub fn add(&mut self, other: &Self) {
        self.repeated += other.repeated;
        self.out_of_order += other.out_of_order;
        self.foreign += other.foreign;
        self.resets += other.resets;
    }
}

/// One stream's record.
#[derive(Debug)]
pub struct Track {
    user: u64,
    users: u64,
    order: Order,
    /// The cursor to come back with; empty before the first hello.
    pub cursor: String,
    pub faults: Faults,
    last: i64,
    seen: Vec<u64>,
    has_for_all: bool,
    /// The number after the newest.
    next: u64,
}

impl Track {
    /// The record of a stream of user number `user` of `users`.
    pub fn new(user: usize, users: usize, order: Order) -> Self {
        let (user, users) = (user as u64, users as u64);
        let cursor = String::new();
        Self {
            user,
            users,
            order,
            cursor,
            faults: Faults::default(),
            last: 0,
            seen: Vec::new(),
            has_for_all: false,
            next: 0,
        }
    }

    /// The stream begins at this seq: a fresh or reset verdict.
    pub fn begin_at(&mut self, seq: i64) {
        self.last = seq;
    }

    /// The seq of the last change seen.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Takes the seq of a change.
    pub fn step(&mut self, seq: i64) {
        let in_order = match self.order {
            Order::Gapless => seq == self.last + 1,
            Order::Ascending => seq > self.last,
            Order::Numbers => true,
        };
        self.faults.out_of_order += u64::from(!in_order);
        self.last = self.last.max(seq);
    }

    /// Takes a notification of this run; true when it came for the first time.
    pub fn take(&mut self, marker: Marker) -> bool {
        if marker.n % self.users != self.user {
            self.faults.foreign += 1;
            return false;
        }
        let first = self.mark(marker.n / self.users);
        self.faults.repeated += u64::from(!first);
        if first && self.order == Order::Numbers {
            self.follow(marker.n);
        }
        first
    }

    /// Takes the run's notification for all users; true when it came for the first time.
    pub fn take_for_all(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.has_for_all, true);
        self.faults.repeated += u64::from(!first);
        first
    }

    /// Takes a signal of a run that sends only signals, each of them to all users; true when it came for the first time.
    pub fn take_signal(&mut self, n: u64) -> bool {
        let first = self.mark(n);
        self.faults.repeated += u64::from(!first);
        if first {
            self.follow(n);
        }
        first
    }

    /// Did notification `n` come, if it was for this stream's user?
    pub fn has(&self, n: u64) -> bool {
        let (word, bit) = bit_of(n / self.users);
        self.seen.get(word).is_some_and(|seen| seen & bit != 0)
    }

    /// Takes the number of a notification that came for the first time.
    fn follow(&mut self, n: u64) {
        self.faults.out_of_order += u64::from(n < self.next);
        self.next = self.next.max(n + 1);
    }

    fn mark(&mut self, index: u64) -> bool {
        let (word, bit) = bit_of(index);
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        let first = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        first
    }
}

/// The bench's bounds keep the word's index far below `usize`; a number beyond them is no notification of ours.
fn bit_of(index: u64) -> (usize, u64) {
    ((index / 64).min(1 << 32) as usize, 1 << (index % 64))
}

/// The seq of a cursor.
pub fn seq_of(cursor: &str) -> Option<i64> {
    cursor.rsplit_once('.')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(track: &mut Track, seq: i64, n: u64) -> bool {
        track.step(seq);
        track.take(Marker { n, t: 0 })
    }

    #[test]
    fn notifications_once_and_in_order_are_no_fault() {
        let mut track = Track::new(1, 3, Order::Gapless);
        track.begin_at(10);
        assert!(take(&mut track, 11, 1) && take(&mut track, 12, 4));
        assert_eq!(track.faults, Faults::default());
        assert!(track.has(1) && track.has(4) && !track.has(7));
    }

    #[test]
    fn repeats_holes_and_foreign_ones_are_distinguished() {
        let mut track = Track::new(0, 2, Order::Gapless);
        assert!(take(&mut track, 1, 0));
        assert!(!take(&mut track, 1, 0));
        assert!(take(&mut track, 4, 400));
        assert!(!take(&mut track, 5, 3));
        let faults = Faults { repeated: 1, out_of_order: 2, foreign: 1, resets: 0 };
        assert_eq!(track.faults, faults);
    }

    #[test]
    fn a_signal_may_be_lost_but_not_repeated_or_late() {
        let mut track = Track::new(1, 3, Order::Gapless);
        assert!(track.take_signal(0) && track.take_signal(3));
        assert_eq!(track.faults, Faults::default());
        assert!(!track.take_signal(3));
        assert!(track.take_signal(2));
        assert_eq!(track.faults, Faults { repeated: 1, out_of_order: 1, ..Faults::default() });
    }

    #[test]
    fn one_senders_messages_come_in_the_order_of_their_numbers() {
        let mut track = Track::new(0, 1, Order::Numbers);
        let came: Vec<_> = [0, 3, 1, 1, 3, 2, 4].into_iter().map(|n| take(&mut track, 0, n)).collect();
        assert_eq!(came, [true, true, true, false, false, true, true]);
        assert_eq!(track.faults, Faults { repeated: 2, out_of_order: 2, ..Faults::default() });
    }

    #[test]
    fn if_changes_of_state_come_together_only_the_order_counts() {
        let mut track = Track::new(0, 1, Order::Ascending);
        assert!(take(&mut track, 1, 0) && take(&mut track, 5, 1));
        assert_eq!(track.faults.out_of_order, 0);
        track.step(5);
        track.step(4);
        assert_eq!(track.faults.out_of_order, 2);
    }

    #[test]
    fn a_cursors_seq_is_its_last_part() {
        assert_eq!(seq_of("k3f9.1042"), Some(1042));
        assert_eq!(seq_of(""), None);
    }
}
