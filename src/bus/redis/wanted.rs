//! The channels that this instance wants to hear, and which of them Redis has confirmed.
//!
//! Callers change what is wanted under a short lock and never wait; the session brings Redis in line. A user who
//! comes and goes faster than Redis answers costs nothing: only the last state counts.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::{Notify, oneshot};

use crate::{domain::lock::lock, metrics::BUS_SUBSCRIPTIONS};

/// A channel's name, shared between the places that hold it.
pub(super) type Channel = Arc<str>;

/// The wanted channels.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the session is whole. While it is not, nobody waits.
    up: bool,
    /// What is wanted.
    channels: HashMap<Channel, Confirmation>,
    /// Wanted, not yet confirmed and not yet asked for.
    joining: HashSet<Channel>,
    /// No longer wanted and perhaps known to Redis. A channel may be wanted again before this is worked off.
    leaving: HashSet<Channel>,
}

#[derive(Debug)]
enum Confirmation {
    Awaited(Vec<oneshot::Sender<()>>),
    Given,
}

/// What the session is to do next, in this order.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) leave: Vec<Channel>,
    pub(super) join: Vec<Channel>,
}

impl Wanted {
    /// Wants a channel. The receiver ends when Redis has confirmed it, or when there is nothing to wait for any more;
    /// none when there is nothing to wait for already.
    pub(super) fn join(&self, channel: Channel) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state();
        let up = state.up;
        let fresh = !state.channels.contains_key(&channel);
        if fresh {
            state.joining.insert(channel.clone());
        }
        let confirmation = state.channels.entry(channel).or_insert_with(|| Confirmation::Awaited(Vec::new()));
        let receiver = match confirmation {
            Confirmation::Awaited(waiters) if up => {
                let (sender, receiver) = oneshot::channel();
                waiters.push(sender);
                Some(receiver)
            }
            _ => None,
        };
        self.announce(&state);
        receiver
    }

    /// No longer wants a channel. Whoever waits for it is let go.
    pub(super) fn leave(&self, channel: &Channel) {
        let mut state = self.state();
        if state.channels.remove(channel).is_some() && !state.joining.remove(channel) {
            state.leaving.insert(channel.clone());
        }
        self.announce(&state);
    }

    fn announce(&self, state: &State) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!(BUS_SUBSCRIPTIONS).set(state.channels.len() as f64);
        self.changed.notify_one();
    }

    /// A fresh connection knows no channel: all are to be joined.
    pub(super) fn restart(&self) {
        let mut state = self.state();
        for confirmation in state.channels.values_mut() {
            *confirmation = Confirmation::Awaited(Vec::new());
        }
        state.joining = state.channels.keys().cloned().collect();
        state.leaving = HashSet::new();
    }

    /// The session is broken: nobody need wait. True when it was whole before.
    pub(super) fn broke(&self) -> bool {
        let mut state = self.state();
        for confirmation in state.channels.values_mut() {
            *confirmation = Confirmation::Awaited(Vec::new());
        }
        mem::replace(&mut state.up, false)
    }

    /// The session is whole, unless somebody came in the meantime: who is not told to wait must not be missed by
    /// what follows the return of the bus.
    pub(super) fn mend(&self) -> bool {
        let mut state = self.state();
        state.up = state.joining.is_empty();
        state.up
    }

    /// Whether the session is whole.
    pub(super) fn is_up(&self) -> bool {
        self.state().up
    }

    /// Whether Redis has confirmed a channel that is still wanted.
    pub(super) fn is_confirmed(&self, channel: &str) -> bool {
        matches!(self.state().channels.get(channel), Some(Confirmation::Given))
    }

    /// Redis has confirmed these.
    pub(super) fn confirmed(&self, channels: &[Channel]) {
        let mut state = self.state();
        for channel in channels {
            if let Some(confirmation) = state.channels.get_mut(channel) {
                let before = mem::replace(confirmation, Confirmation::Given);
                if let Confirmation::Awaited(waiters) = before {
                    for waiter in waiters {
                        let _ = waiter.send(()); // who waited may have gone
                    }
                }
            }
        }
    }

    /// Takes what there is to do, if anything.
    pub(super) fn work(&self) -> Option<Work> {
        let mut state = self.state();
        let mut leave = mem::take(&mut state.leaving);
        let join = mem::take(&mut state.joining);
        // Wanted again in the meantime: joining it once more is harmless, leaving it would not be.
        leave.retain(|channel| !state.channels.contains_key(channel));
        let work = Work { leave: leave.into_iter().collect(), join: join.into_iter().collect() };
        (!work.leave.is_empty() || !work.join.is_empty()).then_some(work)
    }

    /// Ends when something may have changed since the last call.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> Channel {
        name.into()
    }

    fn all(wanted: &Wanted) -> (Vec<Channel>, Vec<Channel>) {
        wanted.work().map_or_else(Default::default, |Work { leave, join }| (leave, join))
    }

    #[test]
    fn nobody_waits_while_the_session_is_broken() {
        let wanted = Wanted::default();
        assert!(wanted.join(channel("a")).is_none() && !wanted.mend());
        all(&wanted);
        assert!(wanted.mend());
        let mut waiter = wanted.join(channel("b")).unwrap();
        assert!(waiter.try_recv().is_err());
        assert!(wanted.broke());
        assert_eq!(waiter.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn a_confirmation_lets_all_waiters_go() {
        let wanted = Wanted::default();
        wanted.mend();
        let mut waiters = [wanted.join(channel("a")).unwrap(), wanted.join(channel("a")).unwrap()];
        let (_, join) = all(&wanted);
        wanted.confirmed(&join);
        assert!(waiters.iter_mut().all(|waiter| waiter.try_recv() == Ok(())));
        assert!(wanted.join(channel("a")).is_none() && wanted.is_confirmed("a"));
        assert_eq!(all(&wanted), (vec![], vec![]));
    }

    #[test]
    fn only_the_last_state_counts() {
        let wanted = Wanted::default();
        wanted.join(channel("a"));
        wanted.leave(&channel("a"));
        assert_eq!(all(&wanted), (vec![], vec![]));
        wanted.join(channel("a"));
        assert_eq!(all(&wanted), (vec![], vec![channel("a")]));
        wanted.leave(&channel("a"));
        wanted.join(channel("a"));
        assert_eq!(all(&wanted), (vec![], vec![channel("a")]));
        wanted.leave(&channel("a"));
        assert_eq!(all(&wanted), (vec![channel("a")], vec![]));
    }

    #[test]
    fn a_channel_left_while_being_joined_is_left_afterwards() {
        let wanted = Wanted::default();
        wanted.join(channel("a"));
        let (_, join) = all(&wanted);
        wanted.leave(&channel("a"));
        wanted.confirmed(&join);
        assert_eq!(all(&wanted), (vec![channel("a")], vec![]));
        assert!(!wanted.is_confirmed("a"));
    }

    #[test]
    fn a_fresh_connection_joins_everything_anew() {
        let wanted = Wanted::default();
        wanted.join(channel("a"));
        wanted.join(channel("b"));
        let (_, join) = all(&wanted);
        wanted.confirmed(&join);
        wanted.leave(&channel("b"));
        wanted.restart();
        assert_eq!(all(&wanted), (vec![], vec![channel("a")]));
    }
}
