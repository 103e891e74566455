//! The last values that a stream gets when it begins, and the signals that repeat them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Chunk, Piece};
use crate::domain::signal::{Signal, Subject};

/// Signals that were sent before the values were read have come by then, or the bus counts as broken.
const UNDER_WAY: Duration = Duration::from_secs(10);

/// The values, and the times that they were sent at.
pub(super) struct LastValues {
    /// Not handed over yet.
    unsent: Option<Chunk>,
    /// When each subject's value was sent.
    sent_at: HashMap<Subject, u64>,
    until: Instant,
}

impl LastValues {
    /// None when there are no values.
    pub(super) fn of(signals: impl Iterator<Item = Signal>) -> Option<Box<Self>> {
        let (mut unsent, mut sent_at) = (Chunk::new(), HashMap::new());
        for signal in signals {
            sent_at.insert(signal.subject.clone(), signal.sent_at);
            unsent.push(Piece::Signal(Arc::new(signal)));
        }
        let until = Instant::now() + UNDER_WAY;
        (!sent_at.is_empty()).then(|| Box::new(Self { unsent: Some(unsent), sent_at, until }))
    }

    /// The values, once.
    pub(super) fn take(&mut self) -> Option<Chunk> {
        self.unsent.take()
    }

    /// Whether the values hold this signal or a newer one of its subject: a signal that was sent while the values were read comes by
    /// itself as well.
    pub(super) fn cover(&self, signal: &Signal) -> bool {
        self.sent_at.get(&signal.subject).is_some_and(|sent_at| signal.sent_at <= *sent_at)
    }

    /// Whether the values were handed over and no signal from before them can come any more.
    pub(super) fn are_over(&self, now: Instant) -> bool {
        self.unsent.is_none() && self.until <= now
    }
}
