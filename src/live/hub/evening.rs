//! Ends some old connections early where an instance has more than its share, so that their clients spread over the instances again.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{Hub, Member};
use crate::{
    domain::{lock::lock, share::Share},
    frame::EndReason,
    metrics,
};

/// A connection is not ended early before it is this part of the longest lifetime old, or as old as the bound. It bounds how often a
/// client reconnects in vain, where a balancer sends it to the same instance again.
const YOUTH: u32 = 12;
const MOST_YOUTH: Duration = Duration::from_mins(5);

impl Hub {
    /// How many connections count for the share of each instance: none if there has been none yet, for then the instance may get no
    /// streams at all. Asked once a second, which is also the pace of the steps.
    pub fn counted(&self) -> Option<usize> {
        let open = self.connections();
        let has_had_one = self.inner.has_had_one.fetch_or(open > 0, Ordering::Relaxed);
        (has_had_one || open > 0).then_some(open)
    }

    /// Ends as many of the oldest connections as a step asks for. `own` is the number of connections here that `share` counts.
    pub fn even_out(&self, share: Share, own: usize) {
        let settings = &self.inner.settings;
        let mut evening = lock(&self.inner.evening);
        let most = evening.early_ends(share, own);
        if most == 0 {
            return;
        }
        let ended = self.end_oldest(most, youth(settings.max_lifetime));
        ::metrics::counter!(metrics::STREAMS_EVENED).increment(ended as u64);
        // A client waits for up to twice the delay, see `jittered`.
        let returns = usize::try_from((settings.retry * 2).as_secs()).unwrap_or(usize::MAX / 2);
        if evening.is_in_vain(ended, returns) {
            log::info!(
                "no streams are ended early any more until instances come or go: those that ended did not reach the others"
            );
        }
    }

    /// Ends the oldest connections that are not younger than `age` and do not end yet; answers their number.
    fn end_oldest(&self, most: usize, age: Duration) -> usize {
        let now = Instant::now();
        let is_old = |member: &Arc<Member>| now.duration_since(member.since()) >= age && member.limits().1.is_none();
        let mut members: Vec<_> = self.members().into_iter().filter(is_old).collect();
        if members.len() > most {
            members.select_nth_unstable_by_key(most, |member| member.since());
            members.truncate(most);
        }
        members.iter().for_each(|member| member.end(EndReason::Rotated));
        members.len()
    }
}

/// How old a connection is at least before it is ended early.
pub(super) fn youth(max_lifetime: Duration) -> Duration {
    (max_lifetime / YOUTH).min(MOST_YOUTH)
}
