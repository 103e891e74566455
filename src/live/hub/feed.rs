//! One user's connections here, and the ring of the newest frames that they share: a cache of the log's tail.

use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::{
    Subscribed,
    member::Member,
    ring::{Origin, Read, Ring},
    ringing::ring_all,
    signals::{NEVER, Signals, Unread},
};
use crate::{
    auth::Identity,
    bus::Announcement,
    domain::{
        cursor::{Epoch, Seq},
        lock::lock,
        signal::Signal,
        user::UserKey,
    },
    metrics,
};

pub(super) type Members = Arc<Vec<Arc<Member>>>;

/// A user's connections and newest frames.
pub struct Feed {
    key: UserKey,
    /// None when the bus has confirmed.
    subscribed: Mutex<Option<Subscribed>>,
    signals: Signals,
    state: Mutex<State>,
}

/// What the lock keeps together: a member that joins gets the announcements that move the head from then on. No two members have
/// the same id.
struct State {
    ring: Ring,
    /// Copied only when a member joins or leaves while the members are being rung.
    members: Members,
}

impl Feed {
    pub(super) fn new(key: UserKey, subscribed: Subscribed, most_frames: usize, most_bytes: usize) -> Self {
        let state = State { ring: Ring::new(most_frames, most_bytes), members: Members::default() };
        Self { key, subscribed: Mutex::new(Some(subscribed)), signals: Signals::default(), state: Mutex::new(state) }
    }

    pub(super) fn key(&self) -> &UserKey {
        &self.key
    }

    pub(super) async fn subscribed(&self) {
        let subscribed = lock(&self.subscribed).clone();
        if let Some(subscribed) = subscribed {
            subscribed.await;
            *lock(&self.subscribed) = None;
        }
    }

    /// Adds a member unless there are `most` already.
    pub(super) fn add(&self, member: &Arc<Member>, most: usize) -> bool {
        let mut state = lock(&self.state);
        if state.members.len() >= most {
            return false;
        }
        member.move_signals(self.signals.newest());
        Arc::make_mut(&mut state.members).push(member.clone());
        true
    }

    /// Removes a member; true when it was the last.
    pub(super) fn remove(&self, id: Uuid) -> bool {
        let mut state = lock(&self.state);
        Arc::make_mut(&mut state.members).retain(|member| member.id() != id);
        state.members.is_empty()
    }

    pub(super) fn members(&self) -> Members {
        lock(&self.state).members.clone()
    }

    pub(super) fn extend(&self, connection: Uuid, identity: &Identity) -> bool {
        let members = self.members();
        let member = members.iter().find(|member| member.id() == connection);
        member.inspect(|member| member.extend(identity)).is_some()
    }

    /// Notes where a snapshot found the stream. The members of another epoch are woken, for their stream has ended.
    pub fn observe(&self, epoch: &Epoch, head: Seq) {
        self.ring_if(|ring| ring.observe(epoch, head));
    }

    /// The newest change that is known here.
    pub(super) fn head(&self) -> Option<(Epoch, Seq)> {
        lock(&self.state).ring.head()
    }

    /// Takes in an announcement and wakes the members if it moves the head.
    pub(super) fn deliver(&self, announcement: Announcement, origin: Origin) {
        self.ring_if(|ring| ring.take(announcement, origin));
    }

    /// Notes a head whose frames are not known; true when the head moved.
    pub(super) fn reached(&self, epoch: &Epoch, seq: Seq) -> bool {
        self.ring_if(|ring| ring.reached(epoch, seq))
    }

    /// Wakes the members, outside of the lock, if the head moves.
    fn ring_if(&self, moves: impl FnOnce(&mut Ring) -> bool) -> bool {
        let members = {
            let mut state = lock(&self.state);
            if !moves(&mut state.ring) {
                return false;
            }
            state.members.clone()
        };
        ring_all(members, Member::ring);
        true
    }

    pub(super) fn is_behind(&self, epoch: &Epoch, seq: Seq) -> bool {
        lock(&self.state).ring.is_behind(epoch, seq)
    }

    /// What follows `seq`, up to about `most_bytes` and [`GATHERED`](super::GATHERED) frames.
    pub fn read(&self, epoch: &Epoch, seq: Seq, most_bytes: usize) -> Read {
        lock(&self.state).ring.read(epoch, seq, most_bytes)
    }

    /// Takes in a signal, if a member wants any; [`Self::ring_for_signals`] must follow.
    pub(super) fn take_signal(&self, signal: &Arc<Signal>, most: usize) {
        let (members, most_bytes) = {
            let state = lock(&self.state);
            (state.members.clone(), state.ring.most_bytes)
        };
        let least = members.iter().map(|member| member.signal_position()).min().unwrap_or(NEVER);
        if least == NEVER {
            return;
        }
        let dropped = self.signals.push(signal.clone(), least, most, most_bytes);
        if dropped > 0 {
            ::metrics::counter!(metrics::SIGNALS_DROPPED, "reason" => "slow").increment(dropped as u64);
        }
    }

    /// Wakes the members who have not got all signals.
    pub(super) fn ring_for_signals(&self) {
        let newest = self.signals.newest();
        self.members().iter().filter(|member| member.signal_position() < newest).for_each(|member| member.ring());
    }

    /// The next signals that a member has not got, if any; it has got them then.
    pub(super) fn take_signals(&self, member: &Member, most_bytes: usize) -> Option<Unread> {
        let position = member.signal_position();
        if position >= self.signals.newest() {
            return None;
        }
        let (unread, end) = self.signals.after(position, most_bytes);
        member.move_signals(end);
        Some(unread)
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let state = lock(&self.state);
        state.ring.check();
        let ids: std::collections::HashSet<_> = state.members.iter().map(|member| member.id()).collect();
        assert_eq!(ids.len(), state.members.len());
    }
}
