//! The quick way in: `PUBLISH <prefix>:publish:<tenant>:user:<id> <body>`, or `...:topic:<name>`. All instances hear it,
//! one stores it.
//!
//! Fire and forget, as pub/sub is: what is published while no instance listens is gone.

use std::{convert::Infallible, sync::Arc, time::Duration};

use redis::{PushInfo, PushKind, RedisError, RedisResult, Value};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Ingest, attempt::Outcome, claim::Claim, dead::Letter};
use crate::{
    bus::redis::{
        backoff::Backoff,
        connection::Listener,
        servers::{RESPONSE, timed_out},
    },
    message::{self, Recipient},
    metrics::LIMIT_HITS,
    notification::{Malformed, NewNotification, Source, Tenant},
};

/// Most messages that wait to be claimed; what comes beyond is dropped and counted.
const QUEUE: usize = 2_048;
/// Most messages claimed and stored together.
const BATCH: usize = 256;
/// Batches under way at the same time: claiming must not wait for a slow store, for claims are short.
const IN_FLIGHT: usize = 4;
/// Attempts to claim or to store a batch.
const ATTEMPTS: u32 = 6;
/// Time between signs of life that the connection must give.
const PING: Duration = Duration::from_secs(5);

/// A message as it was heard.
#[derive(Debug)]
struct Heard {
    channel: Vec<u8>,
    payload: Vec<u8>,
}

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
    let listening = tokio::spawn(listen(ingest.clone(), sender, stop.clone()));
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

/// Keeps a connection that hears the channels.
async fn listen(ingest: Arc<Ingest>, sender: mpsc::Sender<Heard>, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut told = false;
    loop {
        let error = tokio::select! {
            Err(error) = listen_on_one_connection(&ingest, &sender, &mut backoff, &mut told) => error,
            () = stop.cancelled() => return,
        };
        if !told {
            log::warn!("the publish channels cannot be heard, trying again: {error}");
            told = true;
        }
        tokio::select! {
            () = sleep(backoff.next()) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn listen_on_one_connection(
    ingest: &Ingest,
    sender: &mpsc::Sender<Heard>,
    backoff: &mut Backoff,
    told: &mut bool,
) -> RedisResult<Infallible> {
    let lost = CancellationToken::new();
    let listener = listener(sender.clone(), lost.clone(), ingest.limits.body_bytes + 1);
    let mut connection = ingest.servers.dedicated(RESPONSE, Some(listener)).await?;
    connection.subscribe_pattern(&format!("{}:publish:*", ingest.prefix)).await?;
    backoff.reset();
    *told = false;
    loop {
        tokio::select! {
            () = sleep(PING) => {}
            () = lost.cancelled() => return Err(closed()),
        }
        let ping = redis::cmd("PING");
        timeout(RESPONSE, ping.query_async::<Value>(&mut connection)).await.unwrap_or_else(|_| Err(timed_out()))?;
    }
}

fn closed() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
}

/// Queues messages, cut to `most` bytes: one more than allowed, so that what was too long still is.
fn listener(sender: mpsc::Sender<Heard>, lost: CancellationToken, most: usize) -> Listener {
    Arc::new(move |push: PushInfo| match push.kind {
        PushKind::Disconnection => lost.cancel(),
        PushKind::PMessage => {
            let mut data = push.data.into_iter().skip(1);
            let (Some(Value::BulkString(channel)), Some(Value::BulkString(mut payload))) = (data.next(), data.next())
            else {
                return;
            };
            payload.truncate(most);
            payload.shrink_to_fit();
            if sender.try_send(Heard { channel, payload }).is_err() {
                metrics::counter!(LIMIT_HITS, "limit" => "ingest_channel_queue").increment(1);
            }
        }
        _ => {}
    })
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
        let message =
            message::parse_for(recipient, &heard.payload, &self.limits).map_err(|problems| problems.to_string())?;
        Ok(message.into_new(tenant, Source::Channel, None))
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
