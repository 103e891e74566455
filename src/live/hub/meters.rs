//! The metrics of the way of a frame: their handles are looked up once, for a look-up costs more than a count.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

use super::{Delivery, Origin};
use crate::metrics::{FRAMES, LAG_SECONDS, SIGNALS_SENT};

/// Counts frames that connections take from the ring.
pub struct Meters {
    frames: Counter,
    signals: Counter,
    local: Histogram,
    remote: Histogram,
}

impl Meters {
    /// For the recorder that is installed.
    pub(super) fn new() -> Self {
        Self {
            frames: counter!(FRAMES, "from" => "ring"),
            signals: counter!(SIGNALS_SENT),
            local: histogram!(LAG_SECONDS, "path" => "local"),
            remote: histogram!(LAG_SECONDS, "path" => "remote"),
        }
    }

    /// Records signals that are handed over.
    pub fn note_signals(&self, count: usize) {
        self.signals.increment(count as u64);
    }

    /// Records a frame that is handed over at `now` (microseconds since 1970), and how long its publish took to get here;
    /// a clock that runs behind the publisher's instance counts as no time.
    pub fn note(&self, delivery: &Delivery, now: u64) {
        self.frames.increment(1);
        if delivery.published_at > 0 {
            let lag = Duration::from_micros(now.saturating_sub(delivery.published_at));
            match delivery.origin {
                Origin::Local => self.local.record(lag),
                Origin::Remote => self.remote.record(lag),
            }
        }
    }
}
