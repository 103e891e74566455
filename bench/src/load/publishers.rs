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
    time::Duration,
};

use anyhow::Context;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    pace::Pace,
    sender::{Sender, SenderOptions},
};
use crate::{
    clock::{self, micros},
    figures::times::Times,
    marker::Marker,
    target::Users,
};

/// The content of the publishes, and their rate.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The first notification's number.
    pub first: u64,
    /// How many at most, and how fast.
    pub pace: Pace,
    /// Time after which nothing is published any more.
    pub longest: Duration,
    /// Notifications per request.
    pub batch: u64,
    /// The body names its recipient; in a channel the channel does.
    pub addressed: bool,
    /// Bytes of padding in each.
    pub payload: usize,
    /// Requests at the same time.
    pub clients: usize,
}

impl Plan {
    /// The time that the plan takes at its rate.
    pub fn time(&self) -> Duration {
        self.pace.time().min(self.longest)
    }

    /// A notification as JSON.
    pub fn body(&self, user: &str, marker: Marker) -> String {
        let payload = self.payload;
        let mut body = String::with_capacity(payload + 120);
        body.push('{');
        if self.addressed {
            let _ = write!(body, r#""users":["{user}"],"#);
        }
        let title = marker.text();
        let _ = write!(body, r#""kind":"bench","title":"{title}","data":{{"padding":"{:p<payload$}"}}}}"#, "");
        body
    }
}

/// The outcome of the plan.
#[derive(Debug, Default)]
pub struct Published {
    /// Ranges of the numbers of the notifications that were acknowledged.
    pub accepted: Vec<(u64, u64)>,
    /// How many were refused or got no answer.
    pub failed: u64,
    /// Why the last of them.
    pub trouble: Option<String>,
    /// From the first request to the last answer.
    pub took: Duration,
    /// From a request's being due to its answer.
    pub answered: Times,
}

impl Published {
    /// How many were acknowledged.
    pub fn count(&self) -> u64 {
        self.accepted.iter().map(|(first, last)| last - first + 1).sum()
    }
}

/// One request's notifications, as JSON bodies.
pub struct Batch {
    /// Users' ids, in order.
    pub users: Vec<String>,
    /// Bodies, in order.
    pub bodies: Vec<String>,
}

/// The outcome of one publisher.
#[derive(Default)]
struct Done {
    accepted: Vec<u64>,
    failed: u64,
    trouble: Option<String>,
    answered: Times,
}

struct Load {
    plan: Plan,
    users: Users,
    origin: u64,
    next: AtomicU64,
    stop: CancellationToken,
}

/// Publishers that are connected and wait for the beginning.
pub struct Publishers {
    plan: Plan,
    users: Users,
    senders: Vec<Sender>,
    stop: CancellationToken,
}

impl Publishers {
    /// Connects the plan's publishers.
    ///
    /// # Errors
    /// When one cannot connect; later failures are counted.
    pub async fn connect(plan: Plan, users: &Users, options: &SenderOptions) -> anyhow::Result<Self> {
        let mut senders = Vec::with_capacity(plan.clients);
        for index in 0..plan.clients {
            senders.push(Sender::connect(options, users, index).await?);
        }
        Ok(Self { plan, users: users.clone(), senders, stop: CancellationToken::new() })
    }

    /// Ends publishing before the plan's end.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Publishes the plan's notifications; `origin` is when the first is due by the shared clock.
    ///
    /// # Errors
    /// When a publisher breaks down.
    pub async fn publish(self, origin: u64) -> anyhow::Result<Published> {
        let Self { plan, users, senders, stop } = self;
        let load = Arc::new(Load { plan, users, origin, next: AtomicU64::new(0), stop: stop.clone() });
        let mut tasks = JoinSet::new();
        for sender in senders {
            tasks.spawn(load.clone().work(sender));
        }
        let (mut published, mut accepted) = (Published::default(), Vec::new());
        while let Some(done) = tasks.join_next().await {
            let mut done = done.context("a publisher failed")?;
            accepted.append(&mut done.accepted);
            published.failed += done.failed;
            published.trouble = done.trouble.or(published.trouble);
            published.answered.add(&done.answered);
        }
        published.accepted = ranges(accepted);
        let least = if stop.is_cancelled() { Duration::ZERO } else { plan.time() };
        published.took = Duration::from_micros(clock::now().saturating_sub(origin)).max(least);
        Ok(published)
    }
}

impl Load {
    async fn work(self: Arc<Self>, mut sender: Sender) -> Done {
        let mut done = Done::default();
        while let Some((index, count)) = self.take() {
            let due = self.origin + micros(self.plan.pace.due(index));
            tokio::time::sleep(Duration::from_micros(due.saturating_sub(clock::now()))).await;
            let due = if self.plan.pace.rate == 0 { clock::now() } else { due };
            let result = sender.send(&self.batch(index, count, due)).await;
            done.answered.record(clock::now().saturating_sub(due));
            match result {
                Ok(results) => {
                    let numbered = (self.plan.first + index..).zip(&results);
                    done.accepted.extend(numbered.filter(|(_, accepted)| **accepted).map(|(n, _)| n));
                    done.failed += results.iter().filter(|accepted| !**accepted).count() as u64;
                    done.trouble = sender.take_trouble().or(done.trouble);
                }
                Err(error) => {
                    done.failed += count;
                    done.trouble = Some(format!("{error:#}"));
                }
            }
        }
        done
    }

    /// The next batch: the index of its first notification, and its length.
    fn take(&self) -> Option<(u64, u64)> {
        let index = self.next.fetch_add(self.plan.batch, Relaxed);
        let count = self.plan.batch.min(self.plan.pace.total.checked_sub(index)?);
        let begun = match self.plan.pace.rate {
            0 => Duration::from_micros(clock::now().saturating_sub(self.origin)),
            _ => self.plan.pace.due(index),
        };
        (count > 0 && begun < self.plan.longest && !self.stop.is_cancelled()).then_some((index, count))
    }

    fn batch(&self, index: u64, count: u64, due: u64) -> Batch {
        let t = due.saturating_sub(self.origin);
        let numbers = self.plan.first + index..self.plan.first + index + count;
        let users: Vec<String> = numbers.clone().map(|n| self.users.name(self.users.of(n))).collect();
        let bodies = numbers.zip(&users).map(|(n, user)| self.plan.body(user, Marker { n, t })).collect();
        Batch { users, bodies }
    }
}

/// Numbers as ranges, both ends included.
fn ranges(mut numbers: Vec<u64>) -> Vec<(u64, u64)> {
    numbers.sort_unstable();
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    runs.map(|run| (run[0], run[run.len() - 1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(addressed: bool) -> Plan {
        let (pace, longest) = (Pace { rate: 1, total: 1 }, Duration::from_secs(1));
        Plan { first: 0, pace, longest, batch: 1, addressed, payload: 5, clients: 1 }
    }

    fn parsed(addressed: bool) -> Value {
        serde_json::from_str(&plan(addressed).body("bench-1-2", Marker { n: 7, t: 9 })).unwrap()
    }

    #[test]
    fn a_body_is_json_of_the_size_asked_for_and_names_its_user_unless_a_channel_does() {
        let body = parsed(true);
        assert_eq!(body["users"], json!(["bench-1-2"]));
        assert_eq!(body["title"], "~7~9~");
        assert_eq!(body["data"], json!({"padding": "ppppp"}));
        assert_eq!(parsed(false).get("users"), None);
    }

    #[test]
    fn accepted_numbers_are_kept_as_ranges() {
        assert_eq!(ranges(vec![5, 1, 2, 3, 9, 8]), [(1, 3), (5, 5), (8, 9)]);
        assert_eq!(ranges(Vec::new()), []);
    }
}
