//! Messages of this instance on their way to the others: two queues, which no caller waits for.
//!
//! While the bus does not take messages they are dropped and counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    Announcement, Arrivals, Control, Left,
    wire::{self, arrivals, ephemeral, names::Names},
};
use crate::{
    domain::signal::Signal,
    metrics::{BUS_DROPPED, SIGNALS_DROPPED},
};

/// Most messages that wait.
const QUEUE: usize = 8_192;
/// Most signals that wait.
const SIGNAL_QUEUE: usize = 1_024;
/// Most messages of one batch.
const BATCH: usize = 512;
/// Most signals of one batch: so long may an announcement wait for them.
const SIGNAL_BATCH: usize = 64;
/// Longest time that a caller waits until the bus has taken a removal, or begins to send a signal.
const TAKEN: Duration = Duration::from_secs(1);

/// A message to other instances.
#[derive(Debug)]
pub(super) enum Outgoing {
    Announcement(Announcement),
    Arrivals(Arrivals),
    Control(Control),
    /// Users that lost a topic; the caller is let go when the bus has taken it.
    Left(Left, oneshot::Sender<()>),
    /// A round of probes.
    Probe(u64),
    /// The path was found broken: send what follows on a fresh connection.
    Reconnect,
}

impl Outgoing {
    /// Its channels and messages.
    pub(super) fn messages(&self, names: &Names, instance: &str) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::Announcement(item) => vec![(names.user(&item.key), wire::announcement(item))],
            Self::Arrivals(item) => vec![(names.arrivals().to_owned(), arrivals::write(instance, item))],
            Self::Control(item) => vec![(names.control().to_owned(), wire::control(instance, item))],
            Self::Left(item, _) => vec![(names.topic(&item.topic), ephemeral::left(item))],
            Self::Probe(round) => {
                let probe = |(index, name): (usize, &String)| (name.clone(), wire::probe(*round, index));
                names.probes().iter().enumerate().map(probe).collect()
            }
            Self::Reconnect => Vec::new(),
        }
    }

    /// Whether the metric of dropped announcements counts it.
    fn is_counted(&self) -> bool {
        matches!(self, Self::Announcement(_) | Self::Arrivals(_))
    }
}

/// A signal on its way.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) signal: Signal,
    /// It is the last value of its subject.
    pub(super) kept: bool,
    /// The caller, if one waits.
    caller: Option<Caller>,
}

/// A caller that waits until the bus has taken its signal.
#[derive(Debug)]
struct Caller {
    taken: oneshot::Sender<()>,
    /// Set by the first of the two: the caller, who has waited long enough, or the queue, which begins to send. So a caller that
    /// hears that its signal did not go knows that it does not go later.
    decided: Arc<AtomicBool>,
}

impl Sending {
    /// Whether it still goes: no caller has given it up, who may have sent a newer one through another instance.
    fn begins(&self) -> bool {
        self.caller
            .as_ref()
            .is_none_or(|caller| !caller.taken.is_closed() && !caller.decided.swap(true, Ordering::AcqRel))
    }
}

/// Sends batches over one kind of bus.
pub(super) trait Deliver: Send {
    /// Forgets the connection: what follows goes over a fresh one.
    fn forget(&mut self);

    /// Whether the bus took all of the messages, in their order.
    fn send(&mut self, batch: &[Outgoing]) -> impl Future<Output = bool> + Send;

    /// How many of the signals, counted from the first, the bus took.
    fn send_signals(&mut self, signals: &[Sending]) -> impl Future<Output = usize> + Send;
}

/// The end of the queues that callers put messages in; cheap to clone.
#[derive(Clone)]
pub(super) struct Outlet {
    messages: mpsc::Sender<Outgoing>,
    signals: mpsc::Sender<Sending>,
}

/// The end of the queues that the sender takes messages out of.
pub(super) struct Queues {
    messages: mpsc::Receiver<Outgoing>,
    signals: mpsc::Receiver<Sending>,
}

/// Empty queues.
pub(super) fn queues() -> (Outlet, Queues) {
    let (messages, queue) = mpsc::channel(QUEUE);
    let (signals, signal_queue) = mpsc::channel(SIGNAL_QUEUE);
    (Outlet { messages, signals }, Queues { messages: queue, signals: signal_queue })
}

impl Outlet {
    pub(super) fn announce(&self, announcements: Vec<Announcement>) {
        announcements.into_iter().for_each(|announcement| self.put_counted(Outgoing::Announcement(announcement)));
    }

    pub(super) fn send_arrivals(&self, arrivals: Arrivals) {
        self.put_counted(Outgoing::Arrivals(arrivals));
    }

    fn put_counted(&self, item: Outgoing) {
        if self.messages.try_send(item).is_err() {
            metrics::counter!(BUS_DROPPED).increment(1);
        }
    }

    /// Other instances look by themselves in time if the queue does not take it.
    pub(super) fn control(&self, control: Control) {
        let _ = self.messages.try_send(Outgoing::Control(control));
    }

    /// A probe that the queue does not take is a missed one.
    pub(super) fn probe(&self, round: u64) {
        let _ = self.messages.try_send(Outgoing::Probe(round));
    }

    /// A queue that is full is being dropped anyway.
    pub(super) fn reconnect(&self) {
        let _ = self.messages.try_send(Outgoing::Reconnect);
    }

    pub(super) fn signal(&self, signal: Signal, kept: bool) -> impl Future<Output = bool> + Send + 'static + use<> {
        let (taken, mut answer) = oneshot::channel();
        let decided = Arc::<AtomicBool>::default();
        let caller = Some(Caller { taken, decided: decided.clone() });
        let sent = self.signals.try_send(Sending { signal, kept, caller }).is_ok();
        async move {
            if !sent {
                return false;
            }
            match timeout(TAKEN, &mut answer).await {
                Ok(taken) => taken.is_ok(),
                // It is on its way: the bus takes it or fails within a bound of its own.
                Err(_) if decided.swap(true, Ordering::AcqRel) => answer.await.is_ok(),
                Err(_) => false,
            }
        }
    }

    pub(super) fn cast(&self, signal: Signal) -> bool {
        self.signals.try_send(Sending { signal, kept: false, caller: None }).is_ok()
    }

    pub(super) async fn send_removal(&self, left: Left) -> bool {
        let (taken, answer) = oneshot::channel();
        let sent = self.messages.try_send(Outgoing::Left(left, taken)).is_ok();
        sent && is_taken(answer).await
    }
}

async fn is_taken(answer: oneshot::Receiver<()>) -> bool {
    matches!(timeout(TAKEN, answer).await, Ok(Ok(())))
}

impl Queues {
    /// Sends until `stop`, then the messages that still wait.
    pub(super) async fn run(mut self, mut bus: impl Deliver, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut signals = Vec::with_capacity(SIGNAL_BATCH);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !self.messages.is_closed() => self.messages.close(),
                count = self.messages.recv_many(&mut batch, BATCH) => if count == 0 { return },
                _ = self.signals.recv_many(&mut signals, SIGNAL_BATCH) => {}
            }
            if !batch.is_empty() {
                deliver(&mut bus, &mut batch).await;
            }
            // However many announcements there are, signals have their turn.
            while signals.len() < SIGNAL_BATCH
                && let Ok(sending) = self.signals.try_recv()
            {
                signals.push(sending);
            }
            if !signals.is_empty() {
                deliver_signals(&mut bus, &mut signals).await;
            }
        }
    }
}

async fn deliver(bus: &mut impl Deliver, batch: &mut Vec<Outgoing>) {
    if batch.iter().any(|item| matches!(item, Outgoing::Reconnect)) {
        bus.forget();
    }
    let taken = bus.send(batch).await;
    if !taken {
        let dropped = batch.iter().filter(|item| item.is_counted()).count();
        metrics::counter!(BUS_DROPPED).increment(dropped as u64);
    }
    for item in batch.drain(..) {
        if let Outgoing::Left(_, waiter) = item
            && taken
        {
            let _ = waiter.send(()); // the caller may have stopped waiting
        }
    }
}

async fn deliver_signals(bus: &mut impl Deliver, signals: &mut Vec<Sending>) {
    let count = signals.len();
    signals.retain(Sending::begins);
    let taken = if signals.is_empty() { 0 } else { bus.send_signals(signals).await };
    metrics::counter!(SIGNALS_DROPPED, "reason" => "bus").increment((count - taken) as u64);
    for caller in signals.drain(..).take(taken).filter_map(|sending| sending.caller) {
        let _ = caller.taken.send(()); // the caller may have stopped waiting
    }
}
