//! The last values that a stream is told when it begins, and which signals are no news after them.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::Chunk;
use crate::domain::signal::{Signal, Subject};

/// Signals that were sent before the values were read have come by then, or the bus is found broken.
const UNDER_WAY: Duration = Duration::from_secs(10);

/// What was told of the past.
pub(super) struct Recalled {
    /// Not sent yet.
    unsent: Option<Chunk>,
    /// When each subject's value was sent.
    told: HashMap<Subject, u64>,
    until: Instant,
}

impl Recalled {
    /// None when there is nothing to tell.
    pub(super) fn of(signals: impl Iterator<Item = Signal>) -> Option<Box<Self>> {
        let (mut unsent, mut told) = (Chunk::new(), HashMap::new());
        for signal in signals {
            unsent.push(signal.bytes);
            told.insert(signal.subject, signal.sent_at);
        }
        let until = Instant::now() + UNDER_WAY;
        (!told.is_empty()).then(|| Box::new(Self { unsent: Some(unsent), told, until }))
    }

    /// The values, once.
    pub(super) fn take(&mut self) -> Option<Chunk> {
        self.unsent.take()
    }

    /// Whether this signal or a newer one of its subject was told already: one that was sent while the values were read comes
    /// by itself as well.
    pub(super) fn covers(&self, signal: &Signal) -> bool {
        self.told.get(&signal.subject).is_some_and(|told| signal.sent_at <= *told)
    }

    /// Whether everything is told and nothing older can come any more.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.unsent.is_none() && self.until <= now
    }
}
