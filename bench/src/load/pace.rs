//! When each message of a load is due: evenly spread, independent of the results of those before.

use std::time::Duration;

/// How many messages, and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Messages per second; 0 is as fast as they are taken.
    pub rate: u64,
    /// Messages in all.
    pub total: u64,
}

impl Pace {
    /// The time of all messages at this rate: it includes the time after the last one, although nothing follows.
    pub fn time(self) -> Duration {
        Duration::from_secs(self.total.checked_div(self.rate).unwrap_or_default())
    }

    /// When the message at this index is due after the beginning; at once if there is no rate.
    pub fn due(self, index: u64) -> Duration {
        Duration::from_nanos((index * 1_000_000_000).checked_div(self.rate).unwrap_or_default())
    }

    /// How many are due so many microseconds after the beginning.
    pub fn due_by(self, micros: u64) -> u64 {
        let due = u128::from(micros) * u128::from(self.rate) / 1_000_000 + 1;
        u64::try_from(due).unwrap_or(u64::MAX).min(self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::micros;

    #[test]
    fn messages_are_spread_evenly() {
        let due = |rate, index| Pace { rate, total: 500 }.due(index).as_millis();
        assert_eq!([0, 1, 2, 400].map(|index| due(4, index)), [0, 250, 500, 100_000]);
        assert_eq!(due(0, 9), 0);
    }

    #[test]
    fn none_is_due_early() {
        let pace = Pace { rate: 10_000, total: 10_000 };
        assert_eq!(
            [0, 99, 100, 1_000, 1_000_000, 9_000_000].map(|micros| pace.due_by(micros)),
            [1, 1, 2, 11, 10_000, 10_000]
        );
        for rate in [1, 3, 10_000, 60_000, 999_983] {
            let pace = Pace { rate, total: u64::MAX };
            for index in [0, 1, 2, 3, 1_000, 123_457] {
                let due = micros(pace.due(index));
                assert!(pace.due_by(due + 1) > index, "{rate} {index}");
                assert!(due == 0 || pace.due_by(due - 1) <= index, "{rate} {index}");
            }
        }
    }
}
