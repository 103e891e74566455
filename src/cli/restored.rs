//! `tidings restored`: the database was restored to an earlier state, so cursors of clients may be ahead of it.

use anyhow::Context as _;

use crate::{config::Settings, store::Store};

/// Runs to the end.
///
/// # Errors
/// When the database cannot be reached, or is not migrated.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let store = Store::open(&settings).await?;
    let generation = store.note_restored().await.context("the generation was not raised")?;
    println!("generation {generation}: all clients start anew");
    Ok(())
}
