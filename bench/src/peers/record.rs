//! What the streams of a run got: how late, and nothing lost, repeated, out of order or meant for another.

use std::time::Instant;

use anyhow::Context as _;
use hdrhistogram::Histogram;

/// A histogram of microseconds up to ten minutes; what is longer counts as that.
pub struct Times(Histogram<u32>);

impl Times {
    /// An empty one.
    ///
    /// # Errors
    /// Never with these bounds.
    pub fn new() -> anyhow::Result<Self> {
        Histogram::new_with_bounds(1, 600_000_000, 3).map(Self).context("a histogram's bounds")
    }

    /// Adds a time.
    pub fn add(&mut self, micros: u64) {
        self.0.saturating_record(micros);
    }

    /// The time in milliseconds that this share of all do not exceed.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1_000.0
    }
}

/// What came of a user's messages on one stream: they are numbered from 0 on.
#[derive(Debug, Default)]
pub struct Order {
    next: u64,
    missing: Vec<u64>,
}

/// What a message was to the stream it came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// New, after all that came before.
    InOrder,
    /// New, but one of a higher number came before it.
    OutOfOrder,
    /// A second time.
    Again,
}

impl Order {
    /// Takes the user's message of this number.
    pub fn take(&mut self, number: u64) -> Came {
        if number >= self.next {
            self.missing.extend(self.next..number);
            self.next = number + 1;
            return Came::InOrder;
        }
        match self.missing.iter().position(|missing| *missing == number) {
            Some(place) => {
                self.missing.swap_remove(place);
                Came::OutOfOrder
            }
            None => Came::Again,
        }
    }
}

/// Counts of one phase.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Messages of the phase that came for the first time.
    pub received: u64,
    /// Messages that came again.
    pub repeated: u64,
    /// Messages that came after later ones.
    pub out_of_order: u64,
    /// Messages for another user.
    pub foreign: u64,
    /// Messages of an earlier phase, which counts them as lost.
    pub late: u64,
    /// Bytes of all streams.
    pub bytes: u64,
}

/// The record of the phase under way.
pub struct Record {
    /// Its counts.
    pub counts: Counts,
    /// From when a message was due until it came.
    pub lag: Times,
    first: u64,
    began: Instant,
}

impl Record {
    /// Begins a phase whose messages are numbered from `first` on.
    ///
    /// # Errors
    /// As [`Times::new`].
    pub fn begin(first: u64, began: Instant) -> anyhow::Result<Self> {
        Ok(Self { counts: Counts::default(), lag: Times::new()?, first, began })
    }

    /// Takes message `number`, due so many microseconds after the phase began, on a stream of `user` of `users`.
    pub fn take(&mut self, order: &mut Order, (user, users): (u64, u64), number: u64, due: u64, now: Instant) {
        if number % users != user {
            self.counts.foreign += 1;
            return;
        }
        match order.take(number / users) {
            Came::InOrder => {}
            Came::OutOfOrder => self.counts.out_of_order += 1,
            Came::Again => {
                self.counts.repeated += 1;
                return;
            }
        }
        if number < self.first {
            self.counts.late += 1;
            return;
        }
        self.counts.received += 1;
        let since = now.saturating_duration_since(self.began).as_micros() as u64;
        self.lag.add(since.saturating_sub(due).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_stream_tells_what_is_new_late_and_repeated() {
        use Came::{Again, InOrder, OutOfOrder};
        let mut order = Order::default();
        let came: Vec<_> = [0, 3, 1, 1, 3, 2, 4].into_iter().map(|number| order.take(number)).collect();
        assert_eq!(came, [InOrder, InOrder, OutOfOrder, Again, Again, OutOfOrder, InOrder]);
    }

    #[test]
    fn a_phase_counts_its_own_messages_only() {
        let began = Instant::now();
        let mut record = Record::begin(10, began).unwrap();
        let mut order = Order::default();
        let now = began + Duration::from_millis(5);
        for number in [5, 10, 10, 11] {
            record.take(&mut order, (0, 5), number, 3_000, now);
        }
        let Counts { received, repeated, foreign, late, .. } = record.counts;
        assert_eq!((received, repeated, foreign, late), (1, 1, 1, 1));
        assert_eq!(record.lag.quantile_ms(1.0), 2.0);
    }
}
