//! Ends some old connections early where an instance has more than its share, so that their clients spread over the instances again.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Hub, Member};
use crate::{domain::share::Share, frame::EndReason, metrics};

/// A connection lives for this part of the longest lifetime at least. A balancer that sends a client always to the same instance evens
/// nothing out, and then this bounds how often clients reconnect in vain.
const YOUTH: u32 = 12;

impl Hub {
    /// Ends as many of the oldest connections as a step of `share` asks for.
    pub fn even_out(&self, share: Share) {
        let most = share.early_ends(self.connections());
        if most > 0 {
            let ended = self.end_oldest(most, self.inner.settings.max_lifetime / YOUTH);
            ::metrics::counter!(metrics::STREAMS_EVENED).increment(ended as u64);
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
