//! Does what has a time when its time has come: delivers what waits, ends snoozes, goes on with what is due.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::repeat;
use crate::{
    domain::user::Tenant,
    live::announce::Announcer,
    metrics,
    store::{DueWork, Store, Ticked, Unavailable},
};

/// Between looks: what has a time is early never and late by less than a second.
const LOOK: Duration = Duration::from_millis(500);

/// Looks until told to stop. Several instances share the work: each skips what another has locked.
pub async fn run(store: Store, announcer: Announcer, stop: CancellationToken) {
    repeat(stop, || sleep(LOOK), || look(&store, &announcer)).await;
}

/// Does all that is to be done by now. The agendas take turns, and so do the tenants of each.
async fn look(store: &Store, announcer: &Announcer) -> Result<(), Unavailable> {
    let mut open = DueWork::ALL.map(Turns::of).to_vec();
    while !open.is_empty() {
        for turns in &mut open {
            turns.take(store, announcer).await?;
        }
        open.retain(|turns| !turns.over);
    }
    Ok(())
}

/// The turns at one agenda.
#[derive(Clone)]
struct Turns {
    agenda: DueWork,
    /// Whose turn was last.
    last: Option<Tenant>,
    /// The first of those who had nothing that other instances were not at, since anybody had.
    fruitless: Option<Tenant>,
    over: bool,
}

impl Turns {
    fn of(agenda: DueWork) -> Self {
        Self { agenda, last: None, fruitless: None, over: false }
    }

    async fn take(&mut self, store: &Store, announcer: &Announcer) -> Result<(), Unavailable> {
        let tenant = store.next_in_turn(self.agenda, self.last.as_ref()).await?;
        let Some(tenant) = tenant.filter(|tenant| self.fruitless.as_ref() != Some(tenant)) else {
            self.over = true;
            return Ok(());
        };
        let Ticked { done, heads, begins_fanout } = store.tick(self.agenda, &tenant).await?;
        ::metrics::counter!(metrics::CLOCK, "agenda" => self.agenda.as_str()).increment(done as u64);
        announcer.announce_heads(heads);
        if begins_fanout {
            announcer.note_begun();
        }
        if done > 0 {
            self.fruitless = None;
        } else {
            self.fruitless.get_or_insert_with(|| tenant.clone());
        }
        self.last = Some(tenant);
        Ok(())
    }
}
