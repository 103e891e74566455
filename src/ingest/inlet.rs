//! The way in for SQL: an application calls `tidings.publish` in its own transaction, which writes a row. Rows are claimed under a lease
//! and go the ordinary write path under a key of the row, so that a row that is claimed twice is stored once.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
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
    health::{Health, MISFIT, Need, Way},
    message, metrics,
    store::{Claiming, InletRow, Relay, Store, Unavailable},
};

/// Most rows of one claim, and most bytes of their messages.
const ROWS: usize = 500;
const BYTES: i64 = 8 * 1_024 * 1_024;
const FRESH: Claiming = Claiming::Fresh { rows: ROWS as i64, bytes: BYTES };
/// Longer than a claim takes while the database answers. After the death of an instance others wait so long for its rows.
const LEASE: Duration = Duration::from_secs(30);
/// Longest pause after failures, in pauses.
const MOST_PAUSES: u32 = 10;
const TROUBLE: &str = "the rows of tidings.inlet cannot be claimed, the log says why: the role of DATABASE_URL needs \
     usage on the schema tidings and all privileges on its tables";
/// Pause after a failure.
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
struct Ended<'a> {
    done: Vec<i64>,
    dead: Vec<(&'a InletRow, String)>,
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
            let began = Instant::now();
            let taken = self.take(stop).await;
            failures = if taken.is_ok() { 0 } else { (failures + 1).min(MOST_PAUSES) };
            // One failure may be of one connection.
            let trouble = if failures > 1 { Err(self.trouble()) } else { Ok(()) };
            self.health.note_way(Way::Sql, Need::Receive, trouble);
            let pause = match taken {
                Ok(true) => continue,
                // Rows that came meanwhile have waited already.
                Ok(false) => self.look.saturating_sub(began.elapsed()),
                Err(Unavailable) => PAUSE * failures,
            };
            let _ = stop.run_until_cancelled(timeout(pause, woken.notified())).await;
        }
    }

    /// Why no rows can be claimed.
    fn trouble(&self) -> String {
        let trouble = match self.store.misfit() {
            Some(_) => MISFIT,
            None if !self.store.is_up() => "the database does not answer",
            None => TROUBLE,
        };
        trouble.to_owned()
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

    /// Claims rows and ends them; answers whether there may be more at once.
    async fn take(&self, stop: &CancellationToken) -> Result<bool, Unavailable> {
        let fresh = self.store.claim_inlet(FRESH, LEASE).await?;
        self.work(&fresh, stop).await?;
        // Only now: a row that ends its instances would take those down that were claimed beside it.
        let doubtful = self.store.claim_inlet(Claiming::Doubtful, LEASE).await?;
        self.work(&doubtful, stop).await?;
        // Rows are claimed in their order, so the first has waited longest.
        let waited = fresh.iter().chain(&doubtful).map(|row| row.age).fold(0.0, f64::max);
        ::metrics::gauge!(metrics::INLET_WAIT).set(waited);
        let bytes: usize = fresh.iter().filter_map(|row| row.message.as_ref()).map(String::len).sum();
        Ok(fresh.len() == ROWS || bytes as i64 > BYTES / 2 || !doubtful.is_empty())
    }

    async fn work(&self, rows: &[InletRow], stop: &CancellationToken) -> Result<(), Unavailable> {
        let mut ended = Ended::default();
        let (mut items, mut retractions) = (Vec::new(), Vec::new());
        for row in rows {
            match self.parse(row) {
                Ok(Some(new)) => items.push((row, new)),
                Ok(None) => retractions.push(row),
                Err(reason) => ended.dead.push((row, reason)),
            }
        }
        self.store(items, stop, &mut ended).await?;
        self.end(ended).await?;
        // A claim has no retraction of a publish that it has itself.
        let mut ended = Ended::default();
        for row in retractions {
            self.retract(row, &mut ended).await?;
        }
        self.end(ended).await
    }

    /// The publish of a row; none of a retraction.
    fn parse(&self, row: &InletRow) -> Result<Option<NewNotification>, String> {
        if row.is_given_up() {
            return Err("claimed again and again without an end".to_owned());
        }
        let Some(text) = &row.message else {
            debug_assert!(row.retracts, "a row has a message, or takes one back");
            return Ok(None);
        };
        let tenant = tenant(row)?;
        let key = format!("sql:{}", row.id);
        message::parse(text.as_bytes(), &self.limits)
            .and_then(|message| message.into_new(tenant, Source::Sql, Some(key), &self.kinds))
            .map(Some)
            .map_err(|problems| problems.to_string())
    }

    /// Stores what can be stored, and leaves the rest to a later claim.
    async fn store<'a>(
        &self,
        items: Vec<(&'a InletRow, NewNotification)>,
        stop: &CancellationToken,
        ended: &mut Ended<'a>,
    ) -> Result<(), Unavailable> {
        let (rows, new): (Vec<&InletRow>, Vec<NewNotification>) = items.into_iter().unzip();
        let mut outcomes = attempt::together(&self.publish, &new, self.limits.commit_rows).await;
        if outcomes.contains(&Outcome::Unavailable) {
            // One of them may be what failed the transaction of all.
            let again: Vec<usize> = (0..new.len()).filter(|index| outcomes[*index] == Outcome::Unavailable).collect();
            let alone: Vec<NewNotification> = again.iter().map(|index| new[*index].clone()).collect();
            // Without the database each would wait in vain, one after the other.
            let works = || self.store.is_up() && !stop.is_cancelled();
            for (index, outcome) in again.into_iter().zip(attempt::singly(&self.publish, &alone, works).await) {
                outcomes[index] = outcome;
            }
        }
        let store_works = self.store.is_up() && !stop.is_cancelled();
        let (mut later, mut failed) = (Vec::new(), Vec::new());
        for (row, outcome) in rows.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Stored => ended.done.push(row.id),
                Outcome::Refused(reason) => ended.dead.push((row, reason)),
                Outcome::Unavailable if store_works => failed.push(row),
                Outcome::Overloaded | Outcome::Unavailable => later.push(row),
            }
        }
        if !later.is_empty() {
            self.store.release_inlet(&later, false).await?;
        }
        if !failed.is_empty() {
            self.store.release_inlet(&failed, true).await?;
        }
        Ok(())
    }

    async fn retract<'a>(&self, row: &'a InletRow, ended: &mut Ended<'a>) -> Result<(), Unavailable> {
        let found = match (tenant(row), &row.key) {
            (Ok(tenant), Some(key)) => self.retractor.retract(&tenant, key).await?,
            _ => false,
        };
        if found {
            ended.done.push(row.id);
        } else {
            ended.dead.push((row, "there is no such publish, or it is forgotten".to_owned()));
        }
        Ok(())
    }

    async fn end(&self, Ended { done, dead }: Ended<'_>) -> Result<(), Unavailable> {
        if !done.is_empty() {
            self.store.finish_inlet(&done).await?;
        }
        if !dead.is_empty() {
            self.store.bury_inlet(&dead).await?;
            ::metrics::counter!(metrics::INGEST_DEAD, "source" => Source::Sql.as_str()).increment(dead.len() as u64);
            log::warn!("{} rows of the inlet became dead letters, tidings.dead_letters has the reasons", dead.len());
        }
        Ok(())
    }
}

fn tenant(row: &InletRow) -> Result<Tenant, String> {
    row.tenant.parse().map_err(|Malformed(why)| why.to_owned())
}
