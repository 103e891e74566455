//! Publishing at a rate, through a chosen way in.
//!
//! The load is open: a batch is due at its time whether or not earlier ones were answered, and the lag counts from
//! when it was due. A server that falls behind cannot slow the clock that measures it.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::task::JoinSet;

use super::{
    fleet::Shared,
    phase::micros,
    scan::title,
    sender::{Sender, SenderOptions},
    track::Marker,
};

/// What is published, and how fast.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Notifications per second; 0 is as fast as they are accepted.
    pub rate: u64,
    /// Notifications of the whole plan at most.
    pub total: u64,
    /// Time after which nothing is published any more.
    pub longest: Duration,
    /// Notifications per request.
    pub batch: u64,
    /// The body names its recipient; in a channel the channel does.
    pub addressed: bool,
    /// Bytes of padding in each.
    pub payload: usize,
    /// Requests at the same time.
    pub publishers: usize,
}

impl Plan {
    /// What the plan takes at its rate: the last batch's time is part of it, although nothing follows.
    pub fn time(&self) -> Duration {
        let seconds = self.total.checked_div(self.rate).unwrap_or_default();
        Duration::from_secs(seconds).min(self.longest)
    }

    /// When a notification is due after the beginning; at once where there is no rate.
    pub fn due(&self, n: u64) -> Duration {
        Duration::from_nanos((n * 1_000_000_000).checked_div(self.rate).unwrap_or_default())
    }

    /// A notification as JSON.
    pub fn body(&self, user: &str, n: u64, time: u64) -> String {
        let payload = self.payload;
        let mut body = String::with_capacity(payload + 120);
        body.push('{');
        if self.addressed {
            let _ = write!(body, r#""users":["{user}"],"#);
        }
        let _ = write!(
            body,
            r#""kind":"bench","title":"{}","data":{{"padding":"{:p<payload$}"}}}}"#,
            title(Marker { n, t: time }),
            ""
        );
        body
    }
}

/// What became of the plan.
#[derive(Debug, Default)]
pub struct Published {
    /// Numbers of the notifications that were acknowledged.
    pub accepted: Vec<u64>,
    /// How many were refused or got no answer.
    pub failed: u64,
    /// Why the last of them.
    pub trouble: Option<String>,
    /// From the first request to the last answer.
    pub took: Duration,
}

/// One request's notifications, as JSON bodies.
pub struct Batch {
    /// Users' ids, in order.
    pub users: Vec<String>,
    /// Bodies, in order.
    pub bodies: Vec<String>,
}

struct Load {
    plan: Plan,
    shared: Arc<Shared>,
    begin: Instant,
    next: AtomicU64,
}

/// Publishes the plan's notifications.
///
/// # Errors
/// When a publisher cannot connect at the beginning; later failures are counted.
pub async fn publish(plan: Plan, shared: Arc<Shared>, options: &SenderOptions) -> anyhow::Result<Published> {
    let mut senders = Vec::new();
    for index in 0..plan.publishers {
        senders.push(Sender::connect(options, &shared, index).await?);
    }
    let begin = Instant::now();
    shared.origin.store(micros(begin - shared.started), Relaxed);
    let load = Arc::new(Load { plan, shared, begin, next: AtomicU64::new(0) });
    let mut tasks = JoinSet::new();
    for sender in senders {
        tasks.spawn(load.clone().work(sender));
    }
    let mut published = Published::default();
    while let Some(done) = tasks.join_next().await {
        let mut done = done.context("a publisher failed")?;
        published.accepted.append(&mut done.accepted);
        published.failed += done.failed;
        published.trouble = done.trouble.or(published.trouble);
    }
    published.took = load.begin.elapsed().max(plan.time());
    Ok(published)
}

impl Load {
    async fn work(self: Arc<Self>, mut sender: Sender) -> Published {
        let mut published = Published::default();
        while let Some((first, count, due)) = self.take() {
            tokio::time::sleep_until(due.into()).await;
            let batch = self.batch(first, count, if self.plan.rate == 0 { Instant::now() } else { due });
            match sender.send(&batch).await {
                Ok(results) => {
                    let numbered = (first..).zip(&results);
                    published.accepted.extend(numbered.filter(|(_, accepted)| **accepted).map(|(n, _)| n));
                    let refused = results.iter().filter(|accepted| !**accepted).count() as u64;
                    published.failed += refused;
                    published.trouble = sender.take_trouble().or(published.trouble);
                }
                Err(error) => {
                    published.failed += count;
                    published.trouble = Some(format!("{error:#}"));
                }
            }
        }
        published
    }

    /// The next batch: its first number, its length, and when it is due.
    fn take(&self) -> Option<(u64, u64, Instant)> {
        let first = self.next.fetch_add(self.plan.batch, Relaxed);
        let count = self.plan.batch.min(self.plan.total.checked_sub(first)?);
        let due = match self.plan.rate {
            0 => Instant::now(),
            _ => self.begin + self.plan.due(first),
        };
        (count > 0 && due.duration_since(self.begin) < self.plan.longest).then_some((first, count, due))
    }

    fn batch(&self, first: u64, count: u64, due: Instant) -> Batch {
        let time = micros(due.duration_since(self.begin));
        let numbers = first..first + count;
        let users: Vec<String> = numbers.clone().map(|n| self.shared.users.name(self.shared.users.of(n))).collect();
        let bodies = numbers.zip(&users).map(|(n, user)| self.plan.body(user, n, time)).collect();
        Batch { users, bodies }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parsed(addressed: bool) -> Value {
        let longest = Duration::from_secs(1);
        let plan = Plan { rate: 1, total: 1, longest, batch: 1, addressed, payload: 5, publishers: 1 };
        serde_json::from_str(&plan.body("bench-1-2", 7, 9)).unwrap()
    }

    #[test]
    fn a_body_is_json_of_the_size_asked_for_and_names_its_user_unless_a_channel_does() {
        let body = parsed(true);
        assert_eq!(body["users"], json!(["bench-1-2"]));
        assert_eq!(body["title"], "bench 7 9");
        assert_eq!(body["data"], json!({"padding": "ppppp"}));
        assert_eq!(parsed(false).get("users"), None);
    }
}
