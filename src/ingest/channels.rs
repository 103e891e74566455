//! The quick way in: `PUBLISH <prefix>:publish:<tenant>:user:<id> <body>`, or `...:topic:<name>`. All instances hear it,
//! one stores it.
//!
//! Fire and forget, as pub/sub is: what is published while no instance listens is gone.

use std::sync::Arc;

use tokio::{
    sync::{Semaphore, mpsc},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Ingest,
    attempt::Outcome,
    claim::Claim,
    dead::Letter,
    listen::{Heard, Listening},
};
use crate::{
    bus::redis::backoff::Backoff,
    domain::{
        notification::{NewNotification, Source},
        text::Malformed,
        user::Tenant,
    },
    message::{self, Recipient},
};

/// Most messages that wait to be claimed; what comes beyond is dropped and counted.
const QUEUE: usize = 2_048;
/// Most messages claimed and stored together.
const BATCH: usize = 256;
/// Batches under way at the same time: claiming must not wait for a slow store, for claims are short.
const IN_FLIGHT: usize = 4;
/// Attempts to claim or to store a batch.
const ATTEMPTS: u32 = 6;

/// A message of which this instance is in charge.
struct Mine {
    heard: Heard,
    claim: Claim,
    new: NewNotification,
}

/// Listens until told to stop, then finishes what was heard.
pub(super) async fn run(ingest: Arc<Ingest>, stop: CancellationToken) {
    let (sender, mut queue) = mpsc::channel(QUEUE);
    let (tasks, in_flight) = (TaskTracker::new(), Arc::new(Semaphore::new(IN_FLIGHT)));
    let listening = Listening {
        servers: ingest.servers.clone(),
        pattern: format!("{}:publish:*", ingest.prefix),
        most_bytes: ingest.limits.body_bytes,
        limit: "ingest_channel_queue",
    };
    let take = move |heard| sender.try_send(heard).is_ok();
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
    /// Stores or buries those messages of a batch that no other instance took.
    async fn take(&self, batch: Vec<Heard>) {
        let parsed: Vec<_> = batch.into_iter().map(|heard| (self.parse(&heard), heard)).collect();
        let claims: Vec<_> = parsed.iter().map(|(parsed, heard)| claim(parsed, heard)).collect();
        let Some(won) = self.claim_patiently(&claims).await else {
            log::warn!("{} channel messages are lost: Redis took no claims", claims.len());
            return;
        };
        let (mut mine, mut letters) = (Vec::new(), Vec::new());
        for (((parsed, heard), claim), _) in parsed.into_iter().zip(claims).zip(won).filter(|(_, won)| *won) {
            match parsed {
                Ok(new) => mine.push(Mine { heard, claim, new }),
                Err(reason) => letters.push(self.letter(heard, reason)),
            }
        }
        letters.extend(self.store(mine).await);
        if let Err(error) = self.bury(&letters).await {
            log::warn!(
                "{} channel messages are lost, not even their dead letters were written: {error}",
                letters.len()
            );
        }
    }

    async fn claim_patiently(&self, claims: &[Claim]) -> Option<Vec<bool>> {
        let mut backoff = Backoff::default();
        for _ in 0..ATTEMPTS {
            if let Ok(won) = self.claim(claims).await {
                return Some(won);
            }
            sleep(backoff.next()).await;
        }
        None
    }

    /// Tries a few times; what cannot be stored becomes a letter.
    async fn store(&self, mut items: Vec<Mine>) -> Vec<Letter> {
        let mut backoff = Backoff::default();
        let mut letters = Vec::new();
        for _ in 0..ATTEMPTS {
            let new: Vec<_> = items.iter().map(|item| item.new.clone()).collect();
            let mut rest = Vec::new();
            for (item, outcome) in items.into_iter().zip(self.attempt(&new).await) {
                match outcome {
                    Outcome::Stored => {}
                    Outcome::Refused(reason) => letters.push(self.letter(item.heard, reason)),
                    Outcome::Unavailable => rest.push(item),
                }
            }
            items = rest;
            if items.is_empty() {
                return letters;
            }
            sleep(backoff.next()).await;
        }
        let claims: Vec<_> = items.iter().map(|item| item.claim.clone()).collect();
        if let Err(error) = self.release(&claims).await {
            log::debug!("claims of channel messages could not be given back: {error}");
        }
        let given_up = |item: Mine| self.letter(item.heard, "the notification could not be stored".to_owned());
        letters.extend(items.into_iter().map(given_up));
        letters
    }

    /// The publish that a message holds, or why it holds none.
    fn parse(&self, heard: &Heard) -> Result<NewNotification, String> {
        let (tenant, recipient) = self.recipient(&heard.channel)?;
        message::parse_for(recipient, &heard.payload, &self.limits)
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

    fn letter(&self, heard: Heard, reason: String) -> Letter {
        let tenant = self.target(&heard.channel).map(|(tenant, _)| tenant.as_bytes().to_vec());
        Letter { source: Source::Channel, reason, tenant, origin: heard.channel, message: heard.payload }
    }
}

fn claim(parsed: &Result<NewNotification, String>, heard: &Heard) -> Claim {
    let keyed = parsed.as_ref().is_ok_and(|new| new.idempotency_key.is_some());
    Claim::new(&heard.channel, &heard.payload, keyed)
}
