//! The single write path: publishes that come together are written by one transaction, then announced.
//!
//! While a transaction runs, new publishes gather for the next one. Under load the batches grow by themselves; without load a
//! publish is written at once.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::Instant,
};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    actions::micros_now,
    bus::Announcement,
    config::PublishSettings,
    domain::{audience::Reason, cursor::Cursor, notification::NewNotification, topic::Topic, user::UserKey},
    frame::Arrivals,
    live::announce::Announcer,
    metrics,
    store::{Appended, Placed, Store, Unavailable, Written},
};

/// The outcome of one publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The notification's id; of the first publish when this one repeated it.
    pub id: Uuid,
    /// How many of `users` it was for, including users whose preferences keep it out of the inbox.
    pub recipients: usize,
    /// Whether it goes to topics or to everyone besides, behind this answer.
    pub fanout: bool,
    /// When it reaches inboxes, if not at once.
    pub deliver_at: Option<DateTime<Utc>>,
    /// True when the idempotency key and the body were known already: nothing new was written.
    pub repeated: bool,
    /// True when that earlier publish waited for a time, and nothing of it has come or will come.
    pub cancelled: bool,
}

/// Why a publish was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The idempotency key was used with another body.
    #[error("the idempotency key was used before with another body")]
    KeyReused,
    /// Its tenant does not know one of its topics.
    #[error("{pointer}: there is no topic {topic}")]
    UnknownTopic {
        /// Which one.
        topic: Topic,
        /// A JSON pointer to it in the body.
        pointer: String,
    },
    /// It is to be delivered at a time that has passed.
    #[error("/deliverAt: must be in the future")]
    Past,
    /// The database does not take its values.
    #[error("the notification holds values that cannot be stored")]
    Unstorable,
    /// Too many publishes are queued, or too many fan-outs of the tenant are open; try again after this time.
    #[error("too many publishes are waiting")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store did not answer: it is not known whether anything was written, and a repeat with the same idempotency
    /// key is safe.
    #[error("the notification could not be stored")]
    Unavailable,
}

/// Fewer rows than this make a small transaction: its cost is the transaction more than the rows.
const SMALL: usize = 50;

/// When a tenant with too many fan-outs under way may try again.
const CROWDED_RETRY: Duration = Duration::from_secs(5);

type Answers = Vec<Result<Accepted, Refused>>;

/// Publishes of one caller, which belong into one transaction.
struct Request {
    items: Vec<NewNotification>,
    received_at: u64,
    answer: oneshot::Sender<Result<Answers, Refused>>,
}

impl Request {
    fn rows(&self) -> usize {
        self.items.iter().map(|item| item.users.len().max(1)).sum()
    }
}

/// The handle to the write path; cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    requests: mpsc::Sender<Request>,
}

impl Publisher {
    /// Starts the write path. It ends, with everything accepted written, when the last handle is gone.
    pub fn start(store: Store, announcer: Announcer, settings: &PublishSettings, tracker: &TaskTracker) -> Self {
        let (requests, waiting) = mpsc::channel(settings.queue);
        let writer = Writer { store, announcer, tracker: tracker.clone() };
        tracker.spawn(gather(writer, waiting, settings.commit_rows, settings.writers));
        Self { requests }
    }

    /// Writes several publishes in one transaction; answers in the order given. Once called it continues even if the
    /// caller no longer waits.
    ///
    /// # Errors
    /// [`Refused::Overloaded`] and [`Refused::Unavailable`] for all of them; a refusal of one item is that item's answer.
    pub async fn publish(&self, items: Vec<NewNotification>) -> Result<Answers, Refused> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        let request = Request { items, received_at: micros_now(), answer };
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Overloaded { retry_after: Duration::from_secs(1) },
            mpsc::error::TrySendError::Closed(_) => Refused::Unavailable,
        })?;
        answered.await.unwrap_or(Err(Refused::Unavailable))
    }
}

/// Requests on their way into one transaction.
struct Batch {
    requests: Vec<Request>,
    rows: usize,
}

impl Batch {
    fn of(first: Request) -> Self {
        Self { rows: first.rows(), requests: vec![first] }
    }

    /// Gives the request back when it would exceed `most` rows.
    fn add(&mut self, request: Request, most: usize) -> Option<Request> {
        if self.rows + request.rows() > most {
            return Some(request);
        }
        self.rows += request.rows();
        self.requests.push(request);
        None
    }
}

/// Gathers requests up to a number of rows and starts a transaction for each batch, so many at once.
async fn gather(writer: Writer, mut waiting: mpsc::Receiver<Request>, most_rows: usize, writers: usize) {
    let permits = Arc::new(Semaphore::new(writers));
    // One for all small batches, so that no two of them are written at the same time.
    let small_permits = Arc::new(Semaphore::new(1));
    let mut next = waiting.recv().await;
    while let Some(first) = next.take() {
        // The permit comes before the batch is closed: requests that arrive while all writers are busy join it.
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let mut batch = Batch::of(first);
        // Two small transactions side by side cost more than one after the other, and a small one is soon over. A batch that stays
        // small waits for the permit of small batches, grows meanwhile, and goes without the permit once it is large.
        let mut small_permit = None;
        while batch.rows < SMALL && small_permit.is_none() && next.is_none() {
            tokio::select! {
                // Requests first: the requests that are already queued may make the batch large, and then it needs no permit.
                biased;
                Some(request) = waiting.recv() => next = batch.add(request, most_rows),
                free = small_permits.clone().acquire_owned() => small_permit = free.ok(),
            }
        }
        // The request that does not fit any more is the first of the next batch: order is kept.
        while next.is_none() {
            let Ok(request) = waiting.try_recv() else { break };
            next = batch.add(request, most_rows);
        }
        let writer = writer.clone();
        writer.tracker.clone().spawn(async move {
            writer.write(batch.requests).await;
            // Explicit, because both must live until the write is over.
            drop((permit, small_permit));
        });
        if next.is_none() {
            next = waiting.recv().await;
        }
    }
}

#[derive(Clone)]
struct Writer {
    store: Store,
    announcer: Announcer,
    tracker: TaskTracker,
}

impl Writer {
    async fn write(&self, batch: Vec<Request>) {
        let mut items = Vec::new();
        // The number of items of each request, in the order of the items.
        let mut shares = Vec::with_capacity(batch.len());
        for request in batch {
            shares.push((request.items.len(), request.received_at, request.answer));
            items.extend(request.items);
        }
        ::metrics::histogram!(metrics::BATCH_ITEMS).record(u32::try_from(items.len()).unwrap_or(u32::MAX));
        let started = Instant::now();
        let appended = self.store.append(&items).await;
        ::metrics::histogram!(metrics::COMMIT_SECONDS).record(started.elapsed());
        // Nothing is announced: whether the transaction committed is not known, and the head check finds it if it did.
        let Ok(appended) = appended else {
            count(&items, "failed");
            shares.into_iter().for_each(|(_, _, answer)| drop(answer.send(Err(Refused::Unavailable))));
            return;
        };
        debug_assert_eq!(appended.len(), items.len(), "one answer of the store for each item");
        let begins = items.iter().any(|item| !item.audience.is_empty());
        let mut written = items.into_iter().zip(appended);
        let mut announcements = Vec::new();
        let mut unannounced = Vec::new();
        for (number, received_at, answer) in shares {
            let answers: Vec<_> = written
                .by_ref()
                .take(number)
                .map(|(item, appended)| {
                    match &appended {
                        Appended::Written(written) => announce(&item, written, received_at, &mut announcements),
                        // An attempt of our own whose answer was lost: it is stored, and not announced yet.
                        Appended::Repeated { id, .. } if *id == item.id => unannounced.extend(keys(&item)),
                        _ => {}
                    }
                    settle(&item, &appended)
                })
                .collect();
            debug_assert_eq!(answers.len(), number, "one answer for each item of the request");
            // A caller that has left is no reason not to answer the others.
            let _ = answer.send(Ok(answers));
        }
        // After the answers: a caller waits for the commit only.
        self.announcer.announce(announcements);
        if begins {
            self.announcer.note_begun();
        }
        self.announce_heads(unannounced).await;
    }

    async fn announce_heads(&self, keys: Vec<UserKey>) {
        if keys.is_empty() {
            return;
        }
        match self.store.heads(&keys).await {
            Ok(heads) => self.announcer.announce_heads(heads),
            Err(Unavailable) => log::debug!("heads are left to the head check"),
        }
    }
}

fn settle(item: &NewNotification, appended: &Appended) -> Result<Accepted, Refused> {
    let (fanout, deliver_at) = (!item.audience.is_empty(), item.timing.deliver_at);
    let accepted = |id, recipients, cancelled: bool| {
        let deliver_at = deliver_at.filter(|_| !cancelled);
        Accepted { id, recipients, fanout, deliver_at, repeated: id != item.id, cancelled }
    };
    let (label, answer) = match appended {
        Appended::Written(_) => ("accepted", Ok(accepted(item.id, item.users.len(), false))),
        Appended::Repeated { id, recipients, cancelled } => ("repeated", Ok(accepted(*id, *recipients, *cancelled))),
        Appended::Crowded => ("refused", Err(Refused::Overloaded { retry_after: CROWDED_RETRY })),
        Appended::UnknownTopic(index) => ("refused", Err(unknown_topic(item, *index))),
        Appended::Past => ("refused", Err(Refused::Past)),
        Appended::KeyReused => ("refused", Err(Refused::KeyReused)),
        Appended::Unstorable => ("refused", Err(Refused::Unstorable)),
    };
    count(std::slice::from_ref(item), label);
    answer
}

fn unknown_topic(item: &NewNotification, index: usize) -> Refused {
    let named = item.named_topics().nth(index);
    debug_assert!(named.is_some(), "the store refuses a topic that the notification names");
    named.map_or(Refused::Unstorable, |(pointer, topic)| Refused::UnknownTopic { topic: topic.clone(), pointer })
}

fn count(items: &[NewNotification], result: &'static str) {
    for item in items {
        ::metrics::counter!(metrics::PUBLISHES, "source" => item.source.as_str(), "result" => result).increment(1);
    }
}

fn keys(item: &NewNotification) -> impl Iterator<Item = UserKey> {
    item.users.iter().map(|user| UserKey { tenant: item.tenant.clone(), user: user.clone() })
}

/// One announcement per inbox, in the order of the seqs of each. The content that users share is rendered once.
pub fn announce(item: &NewNotification, written: &Written, received_at: u64, announcements: &mut Vec<Announcement>) {
    announcements.extend(written.heads.iter().cloned().map(Announcement::from));
    // Empty rows are those of a publish that is more than an item for each recipient: its users are among the heads.
    debug_assert!(
        written.rows.is_empty() || written.rows.len() == item.users.len(),
        "{} rows for {} users",
        written.rows.len(),
        item.users.len()
    );
    let mut arrivals = Arrivals::of(item.id, &item.content, written.created_at, written.expires_at);
    for (key, row) in keys(item).zip(&written.rows) {
        let Some(Placed { epoch, seq, unread, decision }) = row else { continue };
        let frame = arrivals.frame(&Reason::Direct, *decision, epoch, *seq, *unread);
        let announcement = Announcement::new(key, Cursor { epoch: epoch.clone(), seq: *seq }, vec![frame]);
        announcements.push(Announcement { published_at: received_at, ..announcement });
    }
}
