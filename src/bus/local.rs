//! The bus of an instance that is alone: a message is received at once, and last values are kept in memory.

use std::sync::{Arc, Mutex};

use super::{Incoming, Sink, kept::Kept};
use crate::domain::{
    lock::lock,
    signal::{Signal, TopicKey},
};

/// The handle; cheap to clone.
#[derive(Clone)]
pub struct LocalBus(Arc<Shared>);

struct Shared {
    sink: Sink,
    kept: Mutex<Kept>,
}

impl LocalBus {
    pub(super) fn new(sink: Sink) -> Self {
        Self(Arc::new(Shared { sink, kept: Mutex::default() }))
    }

    /// Hands something to this instance.
    pub(super) fn hand(&self, incoming: Incoming) {
        (self.0.sink)(incoming);
    }

    /// Signals go one at a time, under the lock of the values: all readers receive them in one order, and the last one received is the one
    /// that is kept. The sink never calls this bus for a signal, so the lock is not taken twice.
    pub(super) fn signal(&self, mut signal: Signal, kept: bool) {
        let mut values = lock(&self.0.kept);
        if kept {
            values.keep(&mut signal);
        }
        (self.0.sink)(Incoming::Signal(signal));
    }

    pub(super) fn last(&self, topics: &[TopicKey]) -> Vec<Signal> {
        lock(&self.0.kept).of(topics)
    }
}
