//! Which server a client command talks to, and the token it shows.

use std::{path::PathBuf, time::Duration};

use secrecy::ExposeSecret as _;
use url::Url;

use super::{Mistake, minter::Minter};
use crate::{auth::read_local_secret, domain::user::Tenant};

/// A token that a command makes for itself lives this long.
const LIFETIME: Duration = Duration::from_hours(24);

/// Flags of every command that is a client.
#[derive(Debug, Clone, clap::Args)]
pub struct Access {
    /// The server.
    #[arg(long, value_name = "URL", env = "TIDINGS_URL", default_value = "http://127.0.0.1:8080")]
    pub url: Url,
    /// The token to show; without one, a local server's own secret signs one.
    #[arg(long, env = "TIDINGS_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Tenant of the token that is made when none is given.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub tenant: Tenant,
    /// The directory of a local server's secret.
    #[arg(long, value_name = "DIR", env = "TIDINGS_DATA_DIR", default_value = "./tidings-data")]
    pub data_dir: PathBuf,
}

impl Access {
    /// The token given, or one for this user and scope signed with the local server's secret.
    ///
    /// # Errors
    /// [`Mistake`] when there is neither a token nor a secret.
    pub fn token(&self, user: &str, scope: &str) -> anyhow::Result<String> {
        if let Some(token) = &self.token {
            return Ok(token.trim().to_owned());
        }
        let Some(secrets) = read_local_secret(&self.data_dir)? else {
            let hint = "give --token or TIDINGS_TOKEN, or name a local server's --data-dir";
            let shown = self.data_dir.display();
            return Err(Mistake(format!("no token: {hint} (there is no jwt-secret in {shown})")).into());
        };
        Minter::new(secrets.signing().expose_secret(), self.tenant.clone(), LIFETIME).mint(user, scope)
    }

    /// The address of an API path on the server.
    ///
    /// # Errors
    /// [`Mistake`] for an address that is not http or https.
    pub fn endpoint(&self, path: &str) -> Result<Url, Mistake> {
        endpoint(&self.url, path)
    }
}

/// Appends an API path to a server's address, which may have a path of its own (behind a proxy).
///
/// # Errors
/// [`Mistake`] for an address that is not http or https.
pub fn endpoint(server: &Url, path: &str) -> Result<Url, Mistake> {
    if !matches!(server.scheme(), "http" | "https") {
        return Err(Mistake(format!("{server} is not an http or https address")));
    }
    let mut url = server.clone();
    url.set_path(&format!("{}{path}", server.path().trim_end_matches('/')));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_own_path_stays_before_the_apis() {
        for (server, wanted) in [
            ("http://a:1", "http://a:1/api/x"),
            ("http://a:1/", "http://a:1/api/x"),
            ("https://a/base/", "https://a/base/api/x"),
        ] {
            assert_eq!(endpoint(&server.parse().unwrap(), "/api/x").unwrap().as_str(), wanted);
        }
        assert!(endpoint(&"redis://a".parse().unwrap(), "/").is_err());
    }
}
