//! The settings that a running instance takes over after they were read again. The instance checks all of them first, so a bad value
//! changes nothing.

use anyhow::Context as _;

use super::Running;
use crate::{auth::local_secret, config::Settings, store::ServerChange};

/// The differences that a reload finds beside the settings that differ as they are written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reloaded {
    /// The names of the values that are new.
    pub(crate) changed: Vec<&'static str>,
    /// The names of the values that are new and need a restart.
    pub(crate) left: Vec<&'static str>,
}

impl Running {
    /// Takes over secrets, public keys, kinds, origins, and the login and certificates of the database.
    ///
    /// # Errors
    /// When a key or a file cannot be used: then nothing has changed.
    pub(crate) fn reload(&self, fresh: &Settings) -> anyhow::Result<Reloaded> {
        let mut reloaded = Reloaded::default();
        let local = if fresh.auth.has_key() { None } else { Some(local_secret(&self.settings.data_dir)?) };
        let generated = local.is_some();
        let keys = self.authenticator.read_keys(&fresh.auth, local)?;
        // Without a URL the next start opens the embedded database.
        let moves = self.settings.database.is_some() != fresh.database.is_some();
        let database = fresh.database.as_ref().filter(|_| !moves);
        let database = database.map(|database| self.store.prepare_reload(database)).transpose();
        let database = database.context("the database")?;

        let are_new = self.authenticator.replace_keys(keys);
        if are_new && generated {
            reloaded.changed.push("the generated secret");
        }
        if self.kinds.replace_seed(&fresh.kinds) {
            reloaded.changed.push("kinds-file");
        }
        self.settings.cors_origins.replace(&fresh.cors_origins);
        if moves {
            reloaded.left.push("database-url");
        }
        if let Some((change, apply)) = database {
            apply();
            match change {
                ServerChange::Same => {}
                ServerChange::Login => reloaded.changed.push("database-url"),
                ServerChange::Certificates => reloaded.changed.push("sslrootcert"),
                ServerChange::Elsewhere => reloaded.left.push("database-url"),
            }
        }
        Ok(reloaded)
    }
}
