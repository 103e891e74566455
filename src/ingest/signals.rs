//! Signals by Redis: `PUBLISH <prefix>:signal:<tenant>:topic:<name> <body>`, or `...:user:<id>`.
//!
//! One instance listens for all. Equal signals may follow each other closely and each counts, so messages cannot be deduplicated
//! by their content. The listener holds a short lease; when it dies, another instance takes over within seconds, and signals
//! sent meanwhile are lost. While signals arrive faster than they may be sent, the newest of each subject waits.

mod leadership;
mod lease;
mod queue;

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use self::{leadership::Leadership, lease::Lease};
use super::{Ingest, dead_letter::DeadLetter, subscription::ChannelMessage};
use crate::{
    actions::signals::Signals,
    domain::{notification::Source, user::Tenant},
    message::{self, NewSignal, Recipient},
};

/// Time between attempts to get or to keep the lease.
const RENEWAL: Duration = Duration::from_millis(750);

/// Listens while this instance holds the lease, until the stop.
pub(super) async fn run(ingest: Arc<Ingest>, signals: Signals, stop: CancellationToken) {
    let mut ticks = interval(RENEWAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let lease = Arc::new(Lease::new(ingest.clone()));
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if !lease.renew().await {
            continue;
        }
        // Ends with the lease or with the stop. Its last signals are sent before the lease is given back: two instances that send at
        // the same time could reorder signals of one subject.
        let over = stop.child_token();
        let leadership = Arc::new(Leadership::new(ingest.clone(), signals.clone(), lease.clone()));
        tokio::join!(leadership.run(over.clone()), async {
            while let Some(true) = over.run_until_cancelled(next_renewal(&lease, &mut ticks)).await {}
            over.cancel();
        });
    }
    if let Err(error) = lease.give_back().await {
        log::debug!("the lease of the signal channels ends by itself: {error}");
    }
}

async fn next_renewal(lease: &Lease, ticks: &mut tokio::time::Interval) -> bool {
    ticks.tick().await;
    lease.renew().await
}

impl Ingest {
    fn parse_signal(&self, received: &ChannelMessage, most_data: usize) -> Result<(Tenant, NewSignal), String> {
        const FORM: &str =
            "the channel is not <prefix>:signal:<tenant>:topic:<name> or <prefix>:signal:<tenant>:user:<id>";
        let (tenant, target) = self.signal_target(&received.channel).ok_or(FORM)?;
        let tenant: Tenant = tenant.parse().map_err(|_| FORM)?;
        let to = match target.split_once(':') {
            Some(("topic", topic)) => Recipient::Topic(topic.parse().map_err(|error| format!("{error}"))?),
            Some(("user", user)) => Recipient::User(user.parse().map_err(|error| format!("{error}"))?),
            _ => return Err(FORM.to_owned()),
        };
        let new =
            message::parse_signal_for(to, &received.payload, most_data).map_err(|problems| problems.to_string())?;
        Ok((tenant, new))
    }

    fn signal_target<'a>(&self, channel: &'a [u8]) -> Option<(&'a str, &'a str)> {
        let name = str::from_utf8(channel).ok()?.strip_prefix(&self.prefix)?;
        name.strip_prefix(":signal:")?.split_once(':')
    }

    fn signal_dead_letter(&self, received: ChannelMessage, reason: String) -> DeadLetter {
        let tenant = self.signal_target(&received.channel).map(|(tenant, _)| tenant.as_bytes().to_vec());
        DeadLetter { source: Source::Channel, reason, tenant, origin: received.channel, message: received.payload }
    }
}
