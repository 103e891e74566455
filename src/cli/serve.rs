//! `tidings serve`: runs an instance until a signal stops it.

use std::{fmt::Write as _, io::Write as _, time::Duration};

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    app::Running,
    auth::{Grant, local_secret, mint},
    config::Settings,
    domain::user::UserKey,
};

/// How long the printed link works.
const DEMO: Duration = Duration::from_hours(24);

/// Runs to the end.
///
/// # Errors
/// When a part cannot be started, or one that must run for ever ends.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    // Listened for first: a signal that comes while starting must not be lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = Running::start(settings.clone()).await?;
    greet(&running, &settings)?;
    let failed = tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        () = running.failed() => true,
    };
    tokio::select! {
        () = running.stop() => {}
        _ = interrupt.recv() => log::warn!("stopped at once, on a second signal"),
    }
    anyhow::ensure!(!failed, "a part of the server ended, see the log");
    Ok(())
}

/// Prints where it listens and, without a configured key, how to get in.
fn greet(running: &Running, settings: &Settings) -> anyhow::Result<()> {
    let mut text = format!("listening on http://{}\n", running.address());
    if !settings.auth.has_key() {
        let key = UserKey { tenant: "default".parse()?, user: "demo".parse()? };
        let grant = Grant { key, scope: "publish".to_owned(), ttl: DEMO, token_id: None, topics: Vec::new() };
        let secrets = local_secret(&settings.data_dir)?;
        let token = mint(secrets.signing(), &settings.auth, &grant, chrono::Utc::now())?;
        let address = running.address();
        // Writing to memory cannot fail.
        let _ = write!(
            text,
            "\nopen http://{address}/#token={token}\n\nor publish to the user who opens it:\n\
             curl http://{address}/api/notifications -H 'content-type: application/json' \\\n  \
             -H 'authorization: Bearer {token}' \\\n  -d '{{\"users\":[\"demo\"],\"title\":\"Hello\"}}'\n"
        );
    }
    // A closed standard output is no reason to stop.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}
