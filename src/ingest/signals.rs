//! Signals by Redis: `PUBLISH <prefix>:signal:<tenant>:topic:<name> <body>`, or `...:user:<id>`.
//!
//! One instance listens for all: equal signals may follow each other closely and each counts, so nothing in a message
//! could tell instances which of them is to take it. The listener holds a short lease; when it dies another takes over
//! within seconds, and signals sent meanwhile are lost, as signals may be.

use std::{sync::Arc, time::Duration};

use redis::RedisResult;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    Ingest,
    dead::Letter,
    listen::{Heard, Listening},
};
use crate::{
    message::{self, FRAMING_BYTES, NewSignal, Recipient},
    notification::{Source, Tenant},
    signals::{Refused, Sender, Signals},
};

/// Most signals that wait to be checked; what comes beyond is dropped and counted.
const QUEUE: usize = 1_024;
/// How long a listener that says nothing is still the one, in milliseconds.
const LEASE_MS: u64 = 3_000;
/// Time between attempts to get or to keep the lease.
const RENEWAL: Duration = Duration::from_millis(750);

/// Listens whenever it is this instance's turn, until told to stop.
pub(super) async fn run(ingest: Arc<Ingest>, signals: Signals, stop: CancellationToken) {
    let mut ticks = interval(RENEWAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if !matches!(ingest.lease().await, Ok(true)) {
            continue;
        }
        let over = stop.child_token();
        tokio::join!(ingest.take_signals(&signals, over.clone()), async {
            while let Some(Ok(true)) = over.run_until_cancelled(next_lease(&ingest, &mut ticks)).await {}
            over.cancel();
        });
    }
    if let Err(error) = ingest.give_lease_back().await {
        log::debug!("the lease of the signal channels ends by itself: {error}");
    }
}

async fn next_lease(ingest: &Ingest, ticks: &mut tokio::time::Interval) -> RedisResult<bool> {
    ticks.tick().await;
    ingest.lease().await
}

impl Ingest {
    fn lease_key(&self) -> String {
        format!("{}:signal-listener", self.prefix)
    }

    /// Gets or keeps the lease; false when it is another's.
    async fn lease(&self) -> RedisResult<bool> {
        const LEASE: &str = "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end \
            if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0";
        let mut command = redis::cmd("EVAL");
        command.arg(LEASE).arg(1).arg(self.lease_key()).arg(&self.instance).arg(LEASE_MS);
        self.with_connection(async |connection| command.query_async(connection).await).await
    }

    async fn give_lease_back(&self) -> RedisResult<()> {
        const RELEASE: &str =
            "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";
        let mut command = redis::cmd("EVAL");
        command.arg(RELEASE).arg(1).arg(self.lease_key()).arg(&self.instance);
        self.with_connection(async |connection| command.query_async(connection).await).await
    }

    /// Sends what is heard until told to stop.
    async fn take_signals(&self, signals: &Signals, stop: CancellationToken) {
        let listening = Listening {
            servers: self.servers.clone(),
            pattern: format!("{}:signal:*", self.prefix),
            most_bytes: signals.settings().data_bytes + FRAMING_BYTES,
            limit: "ingest_signal_queue",
        };
        let (sender, mut queue) = mpsc::channel(QUEUE);
        let take = async {
            while let Some(heard) = queue.recv().await {
                self.take_signal(signals, heard).await;
            }
        };
        tokio::join!(listening.run(sender, stop), take);
    }

    async fn take_signal(&self, signals: &Signals, heard: Heard) {
        let reason = match self.parse_signal(&heard, signals.settings().data_bytes) {
            Ok((tenant, new)) => match signals.send(Sender::Publisher(&tenant), new, "channel").await {
                // Counted where they are refused: a letter for each would make a flood worse.
                Ok(()) | Err(Refused::TooMany { .. } | Refused::Unavailable) => return,
                Err(refused) => refused.to_string(),
            },
            Err(reason) => reason,
        };
        let tenant = self.signal_target(&heard.channel).map(|(tenant, _)| tenant.as_bytes().to_vec());
        let letter = Letter { source: Source::Channel, reason, tenant, origin: heard.channel, message: heard.payload };
        if let Err(error) = self.bury(&[letter]).await {
            log::debug!("a refused signal is lost, its dead letter was not written: {error}");
        }
    }

    fn parse_signal(&self, heard: &Heard, most_data: usize) -> Result<(Tenant, NewSignal), String> {
        const FORM: &str =
            "the channel is not <prefix>:signal:<tenant>:topic:<name> or <prefix>:signal:<tenant>:user:<id>";
        let (tenant, target) = self.signal_target(&heard.channel).ok_or(FORM)?;
        let tenant: Tenant = tenant.parse().map_err(|_| FORM)?;
        let to = match target.split_once(':') {
            Some(("topic", topic)) => Recipient::Topic(topic.parse().map_err(|error| format!("{error}"))?),
            Some(("user", user)) => Recipient::User(user.parse().map_err(|error| format!("{error}"))?),
            _ => return Err(FORM.to_owned()),
        };
        let new = message::parse_signal_for(to, &heard.payload, most_data).map_err(|problems| problems.to_string())?;
        Ok((tenant, new))
    }

    fn signal_target<'a>(&self, channel: &'a [u8]) -> Option<(&'a str, &'a str)> {
        let name = str::from_utf8(channel).ok()?.strip_prefix(&self.prefix)?;
        name.strip_prefix(":signal:")?.split_once(':')
    }
}
