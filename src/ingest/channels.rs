//! Publishes by pub/sub: `PUBLISH <prefix>:publish:<tenant>:user:<id> <body>`, or `...:topic:<name>`. All instances receive
//! it, one stores it.
//!
//! Fire and forget, as pub/sub is: a message that is published while no instance listens is lost.

use std::sync::Arc;

use tokio::{
    sync::{Semaphore, mpsc},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Ingest,
    attempt::{self, Outcome},
    dead_letter::DeadLetter,
    deduplicate::DedupKey,
    subscription::{ChannelMessage, PatternSubscription},
};
use crate::{
    bus::backoff::Backoff,
    domain::{
        notification::{NewNotification, Source},
        text::Malformed,
        user::Tenant,
    },
    health::Way,
    message::{self, Recipient},
};

/// Most messages in the queue; further ones are dropped and counted.
const QUEUE: usize = 2_048;
/// Most messages deduplicated and stored together.
const BATCH: usize = 256;
/// Batches under way at the same time: keys live briefly, so setting them must not wait for a slow store.
const IN_FLIGHT: usize = 4;
/// Attempts to deduplicate or to store a batch.
const ATTEMPTS: u32 = 6;

/// A message that this instance is to store.
struct Acquired {
    received: ChannelMessage,
    key: DedupKey,
    new: NewNotification,
}

/// Receives until the stop, then finishes the received messages.
pub(super) async fn run(ingest: Arc<Ingest>, stop: CancellationToken) {
    let (sender, mut queue) = mpsc::channel(QUEUE);
    let (tasks, in_flight) = (TaskTracker::new(), Arc::new(Semaphore::new(IN_FLIGHT)));
    let listening = PatternSubscription {
        servers: ingest.servers.clone(),
        prefix: ingest.prefix.clone(),
        pattern: format!("{}:publish:*", ingest.prefix),
        most_bytes: ingest.limits.body_bytes,
        limit: "ingest_channel_queue",
        way: Way::RedisChannels,
        health: ingest.health.clone(),
    };
    let take = move |received| sender.try_send(received).is_ok();
    let listening = tokio::spawn(listening.run(Arc::new(take), stop));
    let mut batch = Vec::with_capacity(BATCH);
    // The queue ends when the listener has dropped its sender.
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let Ok(permit) = in_flight.clone().acquire_owned().await else { break };
        let (ingest, batch) = (ingest.clone(), std::mem::take(&mut batch));
        tasks.spawn(async move {
            ingest.take(batch).await;
            drop(permit);
        });
    }
    let _ = listening.await; // it has ended: the queue is closed
    tasks.close();
    tasks.wait().await;
}

impl Ingest {
    /// Stores the messages of a batch that no other instance takes, or writes them to the dead letters.
    async fn take(&self, batch: Vec<ChannelMessage>) {
        let parsed: Vec<_> = batch.into_iter().map(|received| (self.parse(&received), received)).collect();
        let keys: Vec<_> = parsed.iter().map(|(parsed, received)| dedup_key(parsed, received)).collect();
        let Some(won) = self.acquire_with_retries(&keys).await else {
            log::warn!("{} channel messages are lost: Redis does not deduplicate them", keys.len());
            return;
        };
        debug_assert_eq!(won.len(), parsed.len(), "one answer for each key");
        let (mut acquired, mut letters) = (Vec::new(), Vec::new());
        for (((parsed, received), key), _) in parsed.into_iter().zip(keys).zip(won).filter(|(_, won)| *won) {
            match parsed {
                Ok(new) => acquired.push(Acquired { received, key, new }),
                Err(reason) => letters.push(self.letter(received, reason)),
            }
        }
        letters.extend(self.store(acquired).await);
        if let Err(error) = self.write_dead_letters(&letters).await {
            log::warn!(
                "{} channel messages are lost, not even their dead letters were written: {error}",
                letters.len()
            );
        }
    }

    async fn acquire_with_retries(&self, keys: &[DedupKey]) -> Option<Vec<bool>> {
        let mut backoff = Backoff::default();
        for _ in 0..ATTEMPTS {
            if let Ok(won) = self.acquire(keys).await {
                return Some(won);
            }
            sleep(backoff.next()).await;
        }
        None
    }

    /// Tries a few times; a message that cannot be stored becomes a dead letter.
    async fn store(&self, mut items: Vec<Acquired>) -> Vec<DeadLetter> {
        let mut backoff = Backoff::default();
        let mut letters = Vec::new();
        for _ in 0..ATTEMPTS {
            let new: Vec<_> = items.iter().map(|item| item.new.clone()).collect();
            let mut rest = Vec::new();
            for (item, outcome) in
                items.into_iter().zip(attempt::together(&self.publish, &new, self.limits.commit_rows).await)
            {
                match outcome {
                    Outcome::Stored => {}
                    Outcome::Refused(reason) => letters.push(self.letter(item.received, reason)),
                    Outcome::Overloaded | Outcome::Unavailable => rest.push(item),
                }
            }
            items = rest;
            if items.is_empty() {
                return letters;
            }
            sleep(backoff.next()).await;
        }
        let keys: Vec<_> = items.iter().map(|item| item.key.clone()).collect();
        if let Err(error) = self.release(&keys).await {
            log::debug!("keys of channel messages could not be deleted: {error}");
        }
        let given_up = |item: Acquired| self.letter(item.received, "the notification could not be stored".to_owned());
        letters.extend(items.into_iter().map(given_up));
        letters
    }

    /// The publish that a message holds, or why it holds none.
    fn parse(&self, received: &ChannelMessage) -> Result<NewNotification, String> {
        let (tenant, recipient) = self.recipient(&received.channel)?;
        message::parse_for(recipient, &received.payload, &self.limits)
            .and_then(|message| message.into_new(tenant, Source::Channel, None, &self.kinds))
            .map_err(|problems| problems.to_string())
    }

    /// The recipient in a channel's name: the id is everything after `user:`, the topic everything after `topic:`.
    fn recipient(&self, channel: &[u8]) -> Result<(Tenant, Recipient), String> {
        const FORM: &str = "the channel is neither <prefix>:publish:<tenant>:user:<id> nor ...:topic:<name>";
        let (tenant, target) = self.target(channel).ok_or(FORM)?;
        let tenant: Tenant = tenant.parse().map_err(|_| FORM)?;
        match target.split_once(':') {
            Some(("user", user)) => user.parse().map(Recipient::User),
            Some(("topic", topic)) => topic.parse().map(Recipient::Topic),
            _ => return Err(FORM.to_owned()),
        }
        .map(|recipient| (tenant, recipient))
        .map_err(|Malformed(why)| why.to_owned())
    }

    fn target<'a>(&self, channel: &'a [u8]) -> Option<(&'a str, &'a str)> {
        let name = str::from_utf8(channel).ok()?.strip_prefix(&self.prefix)?;
        name.strip_prefix(":publish:")?.split_once(':')
    }

    fn letter(&self, received: ChannelMessage, reason: String) -> DeadLetter {
        let tenant = self.target(&received.channel).map(|(tenant, _)| tenant.as_bytes().to_vec());
        DeadLetter { source: Source::Channel, reason, tenant, origin: received.channel, message: received.payload }
    }
}

fn dedup_key(parsed: &Result<NewNotification, String>, received: &ChannelMessage) -> DedupKey {
    let keyed = parsed.as_ref().is_ok_and(|new| new.idempotency_key.is_some());
    DedupKey::new(&received.channel, &received.payload, keyed)
}
