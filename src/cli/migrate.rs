//! `tidings migrate`: brings the database's tables up to date.

use super::Mistake;
use crate::{config::Settings, store::Store};

/// Runs to the end.
///
/// # Errors
/// When no server is configured, it cannot be reached, or a migration fails.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let Some(database) = settings.database else {
        return Err(Mistake("DATABASE_URL is not set; the embedded database migrates itself".to_owned()).into());
    };
    let run = Store::migrate(&database).await?;
    run.iter().for_each(|name| println!("ran {name}"));
    println!("the database is up to date");
    Ok(())
}
