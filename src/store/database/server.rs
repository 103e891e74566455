//! The server of the settings. Its login and its certificates may be replaced while connections are open: a new connection uses them.

use std::{
    fs, io,
    str::FromStr,
    sync::{Arc, RwLock},
};

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::tls::Target;
use crate::{config::DatabaseSettings, domain::lock};

/// The server; cheap to clone, and all clones see the same.
#[derive(Clone)]
pub(crate) struct Server(Arc<RwLock<State>>);

struct State {
    url: SecretString,
    target: Target,
    /// The certificates that the URL names, as they were read.
    certificates: Option<Vec<u8>>,
}

/// What a reload finds about the server of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerChange {
    /// Nothing is new.
    Same,
    /// Another user or password for the same server.
    Login,
    /// Other certificates.
    Certificates,
    /// Another server: connections to two servers at the same time would be no one database.
    Elsewhere,
}

impl Server {
    /// Parses a `DATABASE_URL` and reads the certificates that it names.
    pub(crate) fn of(database: &DatabaseSettings) -> anyhow::Result<Self> {
        read(database).map(|state| Self(Arc::new(RwLock::new(state))))
    }

    /// For the next connection.
    pub(crate) fn target(&self) -> Target {
        lock::read(&self.0).target.clone()
    }

    /// What a reload with these settings changes, and the step that does it. The step is the caller's, so that all settings of a reload
    /// change or none.
    pub(crate) fn prepare(&self, database: &DatabaseSettings) -> anyhow::Result<(ServerChange, impl FnOnce() + use<>)> {
        let fresh = read(database)?;
        let change = {
            let known = lock::read(&self.0);
            let (old, new) = (known.url.expose_secret(), fresh.url.expose_secret());
            match () {
                () if without_login(old) != without_login(new) => ServerChange::Elsewhere,
                () if old != new => ServerChange::Login,
                () if known.certificates != fresh.certificates => ServerChange::Certificates,
                () => ServerChange::Same,
            }
        };
        let state = self.0.clone();
        let apply = move || {
            if change != ServerChange::Elsewhere {
                *lock::write(&state) = fresh;
            }
        };
        Ok((change, apply))
    }
}

fn read(database: &DatabaseSettings) -> anyhow::Result<State> {
    let url = database.url.clone();
    let target = Target::from_str(url.expose_secret()).context("DATABASE_URL")?;
    let certificates = target.certificates().map(fs::read).transpose().or_else(missing).context("sslrootcert")?;
    Ok(State { url, target, certificates })
}

/// A mode that does not check the server reads no certificate, so a missing file is no fault.
fn missing(error: io::Error) -> io::Result<Option<Vec<u8>>> {
    if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) }
}

/// A URL without its user and password, in whichever place they stand.
fn without_login(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let address = address.rsplit_once('@').map_or(address, |(_, address)| address);
    let is_login = |pair: &&str| matches!(pair.split('=').next(), Some("user" | "password"));
    let query: Vec<_> = query.split('&').filter(|pair| !is_login(pair)).collect();
    format!("{scheme}://{address}?{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(url: &str) -> DatabaseSettings {
        DatabaseSettings { url: url.into(), pool_size: 1, statement_timeout: Duration::from_secs(1), migrate: false }
    }

    #[test]
    fn only_the_login_and_the_certificates_are_taken_over() {
        let server = Server::of(&settings("postgres://ann:one@db.example/tidings?sslmode=disable")).unwrap();
        for (url, change) in [
            ("postgres://ann:one@db.example/tidings?sslmode=disable", ServerChange::Same),
            ("postgres://bob:t%40wo@db.example/tidings?sslmode=disable", ServerChange::Login),
            ("postgres://db.example/tidings?sslmode=disable&user=ann&password=three", ServerChange::Login),
            ("postgres://ann:one@other.example/tidings?sslmode=disable", ServerChange::Elsewhere),
            ("postgres://ann:one@db.example/other?sslmode=disable", ServerChange::Elsewhere),
            ("postgres://ann:one@db.example/tidings?sslmode=require", ServerChange::Elsewhere),
        ] {
            assert_eq!(server.prepare(&settings(url)).unwrap().0, change, "{url}");
        }
        assert!(server.prepare(&settings("postgres://ann:one@db.example/tidings?sslmode=odd")).is_err());
    }
}
