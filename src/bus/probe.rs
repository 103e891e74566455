//! Proof of the path: a message that is published in the ordinary way must come back on the subscribed connection.
//!
//! After a failover a client may take itself for subscribed when it is not; only an echo proves the subscription.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::domain::lock::lock;

/// Rounds without an echo after which the path counts as broken.
const MISSED: u64 = 3;

/// The rounds sent and echoed on this instance's probe channels.
#[derive(Debug)]
pub(in crate::bus) struct Probe {
    state: Mutex<State>,
    echoed: Notify,
}

#[derive(Debug)]
struct State {
    sent: u64,
    /// The newest round that came back, by channel.
    echoes: Vec<u64>,
    /// When a round last came back on every channel.
    whole_at: Option<Instant>,
}

impl Probe {
    /// Over so many channels.
    pub(in crate::bus) fn new(channels: usize) -> Self {
        let state = State { sent: 0, echoes: vec![0; channels], whole_at: None };
        Self { state: Mutex::new(state), echoed: Notify::new() }
    }

    /// Resets the state for a fresh connection: earlier rounds no longer count.
    pub(in crate::bus) fn restart(&self) {
        let mut state = self.state();
        let sent = state.sent;
        state.echoes.fill(sent);
    }

    /// The next round to send.
    pub(in crate::bus) fn next_round(&self) -> u64 {
        let mut state = self.state();
        state.sent += 1;
        state.sent
    }

    /// Notes an echo.
    pub(in crate::bus) fn note(&self, round: u64, channel: usize) {
        let mut state = self.state();
        let plausible = round <= state.sent;
        let Some(newest) = state.echoes.get_mut(channel).filter(|newest| plausible && **newest < round) else {
            return;
        };
        *newest = round;
        if state.echoes.iter().all(|newest| *newest >= round) {
            state.whole_at = Some(Instant::now());
            self.echoed.notify_one();
        }
    }

    /// Ends when the newest round has come back on every channel.
    pub(in crate::bus) async fn whole(&self) {
        while self.outstanding() > 0 {
            self.echoed.notified().await;
        }
    }

    /// Whether too many rounds are missing.
    pub(in crate::bus) fn is_lost(&self) -> bool {
        self.outstanding() >= MISSED
    }

    /// Since a round last came back on every channel; none before the first.
    pub(in crate::bus) fn age(&self) -> Option<Duration> {
        self.state().whole_at.map(|at| at.elapsed())
    }

    fn outstanding(&self) -> u64 {
        let state = self.state();
        state.echoes.iter().map(|newest| state.sent - newest).max().unwrap_or(0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_rounds_missing_on_one_channel_are_a_lost_path() {
        let probe = Probe::new(2);
        assert!(!probe.is_lost() && probe.age().is_none());
        for round in 1..=3 {
            assert_eq!(probe.next_round(), round);
            probe.note(round, 0);
        }
        assert!(probe.is_lost());
        probe.note(1, 1);
        assert!(!probe.is_lost() && probe.age().is_some());
        probe.next_round();
        assert!(probe.is_lost());
        probe.restart();
        assert!(!probe.is_lost());
    }

    #[test]
    fn echoes_that_were_never_sent_count_for_nothing() {
        let probe = Probe::new(1);
        probe.note(5, 0);
        probe.note(1, 7);
        assert!(probe.age().is_none() && !probe.is_lost());
    }
}
