//! Makes a run's users subscribers of topics, in bulk, through the database.

use anyhow::Context;

use crate::target::Users;
use tidings::{domain::topic::Topic, store::Store};

/// Subscribers of one statement.
const BULK: usize = 10_000;

/// Makes the users of these numbers subscribers of a topic; numbers beyond the run's users have names of the same form.
///
/// # Errors
/// When the database does not take them.
pub async fn subscribe(
    store: &Store,
    users: &Users,
    topic: &Topic,
    numbers: impl Iterator<Item = usize>,
) -> anyhow::Result<()> {
    let tenant = users.tenant().parse()?;
    let names: Vec<String> = numbers.map(|user| users.name(user)).collect();
    for names in names.chunks(BULK) {
        store.seed_subscribers(&tenant, topic, names).await.context("the database takes no subscribers")?;
    }
    Ok(())
}
