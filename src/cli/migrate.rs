//! `tidings migrate`: brings the database's tables up to date.

use crate::config::Settings;

/// Runs to the end.
///
/// # Errors
/// When a part cannot be started.
#[allow(clippy::unused_async, reason = "the owner of the app fills it in")]
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let _ = settings;
    anyhow::bail!("not built into this binary")
}
