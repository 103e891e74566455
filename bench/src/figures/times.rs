//! Distributions of times, which processes can send each other and add up.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest time that a histogram holds, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// A histogram of microseconds with three significant digits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Counts", into = "Counts")]
pub struct Times(Histogram<u64>);

/// A histogram between processes: times and how often each came.
type Counts = Vec<(u64, u64)>;

impl Times {
    /// An empty histogram.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST, 3);
        Self(histogram.unwrap_or_else(|_| unreachable!("the bounds are constants that fit")))
    }

    /// Adds a time; a time over ten minutes counts as ten.
    pub fn record(&mut self, micros: u64) {
        self.0.saturating_record(micros);
    }

    /// Adds the times of another histogram.
    pub fn add(&mut self, other: &Self) {
        for value in other.0.iter_recorded() {
            self.0.saturating_record_n(value.value_iterated_to(), value.count_at_value());
        }
    }

    /// How many times it holds.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time, in milliseconds, that this share of all times (0 to 1) does not pass.
    pub fn milliseconds_at(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1000.0
    }
}

impl Default for Times {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Counts> for Times {
    fn from(counts: Counts) -> Self {
        let mut times = Self::new();
        counts.into_iter().for_each(|(micros, count)| times.0.saturating_record_n(micros, count));
        times
    }
}

impl From<Times> for Counts {
    fn from(times: Times) -> Self {
        times.0.iter_recorded().map(|value| (value.value_iterated_to(), value.count_at_value())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Times {
        let mut times = Times::new();
        micros.into_iter().for_each(|micros| times.record(micros));
        times
    }

    #[test]
    fn histograms_of_several_processes_are_one() {
        let mut left = of((1..=1000).map(|n| n * 1000));
        let right: Times =
            serde_json::from_str(&serde_json::to_string(&of((1001..=2000).map(|n| n * 1000))).unwrap()).unwrap();
        left.add(&right);
        let whole = of((1..=2000).map(|n| n * 1000));
        assert_eq!(left.count(), 2000);
        for share in [0.0, 0.5, 0.99, 0.999, 1.0] {
            assert_eq!(left.milliseconds_at(share), whole.milliseconds_at(share), "{share}");
        }
        assert!((left.milliseconds_at(0.5) - 1000.0).abs() <= 1.0);
    }

    #[test]
    fn a_time_over_ten_minutes_counts_as_ten() {
        assert!((of([u64::MAX]).milliseconds_at(1.0) - 600_000.0).abs() < 1_000.0);
    }
}
