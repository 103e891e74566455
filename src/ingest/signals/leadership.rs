//! One instance's time as the listener: received signals wait in a queue until they may be sent.

use std::{
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    RENEWAL,
    lease::Lease,
    queue::{Gone, Queue},
};
use crate::{
    actions::signals::{Refused, Signals},
    domain::{lock::lock, user::Tenant},
    health::Way,
    ingest::{
        Ingest,
        dead_letter::DeadLetter,
        subscription::{ChannelMessage, PatternSubscription},
    },
    message::{FRAMING_BYTES, NewSignal},
    metrics::{LIMIT_HITS, SIGNALS, SIGNALS_DROPPED},
};

/// Most subjects of which a signal waits; further ones are dropped and counted.
const SUBJECTS: usize = 1_024;
/// Most dead letters that wait to be written; further ones are dropped and counted.
const LETTERS: usize = 256;
/// Pause before unsent signals are sent again.
const AGAIN: Duration = Duration::from_millis(250);
/// A signal that could not be sent for so long is of the past.
const LATE: Duration = Duration::from_mins(1);
/// Most signals sent together.
const TOGETHER: usize = 64;
/// The way in, for the metric.
const SOURCE: &str = "channel";

pub(super) struct Leadership {
    ingest: Arc<Ingest>,
    signals: Signals,
    lease: Arc<Lease>,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

struct Waiting {
    signals: Queue<Item>,
    letters: Vec<DeadLetter>,
}

/// A signal that may be sent, and how it was received: it may be refused yet.
struct Item {
    tenant: Tenant,
    new: NewSignal,
    received: ChannelMessage,
    since: Instant,
}

/// The work that is to be done at once.
struct Work {
    signals: Vec<Item>,
    letters: Vec<DeadLetter>,
    /// When there are no signals: how long until some may go, if any wait.
    wait: Option<Duration>,
}

impl Leadership {
    pub(super) fn new(ingest: Arc<Ingest>, signals: Signals, lease: Arc<Lease>) -> Self {
        let waiting = Waiting { signals: Queue::new(SUBJECTS), letters: Vec::new() };
        Self { ingest, signals, lease, waiting: Mutex::new(waiting), arrived: Notify::new() }
    }

    /// Receives until the stop, then sends the queued signals that may go at once; none if another instance holds the lease by then.
    pub(super) async fn run(self: Arc<Self>, over: CancellationToken) {
        let listening = PatternSubscription {
            servers: self.ingest.servers.clone(),
            prefix: self.ingest.prefix.clone(),
            pattern: format!("{}:signal:*", self.ingest.prefix),
            most_bytes: self.signals.settings().data_bytes + FRAMING_BYTES,
            limit: "ingest_signal_queue",
            way: Way::RedisSignals,
            health: self.ingest.health.clone(),
        };
        let receiver = self.clone();
        let all_received = CancellationToken::new();
        let listen = async {
            listening.run(Arc::new(move |received| receiver.receive(received)), over).await;
            all_received.cancel();
        };
        // The sender ends after the receiver, so the count below leaves out nothing that was received.
        tokio::join!(listen, self.send_all(&all_received));
        let unsent = self.waiting().signals.len();
        ::metrics::counter!(SIGNALS_DROPPED, "reason" => "turn").increment(unsent as u64);
    }

    /// Queues a message; false when a signal was dropped for it. Parsing here, on the connection's own task, slows a flood
    /// down where it comes from.
    fn receive(&self, received: ChannelMessage) -> bool {
        let room = match self.ingest.parse_signal(&received, self.signals.settings().data_bytes) {
            Ok((tenant, new)) => self.queue(Item { tenant, new, received, since: Instant::now() }),
            Err(reason) => {
                ::metrics::counter!(SIGNALS, "source" => SOURCE, "result" => "refused").increment(1);
                self.refuse(received, reason);
                true
            }
        };
        self.arrived.notify_one();
        room
    }

    /// False when another subject's had to go for it.
    fn queue(&self, item: Item) -> bool {
        let gone = self.waiting().signals.put(item.new.subject(&item.tenant), item);
        let result = match &gone {
            None => return true,
            Some(Gone::Older) => "replaced",
            Some(Gone::Other) => "limited",
        };
        ::metrics::counter!(SIGNALS, "source" => SOURCE, "result" => result).increment(1);
        gone == Some(Gone::Older)
    }

    fn refuse(&self, received: ChannelMessage, reason: String) {
        let mut waiting = self.waiting();
        if waiting.letters.len() < LETTERS {
            waiting.letters.push(self.ingest.signal_dead_letter(received, reason));
        } else {
            ::metrics::counter!(LIMIT_HITS, "limit" => "ingest_signal_letters").increment(1);
        }
    }

    async fn send_all(&self, all_received: &CancellationToken) {
        loop {
            let last = all_received.is_cancelled();
            let Work { signals, letters, wait } = self.work();
            if !signals.is_empty() || !letters.is_empty() {
                tokio::join!(self.send(signals, last), self.write_dead_letters(&letters));
            } else if last {
                return;
            } else {
                tokio::select! {
                    () = self.arrived.notified() => {}
                    () = all_received.cancelled() => {}
                    () = async { if let Some(wait) = wait { sleep(wait).await } else { pending().await } } => {}
                }
            }
        }
    }

    fn work(&self) -> Work {
        let mut waiting = self.waiting();
        let letters = std::mem::take(&mut waiting.letters);
        // After a pause of this process another instance may listen, and have sent newer signals.
        if !self.lease.is_held() {
            return Work { signals: Vec::new(), letters, wait: Some(RENEWAL) };
        }
        let (signals, wait) = match waiting.signals.take(TOGETHER, |tenant| self.signals.admit(tenant)) {
            Ok(signals) => (signals, None),
            Err(wait) => (Vec::new(), wait),
        };
        Work { signals, letters, wait }
    }

    /// Sends. The newest value of a subject is not lost because the bus, or the database, does not answer in time: it waits again, unless it
    /// is the `last` time.
    async fn send(&self, items: Vec<Item>, last: bool) {
        let (signals, received): (Vec<_>, Vec<_>) =
            items.into_iter().map(|Item { tenant, new, received, since }| ((tenant, new), (received, since))).unzip();
        let results = self.signals.send_all(signals, SOURCE).await;
        debug_assert_eq!(results.len(), received.len(), "one result for each signal");
        let mut unsent = Vec::new();
        for ((received, since), sent) in received.into_iter().zip(results) {
            match sent {
                Ok(()) => {}
                // A letter for each that finds the bus down would make matters worse.
                Err(Refused::Unavailable) => unsent.push((received, since)),
                Err(refused) => self.refuse(received, refused.to_string()),
            }
        }
        if !unsent.is_empty() && !last {
            self.put_back(unsent);
            sleep(AGAIN).await;
        }
    }

    /// Queues unsent messages again, behind the others of their tenants: those need not fail for the same cause.
    fn put_back(&self, unsent: Vec<(ChannelMessage, Instant)>) {
        let mut dropped = 0;
        for (received, since) in unsent {
            // It was parsed before.
            let Ok((tenant, new)) = self.ingest.parse_signal(&received, self.signals.settings().data_bytes) else {
                continue;
            };
            let subject = new.subject(&tenant);
            let item = Item { tenant, new, received, since };
            let is_late = since.elapsed() > LATE;
            dropped += u64::from(is_late || self.waiting().signals.put_back(subject, item) == Some(Gone::Other));
        }
        ::metrics::counter!(SIGNALS_DROPPED, "reason" => "bus").increment(dropped);
    }

    async fn write_dead_letters(&self, letters: &[DeadLetter]) {
        if let Err(error) = self.ingest.write_dead_letters(letters).await {
            log::debug!("{} refused signals are lost, their dead letters were not written: {error}", letters.len());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }
}
