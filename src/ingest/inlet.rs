//! The way in for SQL: an application calls `tidings.publish` in its own transaction, which writes a row. Rows are claimed under a lease
//! and go the ordinary write path under a key of the row, so that a row that is claimed twice is stored once.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Publish,
    attempt::{self, Outcome},
};
use crate::{
    actions::retract::Retractor,
    bus::backoff::Backoff,
    config::PublishSettings,
    domain::{
        kinds::Kinds,
        notification::{NewNotification, Source},
        text::Malformed,
        user::Tenant,
    },
    health::{Health, Need, Way},
    message, metrics,
    store::{InletRow, Relay, Store, Unavailable},
};

/// Most rows of one claim.
const ROWS: usize = 500;
/// Much longer than a claim takes. After the death of an instance others wait so long for its rows.
const LEASE: Duration = Duration::from_secs(30);
/// A row claimed more often than this is not tried again: it may be the reason why its instances die.
const CLAIMS: i16 = 10;
/// Longest pause after failures, in pauses.
const MOST_PAUSES: u32 = 10;
const TROUBLE: &str = "the rows of tidings.inlet cannot be claimed, the log says why: the role of DATABASE_URL needs \
     usage on the schema tidings and all privileges on its tables";
/// Pause before a row is tried again that was not stored.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes rows of the inlet in.
pub(crate) struct Inlet {
    /// Where the rows are.
    pub(crate) store: Store,
    /// The write path.
    pub(crate) publish: Publish,
    /// Takes publishes back.
    pub(crate) retractor: Retractor,
    /// Where the state of this way in is noted.
    pub(crate) health: Arc<Health>,
    /// Bounds of messages and of transactions.
    pub(crate) limits: PublishSettings,
    /// The kinds registry.
    pub(crate) kinds: Kinds,
    /// Time between looks.
    pub(crate) look: Duration,
    /// Listens for callers who ask to be served at once.
    pub(crate) relay: Option<Relay>,
}

/// The rows of a claim that have an end.
#[derive(Default)]
struct Ended {
    done: Vec<i64>,
    dead: Vec<(i64, String)>,
}

impl Inlet {
    /// Takes rows until the stop; then it finishes the rows that it has claimed.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let woken = Notify::new();
        tokio::join!(self.take_all(&woken, &stop), self.listen(&woken, &stop));
    }

    async fn take_all(&self, woken: &Notify, stop: &CancellationToken) {
        let mut failures = 0;
        while !stop.is_cancelled() {
            let taken = self.take().await;
            failures = if taken.is_ok() { 0 } else { (failures + 1).min(MOST_PAUSES) };
            // The first failure may be one of the database, which has a part of its own in the report.
            let trouble = if failures > 1 { Err(TROUBLE.to_owned()) } else { Ok(()) };
            self.health.note_way(Way::Sql, Need::Receive, trouble);
            let pause = match taken {
                Ok(ROWS..) => continue,
                Ok(_) => self.look,
                Err(Unavailable) => PAUSE * failures,
            };
            let _ = stop.run_until_cancelled(timeout(pause, woken.notified())).await;
        }
    }

    async fn listen(&self, woken: &Notify, stop: &CancellationToken) {
        let Some(relay) = &self.relay else { return };
        let mut backoff = Backoff::default();
        let listening = async {
            loop {
                let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
                let wake = move || {
                    // A full queue holds a wake-up already.
                    let _ = sender.try_send(());
                };
                match relay.listen_inlet(wake).await {
                    Ok(listener) => {
                        backoff.reset();
                        while receiver.recv().await.is_some() {
                            woken.notify_one();
                        }
                        listener.lost().await;
                    }
                    Err(error) => log::debug!("the inlet is not listened to: {error}"),
                }
                sleep(backoff.next()).await;
            }
        };
        let _: Option<()> = stop.run_until_cancelled(listening).await;
    }

    /// Claims rows and ends them; answers how many it claimed.
    async fn take(&self) -> Result<usize, Unavailable> {
        let rows = self.store.claim_inlet(ROWS as i64, LEASE).await?;
        let claimed = rows.len();
        if claimed == 0 {
            return Ok(0);
        }
        let mut ended = Ended::default();
        let (mut items, mut retractions) = (Vec::new(), Vec::new());
        for row in rows {
            match self.parse(&row) {
                Ok(Some(new)) => items.push((row, new)),
                Ok(None) => retractions.push(row),
                Err(reason) => ended.dead.push((row.id, reason)),
            }
        }
        self.store(items, &mut ended).await?;
        self.end(ended).await?;
        // A claim has no retraction of a publish that it has itself.
        let mut ended = Ended::default();
        for row in retractions {
            self.retract(row, &mut ended).await?;
        }
        self.end(ended).await?;
        Ok(claimed)
    }

    /// The publish of a row; none of a retraction.
    fn parse(&self, row: &InletRow) -> Result<Option<NewNotification>, String> {
        if row.claims > CLAIMS {
            return Err(format!("claimed {CLAIMS} times without an end"));
        }
        let Some(text) = &row.message else { return Ok(None) };
        let tenant = tenant(row)?;
        let key = format!("sql:{}", row.id);
        message::parse(text.as_bytes(), &self.limits)
            .and_then(|message| message.into_new(tenant, Source::Sql, Some(key), &self.kinds))
            .map(Some)
            .map_err(|problems| problems.to_string())
    }

    /// Stores what can be stored, and leaves the rest to a later claim.
    async fn store(&self, items: Vec<(InletRow, NewNotification)>, ended: &mut Ended) -> Result<(), Unavailable> {
        let (rows, new): (Vec<InletRow>, Vec<NewNotification>) = items.into_iter().unzip();
        let mut outcomes = attempt::together(&self.publish, &new, self.limits.commit_rows).await;
        if outcomes.contains(&Outcome::Unavailable) {
            // One of them may be what failed the transaction of all.
            let again: Vec<usize> = (0..new.len()).filter(|index| outcomes[*index] == Outcome::Unavailable).collect();
            let alone: Vec<NewNotification> = again.iter().map(|index| new[*index].clone()).collect();
            for (index, outcome) in again.into_iter().zip(attempt::singly(&self.publish, &alone).await) {
                outcomes[index] = outcome;
            }
        }
        let store_works = outcomes.contains(&Outcome::Stored);
        let (mut later, mut failed) = (Vec::new(), Vec::new());
        for (row, outcome) in rows.iter().zip(outcomes) {
            match outcome {
                Outcome::Stored => ended.done.push(row.id),
                Outcome::Refused(reason) => ended.dead.push((row.id, reason)),
                Outcome::Unavailable if store_works => failed.push(row.id),
                Outcome::Overloaded | Outcome::Unavailable => later.push(row.id),
            }
        }
        if !later.is_empty() {
            self.store.release_inlet(&later, PAUSE, false).await?;
        }
        if !failed.is_empty() {
            self.store.release_inlet(&failed, PAUSE, true).await?;
        }
        Ok(())
    }

    async fn retract(&self, row: InletRow, ended: &mut Ended) -> Result<(), Unavailable> {
        let found = match (tenant(&row), &row.key) {
            (Ok(tenant), Some(key)) => self.retractor.retract(&tenant, key).await?,
            _ => false,
        };
        if found {
            ended.done.push(row.id);
        } else {
            ended.dead.push((row.id, "there is no such publish, or it is forgotten".to_owned()));
        }
        Ok(())
    }

    async fn end(&self, Ended { done, dead }: Ended) -> Result<(), Unavailable> {
        if !done.is_empty() {
            self.store.finish_inlet(&done).await?;
        }
        if let Some((_, reason)) = dead.first() {
            self.store.bury_inlet(&dead).await?;
            ::metrics::counter!(metrics::INGEST_DEAD, "source" => Source::Sql.as_str()).increment(dead.len() as u64);
            log::warn!("{} rows of the inlet became dead letters: {reason}", dead.len());
        }
        Ok(())
    }
}

fn tenant(row: &InletRow) -> Result<Tenant, String> {
    row.tenant.parse().map_err(|Malformed(why)| why.to_owned())
}
