//! Does due work: delivers scheduled notifications, ends snoozes, sends reminders and escalations.

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

/// Between looks: due work is never early, and late by less than a second.
const LOOK: Duration = Duration::from_millis(500);

/// Runs until the stop. Several instances share the work: each skips rows that another has locked.
pub(crate) async fn run(store: Store, announcer: Announcer, stop: CancellationToken) {
    repeat(stop, || sleep(LOOK), || look(&store, &announcer)).await;
}

/// Does all that is to be done by now. The kinds of work alternate, and so do the tenants of each.
async fn look(store: &Store, announcer: &Announcer) -> Result<(), Unavailable> {
    let mut open = DueWork::ALL.map(Rotation::of).to_vec();
    while !open.is_empty() {
        for rotation in &mut open {
            rotation.take(store, announcer).await?;
        }
        open.retain(|rotation| !rotation.over);
    }
    Ok(())
}

/// The rotation of the tenants with due work of one kind.
#[derive(Clone)]
struct Rotation {
    work: DueWork,
    /// The tenant that was served last.
    last: Option<Tenant>,
    /// The first tenant of those without work that other instances had not locked, since the last one with any.
    fruitless: Option<Tenant>,
    over: bool,
}

impl Rotation {
    fn of(work: DueWork) -> Self {
        Self { work, last: None, fruitless: None, over: false }
    }

    async fn take(&mut self, store: &Store, announcer: &Announcer) -> Result<(), Unavailable> {
        let tenant = store.next_tenant(self.work, self.last.as_ref()).await?;
        let Some(tenant) = tenant.filter(|tenant| self.fruitless.as_ref() != Some(tenant)) else {
            self.over = true;
            return Ok(());
        };
        let Ticked { done, heads, begins_fanout } = store.tick(self.work, &tenant).await?;
        ::metrics::counter!(metrics::CLOCK, "agenda" => self.work.as_str()).increment(done as u64);
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
