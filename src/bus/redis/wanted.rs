//! The channels that this instance wants, and which of them Redis has confirmed.
//!
//! Callers change the wanted channels under a short lock and never wait; the session brings Redis in line. A user that
//! comes and goes faster than Redis answers costs nothing: only the last state counts.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::{Notify, oneshot};

use crate::{domain::lock::lock, metrics::BUS_SUBSCRIPTIONS};

/// A channel's name, shared by all maps that hold it.
pub(super) type Channel = Arc<str>;

/// The wanted channels.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    state: Mutex<State>,
    changed: Notify,
}

/// Between two uses of the lock, as `State::check` asserts:
///
/// - a channel in `joining` is wanted;
/// - while the session is not up, no caller waits.
///
/// A channel may be in `joining` and in `leaving`: it was left and is wanted again.
#[derive(Debug, Default)]
struct State {
    /// Whether the session is whole.
    up: bool,
    /// The wanted channels.
    channels: HashMap<Channel, Confirmation>,
    /// Wanted, not yet confirmed and not yet asked for.
    joining: HashSet<Channel>,
    /// No longer wanted and perhaps known to Redis.
    leaving: HashSet<Channel>,
}

#[derive(Debug)]
enum Confirmation {
    Awaited(Vec<oneshot::Sender<()>>),
    Given,
}

/// The next commands of the session, in this order.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) leave: Vec<Channel>,
    pub(super) join: Vec<Channel>,
}

#[cfg(test)]
impl State {
    fn check(&self) {
        assert!(self.joining.iter().all(|channel| self.channels.contains_key(channel)));
        let waits =
            |confirmation: &Confirmation| matches!(confirmation, Confirmation::Awaited(waiters) if !waiters.is_empty());
        assert!(self.up || !self.channels.values().any(waits), "a caller waits for a session that is down");
    }
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

    /// No longer wants a channel. Callers that wait for it are let go.
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

    /// The session is broken: no caller needs to wait. True when it was whole before.
    pub(super) fn broke(&self) -> bool {
        let mut state = self.state();
        for confirmation in state.channels.values_mut() {
            *confirmation = Confirmation::Awaited(Vec::new());
        }
        mem::replace(&mut state.up, false)
    }

    /// Marks the session as whole, unless a channel was joined in the meantime.
    ///
    /// While the session is down, `join` lets its caller continue at once. So the head check that follows the return of the bus
    /// must come after the subscription of that channel.
    pub(super) fn mend(&self) -> bool {
        let mut state = self.state();
        debug_assert!(!state.up, "only a session that is down is mended");
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
                        let _ = waiter.send(()); // the caller may have stopped waiting
                    }
                }
            }
        }
    }

    /// Takes the changes that are to be done, if there are any.
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
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn channel(name: &str) -> Channel {
        name.into()
    }

    fn all(wanted: &Wanted) -> (Vec<Channel>, Vec<Channel>) {
        wanted.work().map_or_else(Default::default, |Work { leave, join }| (leave, join))
    }

    #[test]
    fn callers_do_not_wait_while_the_session_is_broken() {
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

    #[derive(Debug, Clone)]
    enum Event {
        Join(u8),
        Leave(u8),
        /// The session takes its next commands, or ends while they are under way.
        Work {
            breaks: bool,
        },
        /// Redis answers them.
        Answer,
        Mend,
    }

    /// A session and the server that it subscribes on.
    #[derive(Default)]
    struct Session {
        wanted: Wanted,
        subscribed: BTreeSet<Channel>,
        under_way: Vec<Channel>,
        waiters: Vec<oneshot::Receiver<()>>,
    }

    impl Session {
        fn apply(&mut self, event: &Event) {
            match *event {
                Event::Join(name) => self.waiters.extend(self.wanted.join(channel(&name.to_string()))),
                Event::Leave(name) => self.wanted.leave(&channel(&name.to_string())),
                Event::Work { breaks: true } => {
                    self.wanted.broke();
                    self.wanted.restart();
                    self.subscribed.clear();
                    self.under_way.clear();
                }
                // A session waits for one answer before it takes more work.
                Event::Work { breaks: false } if self.under_way.is_empty() => {
                    let (leave, join) = all(&self.wanted);
                    self.subscribed.retain(|channel| !leave.contains(channel));
                    self.under_way = join;
                }
                Event::Work { breaks: false } => {}
                Event::Answer => {
                    self.subscribed.extend(self.under_way.iter().cloned());
                    self.wanted.confirmed(&std::mem::take(&mut self.under_way));
                }
                Event::Mend if self.wanted.is_up() => {}
                Event::Mend => {
                    self.wanted.mend();
                }
            }
            self.wanted.state().check();
        }
    }

    proptest! {
        /// However channels come and go and sessions break: in the end Redis knows the wanted channels and no others, and no caller waits.
        #[test]
        fn redis_ends_with_the_wanted_channels(
            events in vec(prop_oneof![
                4 => (0_u8..4).prop_map(Event::Join),
                4 => (0_u8..4).prop_map(Event::Leave),
                4 => prop::bool::weighted(0.2).prop_map(|breaks| Event::Work { breaks }),
                3 => Just(Event::Answer),
                1 => Just(Event::Mend),
            ], 0..80),
        ) {
            let mut session = Session::default();
            events.iter().for_each(|event| session.apply(event));
            for event in [Event::Answer, Event::Work { breaks: false }, Event::Answer] {
                session.apply(&event);
            }
            let wanted: BTreeSet<_> = session.wanted.state().channels.keys().cloned().collect();
            prop_assert!(wanted.iter().all(|channel| session.wanted.is_confirmed(channel)));
            prop_assert_eq!(&session.subscribed, &wanted);
            for waiter in &mut session.waiters {
                prop_assert!(waiter.try_recv() != Err(oneshot::error::TryRecvError::Empty));
            }
        }
    }

    #[test]
    fn a_fresh_connection_joins_everything_again() {
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
