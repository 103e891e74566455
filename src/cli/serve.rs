//! `tidings serve`: runs an instance until a signal stops it, and reads its files again at a hangup.

use std::{collections::BTreeSet, fmt::Write as _, io::Write as _, time::Duration};

use tokio::signal::unix::{SignalKind, signal};

use super::log_filter::LogFilter;
use crate::{
    app::Running,
    auth::{Grant, local_secret, mint},
    config::{self, Settings, options::Options},
    domain::user::UserKey,
};

/// How long the printed link works.
const DEMO: Duration = Duration::from_hours(24);

/// Runs to the end.
///
/// # Errors
/// When a part cannot be started, or one that must run for ever ends.
pub async fn run(flags: Options, log: &LogFilter) -> anyhow::Result<()> {
    // Listened for first: a signal that comes while starting must not be lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (options, settings) = flags.clone().effective(config::environment())?;
    log.set(settings.log.as_deref());
    let running = Running::start(settings.clone()).await?;
    greet(&running, &settings)?;
    let mut reloading = Reloading { flags, in_force: options.clone(), started_with: options, log };
    let failed = loop {
        tokio::select! {
            _ = terminate.recv() => break false,
            _ = interrupt.recv() => break false,
            () = running.failed() => break true,
            _ = hangup.recv() => reloading.reload(&running),
        }
    };
    let stop = async {
        // An instance without one of its parts serves nobody: it drains at once.
        let failed = failed || !running.leave().await;
        running.stop().await;
        failed
    };
    let failed = tokio::select! {
        failed = stop => failed,
        _ = interrupt.recv() => {
            log::warn!("stopped at once, on a second signal");
            failed
        }
    };
    anyhow::ensure!(!failed, "a part of the server ended, see the log");
    Ok(())
}

/// Reads settings again.
struct Reloading<'a> {
    flags: Options,
    in_force: Options,
    /// The settings at the start: those that a reload cannot change are in force as they were then.
    started_with: Options,
    log: &'a LogFilter,
}

impl Reloading<'_> {
    /// Takes over what can be, and logs the names of the settings that have changed. A bad value changes nothing.
    fn reload(&mut self, running: &Running) {
        match self.take_over(running) {
            Ok((changed, left)) => {
                log::info!("reloaded: {}", if changed.is_empty() { "nothing has changed" } else { &changed });
                if !left.is_empty() {
                    log::warn!("changed, and needs a restart: {left}");
                }
            }
            Err(error) => log::error!("nothing is reloaded: {error:#}"),
        }
    }

    /// The names of what has been taken over, and of what needs a restart.
    fn take_over(&mut self, running: &Running) -> anyhow::Result<(String, String)> {
        let (fresh, settings) = self.flags.clone().effective(config::environment())?;
        let (changed, _) = self.in_force.differences(&fresh)?;
        let (_, left) = self.started_with.differences(&fresh)?;
        let found = running.reload(&settings)?;
        self.log.set(settings.log.as_deref());
        self.in_force = fresh;
        // Of the database's URL the instance decides how much has changed.
        let left = left.into_iter().filter(|name| name != "database-url");
        Ok((names(changed.into_iter(), &found.changed), names(left, &found.left)))
    }
}

fn names(settings: impl Iterator<Item = String>, found: &[&str]) -> String {
    let all: BTreeSet<String> = settings.chain(found.iter().map(ToString::to_string)).collect();
    all.into_iter().collect::<Vec<_>>().join(", ")
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
