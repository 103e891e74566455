//! Snapshot questions that come together are answered by one query, so that ten thousand clients that reconnect at
//! once cost Postgres some dozens of queries. Equal questions share one answer, for example those of all tabs of a user.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::page::{self, Ask, Page};
use crate::metrics;
use crate::store::database::{shared::Shared, unavailable::Unavailable};

/// Most questions of one query.
const BATCH: usize = 200;
/// Queries under way at once, so that appends always find a connection.
const QUERIES: usize = 2;
/// Questions that wait; a caller waits for room beyond that.
const QUEUE: usize = 20_000;

type Answer = oneshot::Sender<Result<Arc<Page>, Unavailable>>;
pub(crate) type Asks = mpsc::Sender<(Ask, Answer)>;

/// The head of a stream and the changes after a position.
pub(crate) async fn page(asks: &Asks, ask: Ask) -> Result<Arc<Page>, Unavailable> {
    let (answer, answered) = oneshot::channel();
    asks.send((ask, answer)).await.map_err(|_| Unavailable)?;
    answered.await.unwrap_or(Err(Unavailable))
}

/// Starts the task that gathers questions; it ends when the last sender is gone.
pub(crate) fn start(shared: &Arc<Shared>) -> Asks {
    let (asks, waiting) = mpsc::channel(QUEUE);
    tokio::spawn(gather(shared.clone(), waiting));
    asks
}

async fn gather(shared: Arc<Shared>, mut waiting: mpsc::Receiver<(Ask, Answer)>) {
    let queries = Arc::new(Semaphore::new(QUERIES));
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        // Taking the permit first lets questions gather while the database is busy.
        let Ok(permit) = queries.clone().acquire_owned().await else { return };
        if waiting.recv_many(&mut batch, BATCH).await == 0 {
            return;
        }
        let (shared, batch) = (shared.clone(), std::mem::take(&mut batch));
        tokio::spawn(async move {
            answer(&shared, batch).await;
            drop(permit);
        });
    }
}

async fn answer(shared: &Shared, batch: Vec<(Ask, Answer)>) {
    let mut answers: HashMap<Ask, Vec<Answer>> = HashMap::new();
    for (ask, answer) in batch {
        answers.entry(ask).or_default().push(answer);
    }
    let asks: Vec<Ask> = answers.keys().cloned().collect();
    ::metrics::histogram!(metrics::SNAPSHOT_USERS).record(count(asks.len()));
    let pages = shared.once(async |conn| page::pages(conn, &asks).await).await;
    let pages: Vec<_> = match pages {
        Ok(pages) => pages.into_iter().map(|page| Ok(Arc::new(page))).collect(),
        Err(unavailable) => vec![Err(unavailable); asks.len()],
    };
    debug_assert_eq!(pages.len(), asks.len(), "each question has its answer");
    for (ask, page) in asks.iter().zip(pages) {
        for answer in answers.remove(ask).into_iter().flatten() {
            // A caller that has given up needs no answer.
            answer.send(page.clone()).ok();
        }
    }
}

/// A count as a metric's value.
fn count(number: usize) -> f64 {
    number as f64
}
