//! The fault checker: publishers and reconnecting clients run while servers are killed, stopped and paused. At the
//! end every acknowledged notification must have reached every connection of its user once, in order, and no other user.

mod issuer;
mod judge;
mod publisher;
mod socket;
mod subscriber;

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;
use tokio::{sync::Mutex, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use self::issuer::Issuer;
use self::{
    judge::{complaints, missing},
    publisher::{Ledger, Publisher},
    subscriber::Subscriber,
};
use crate::harness::{Edge, Token, eventually};

/// Acknowledged publishes that must follow a fault, so that recovery is seen and not only survival.
const AFTERMATH: usize = 60;

/// How many of everything.
pub struct Shape {
    pub users: usize,
    pub connections: usize,
    pub publishers: usize,
    pub transport: Transport,
    pub issuer: Issuer,
    /// Whether the database moves, which resets clients: they reload their lists then.
    pub moves: bool,
}

/// How subscribers read.
#[derive(Clone, Copy, Default)]
pub enum Transport {
    #[default]
    EventStream,
    /// Reconnecting with the cursor in the query and in a message, alternately.
    WebSocket,
}

impl Default for Shape {
    fn default() -> Self {
        let (transport, issuer) = (Transport::default(), Issuer::default());
        Self { users: 5, connections: 3, publishers: 3, transport, issuer, moves: false }
    }
}

/// Publishers and subscribers at work.
pub struct Run {
    edges: Vec<Edge>,
    issuer: Issuer,
    ledger: Arc<Ledger>,
    subscribers: Vec<Subscriber>,
    publishers: Vec<JoinHandle<()>>,
    enough: CancellationToken,
}

impl Run {
    /// Opens every stream, waits for every verdict, then begins to publish. Clients and publishers go from edge to edge.
    pub async fn start(edges: Vec<Edge>, shape: Shape) -> Self {
        let users: Vec<_> = (0..shape.users).map(name).collect();
        let connections = users.iter().flat_map(|user| std::iter::repeat_n(user, shape.connections));
        let subscribers: Vec<_> = connections
            .enumerate()
            .map(|(index, user)| Subscriber::start(user, index, edges.clone(), &shape))
            .collect();
        join_all(subscribers.iter().map(Subscriber::greeted)).await;

        let (ledger, enough) = (Arc::new(Ledger::new(users, shape.issuer.clone())), CancellationToken::new());
        let publish = |index| Publisher::new(index, edges.clone(), ledger.clone()).run(enough.clone());
        let publishers = (0..shape.publishers).map(|index| tokio::spawn(publish(index))).collect();
        let run = Self { edges, issuer: shape.issuer, ledger, subscribers, publishers, enough };
        run.flow().await;
        run
    }

    /// Waits until publishes are acknowledged (again), a good number of them.
    pub async fn flow(&self) {
        let goal = self.ledger.acknowledged() + AFTERMATH;
        eventually("publishes are acknowledged", async || (self.ledger.acknowledged() >= goal).then_some(())).await;
    }

    /// Ends publishing, waits until everything has arrived, and panics with everything that went wrong.
    pub async fn judge(self) {
        self.enough.cancel();
        for publisher in self.publishers {
            publisher.await.expect("a publisher that was never refused");
        }
        self.ledger.mark(&self.edges[0]).await;
        let published = self.ledger.entries();
        let whole = eventually_whole(&published, &self.subscribers).await;
        let logs = join_all(self.subscribers.into_iter().map(Subscriber::stop)).await;
        let complaints = complaints(&published, &logs);
        assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
        assert!(whole, "something is missing, but nobody complained");
        stored(&self.edges[0], &self.issuer, &logs).await;
        let connects: usize = logs.iter().map(|log| log.verdicts.len()).sum();
        let heard: usize = logs.iter().map(|log| log.heard.len()).sum();
        println!("{} published, {heard} delivered over {connects} connections, no complaint", published.len());
    }
}

/// Ids with the separators of every layer that they pass.
fn name(index: usize) -> String {
    let odd = ["plain", "co:lon", "sl/ash", "{br}ace", "st*r?[x]", "per%25cent", "spa ce", "ünï\u{1f600}"];
    format!("{}-{index}", odd[index % odd.len()])
}

async fn eventually_whole(published: &[judge::Published], subscribers: &[Subscriber]) -> bool {
    let deadline = tokio::time::Instant::now() + crate::harness::DEADLINE;
    loop {
        let logs = join_all(subscribers.iter().map(Subscriber::log)).await;
        if missing(published, &logs) == 0 {
            return true;
        }
        if tokio::time::Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// The inbox must hold exactly the notifications of the streams.
async fn stored(edge: &Edge, issuer: &Issuer, logs: &[judge::Log]) {
    for log in logs {
        let list = edge.bearer(&issuer.sign(&Token::of(&log.user))).list("?limit=1").await;
        assert_eq!(list["total"], json!(log.heard.len()), "the inbox of {}", log.user);
    }
}

/// A log that its task writes and the checker reads.
type Shared<T> = Arc<Mutex<T>>;
