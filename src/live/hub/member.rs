//! One connection as the hub knows it: its user, its waker, and the reason to end if there is one.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Poll, Waker},
};

use chrono::{DateTime, Utc};
use futures_util::task::AtomicWaker;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    auth::Identity,
    domain::{lock::lock, user::UserKey},
    frame::EndReason,
};

/// A connection's handle within the hub.
pub struct Member {
    id: Uuid,
    key: UserKey,
    since: Instant,
    waker: AtomicWaker,
    rung: AtomicBool,
    /// The number of the newest signal that it has got.
    signals: AtomicU64,
    state: Mutex<State>,
}

struct State {
    identity: Identity,
    end: Option<EndReason>,
}

impl Member {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            id: Uuid::new_v4(),
            key: identity.key.clone(),
            since: Instant::now(),
            waker: AtomicWaker::new(),
            rung: AtomicBool::new(false),
            signals: AtomicU64::new(0),
            state: Mutex::new(State { identity, end: None }),
        }
    }

    /// The connection's public name; random, so that it cannot be guessed.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The connection's user.
    pub fn key(&self) -> &UserKey {
        &self.key
    }

    /// When it joined.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// The identity by the newest token.
    pub fn identity(&self) -> Identity {
        lock(&self.state).identity.clone()
    }

    /// When its token ends, and why the connection must end before, if it must.
    pub fn limits(&self) -> (DateTime<Utc>, Option<EndReason>) {
        let state = lock(&self.state);
        (state.identity.expires_at, state.end)
    }

    /// Wakes the connection for a change, a timer or an end. The flag comes before the wake, so the woken connection sees it.
    pub fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Has the next ring wake `waker`; true when one has come since the last call. The waker is registered first: a ring in between
    /// wakes it or shows in the answer, so none is lost. `waker` may be called
    /// on any thread, within the call that rings.
    pub fn listen(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        self.rung.swap(false, Ordering::AcqRel)
    }

    /// Waits for the next ring; one that came since the last wait counts.
    pub async fn rung(&self) {
        std::future::poll_fn(|context| if self.listen(context.waker()) { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }

    /// Whether a ring still waits: the transport takes nothing.
    pub fn is_unheard(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// How far it has got among its user's signals.
    pub(super) fn signal_position(&self) -> u64 {
        self.signals.load(Ordering::Acquire)
    }

    pub(super) fn move_signals(&self, position: u64) {
        let before = self.signals.swap(position, Ordering::AcqRel);
        debug_assert!(before <= position, "a position among the signals went back from {before} to {position}");
    }

    pub(super) fn end(&self, reason: EndReason) {
        lock(&self.state).end.get_or_insert(reason);
        self.ring();
    }

    pub(super) fn extend(&self, identity: &Identity) {
        lock(&self.state).identity = identity.clone();
        self.ring();
    }
}
