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

    /// Records a frame that is sent at `now` (microseconds since 1970), and how long its publish took to get here. The time
    /// counts as 0 if this clock runs behind that of the publisher's instance.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Blocks, Frame, Subject};
    use metrics_exporter_prometheus::PrometheusBuilder;

    fn delivery(origin: Origin, published_at: u64) -> Delivery {
        Delivery { frame: Frame { seq: 1, subject: Subject::State, blocks: Blocks::default() }, published_at, origin }
    }

    #[test]
    fn frames_are_counted_and_the_lag_of_publishes_is_measured_by_its_path() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let meters = Meters::new();
            meters.note_signals(2);
            meters.note_signals(3);
            meters.note(&delivery(Origin::Remote, 1_000_000), 3_000_000);
            meters.note(&delivery(Origin::Local, 1_000_000), 500_000);
            meters.note(&delivery(Origin::Local, 0), 3_000_000);
        });
        let text = recorder.handle().render();
        let has = |line: &str| assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        has(&format!("{SIGNALS_SENT} 5"));
        has(&format!("{FRAMES}{{from=\"ring\"}} 3"));
        has(&format!("{LAG_SECONDS}_count{{path=\"remote\"}} 1"));
        has(&format!("{LAG_SECONDS}_sum{{path=\"remote\"}} 2"));
        has(&format!("{LAG_SECONDS}_count{{path=\"local\"}} 1"));
        has(&format!("{LAG_SECONDS}_sum{{path=\"local\"}} 0"));
    }
}
