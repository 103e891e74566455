//! Reads what comes in on the bus's channels and hands it to this instance.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Incoming, Sink,
    probe::Probe,
    wire::{
        self, Foreign, arrivals, ephemeral,
        names::{Names, Purpose},
    },
};
use crate::{
    domain::{lock::lock, signal::Address},
    metrics::BUS_FOREIGN,
};

/// Least time between two log lines about foreign messages.
const FOREIGN_LOG: Duration = Duration::from_mins(1);

/// The receiving side of one instance.
pub(super) struct Receiver {
    names: Arc<Names>,
    instance: Arc<str>,
    probe: Arc<Probe>,
    sink: Sink,
    foreign_logged: Mutex<Option<Instant>>,
}

impl Receiver {
    pub(super) fn new(names: Arc<Names>, instance: Arc<str>, probe: Arc<Probe>, sink: Sink) -> Self {
        Self { names, instance, probe, sink, foreign_logged: Mutex::default() }
    }

    /// Takes a message that came on a channel. A message that is not understood is counted and ignored.
    pub(super) fn take(&self, channel: &[u8], message: Bytes) {
        if let Err(reason) = self.read(channel, message) {
            self.note_foreign(reason);
        }
    }

    /// Says something of the path itself.
    pub(super) fn hand(&self, incoming: Incoming) {
        (self.sink)(incoming);
    }

    fn read(&self, channel: &[u8], message: Bytes) -> Result<(), Foreign> {
        let channel = str::from_utf8(channel).map_err(|_| Foreign::Malformed)?;
        match self.names.purpose(channel).ok_or(Foreign::Malformed)? {
            Purpose::Address(to) if ephemeral::is_one(&message) => self.hand(ephemeral::read(to, &message)?),
            Purpose::Address(Address::Topic(_)) => return Err(Foreign::Malformed),
            Purpose::Address(Address::User(key)) => {
                self.hand(Incoming::Announced(wire::read_announcement(key, &message)?));
            }
            Purpose::Control => {
                let (origin, control) = wire::read_control(&message)?;
                if origin != &*self.instance {
                    self.hand(Incoming::Control(control));
                }
            }
            Purpose::Arrivals => {
                let (origin, arrivals) = arrivals::read(&message)?;
                if origin != &*self.instance {
                    self.hand(Incoming::Arrived(arrivals));
                }
            }
            Purpose::Probe => {
                let (round, index) = wire::read_probe(&message)?;
                self.probe.note(round, index);
            }
            Purpose::OthersProbe => {}
        }
        Ok(())
    }

    /// Counts a foreign message, and logs a few of them.
    pub(super) fn note_foreign(&self, reason: Foreign) {
        metrics::counter!(BUS_FOREIGN).increment(1);
        let mut last = lock(&self.foreign_logged);
        if last.is_some_and(|at| at.elapsed() < FOREIGN_LOG) {
            return;
        }
        *last = Some(Instant::now());
        match reason {
            Foreign::Newer => log::info!("the bus carries messages of a newer version, which are ignored"),
            Foreign::Malformed => log::warn!("the bus carries malformed messages, which are ignored"),
        }
    }
}
