//! Users list their inboxes and mark items as read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::caller::{Call, Caller};
use crate::{
    clock::{self, micros},
    figures::times::Times,
    target::{Target, Users},
};

/// The rate of visits, and their requests.
#[derive(Debug, Clone, Copy)]
pub struct Visits {
    /// Visits per second; none when 0.
    pub rate: u64,
    /// Items that are marked as read in each, if so many are unread.
    pub reads: usize,
    /// Time after which no visit begins.
    pub longest: Duration,
    /// Requests at the same time.
    pub clients: usize,
}

/// The results of the visits.
#[derive(Debug, Default)]
pub struct Visited {
    /// From a visit's being due to its list.
    pub lists: Times,
    /// From asking for an item to be read to the answer.
    pub reads: Times,
    /// Requests that failed.
    pub failed: u64,
    /// Why the last of them.
    pub trouble: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    notifications: Vec<ListedItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedItem {
    id: String,
    read_at: Option<serde::de::IgnoredAny>,
}

struct Load {
    visits: Visits,
    users: Users,
    origin: u64,
    next: AtomicU64,
}

/// Lets users come from `origin` on.
///
/// # Errors
/// When a server cannot be reached at all; later failures are counted.
pub async fn visit(visits: Visits, users: &Users, targets: &[Target], origin: u64) -> anyhow::Result<Visited> {
    let mut visited = Visited::default();
    if visits.rate == 0 {
        return Ok(visited);
    }
    let load = Arc::new(Load { visits, users: users.clone(), origin, next: AtomicU64::new(0) });
    let mut tasks = JoinSet::new();
    for target in targets.iter().cycle().take(visits.clients) {
        tasks.spawn(load.clone().work(Caller::connect(target).await?));
    }
    while let Some(done) = tasks.join_next().await {
        let done = done.context("a visitor failed")?;
        visited.lists.add(&done.lists);
        visited.reads.add(&done.reads);
        visited.failed += done.failed;
        visited.trouble = done.trouble.or(visited.trouble);
    }
    Ok(visited)
}

impl Load {
    async fn work(self: Arc<Self>, mut caller: Caller) -> Visited {
        let mut visited = Visited::default();
        while let Some(due) = self.take() {
            tokio::time::sleep(Duration::from_micros(due.saturating_sub(clock::now()))).await;
            if let Err(error) = self.once(&mut caller, due, &mut visited).await {
                visited.failed += 1;
                visited.trouble = Some(format!("{error:#}"));
            }
        }
        visited
    }

    /// When the next visit is due.
    fn take(&self) -> Option<u64> {
        let index = self.next.fetch_add(1, Relaxed);
        let due = Duration::from_nanos(index * 1_000_000_000 / self.visits.rate);
        (due < self.visits.longest).then(|| self.origin + micros(due))
    }

    async fn once(&self, caller: &mut Caller, due: u64, visited: &mut Visited) -> anyhow::Result<()> {
        let token = &self.users.user_token(rand::random_range(0..self.users.count))?;
        let list = caller.ask(&Call { method: "GET", path: "/api/notifications?limit=20", token, body: "" }).await?;
        visited.lists.record(clock::now().saturating_sub(due));
        let listed: Listed = serde_json::from_slice(&list).context("the list is none")?;
        let unread = listed.notifications.iter().filter(|item| item.read_at.is_none());
        for item in unread.take(self.visits.reads) {
            let asked = clock::now();
            let path = format!("/api/notifications/{}/read", item.id);
            caller.ask(&Call { method: "POST", path: &path, token, body: "" }).await?;
            visited.reads.record(clock::now().saturating_sub(asked));
        }
        Ok(())
    }
}
