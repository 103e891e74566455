//! The servers under load and the users of one run.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use url::Url;

use tidings::{cli::minter::Minter, domain::user::UserKey};

/// Tokens outlive the longest run.
const TOKEN_LIFETIME: Duration = Duration::from_hours(3);

/// One server's address, resolved once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// The address to connect to.
    pub address: SocketAddr,
    /// The `Host` header.
    pub host: String,
    /// The server's own path, before `/api`.
    pub base: String,
}

impl Target {
    /// Resolves a server's address.
    ///
    /// # Errors
    /// When it is not plain http (this tool measures the server, not TLS) or its name is not known.
    pub async fn resolve(url: &Url) -> anyhow::Result<Self> {
        if url.scheme() != "http" {
            bail!("{url}: the load goes over plain http; name the instances, not a TLS proxy before them");
        }
        let host = url.host_str().with_context(|| format!("{url} names no host"))?;
        let port = url.port_or_known_default().unwrap_or(80);
        let name = host.trim_matches(['[', ']']);
        let resolved = tokio::net::lookup_host((name, port)).await;
        let mut addresses = resolved.with_context(|| format!("cannot resolve {host}"))?;
        let address = addresses.next().with_context(|| format!("{host} has no address"))?;
        let base = url.path().trim_end_matches('/').to_owned();
        Ok(Self { address, host: format!("{host}:{port}"), base })
    }
}

/// The key of the run's tokens. Holds the secret: deliberately without `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Signing {
    /// HS256 secret.
    pub secret: String,
    /// The users' tenant.
    pub tenant: String,
    /// `iss`.
    pub issuer: Option<String>,
    /// `aud`.
    pub audience: Option<String>,
}

/// The users of one run: names that no other run has, and tokens for them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Users {
    /// How many.
    pub count: usize,
    run: String,
    signing: Signing,
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("count", &self.count).field("run", &self.run).finish_non_exhaustive()
    }
}

impl Users {
    /// Users of a new run.
    pub fn new(count: usize, signing: Signing) -> Self {
        Self { count, run: format!("{:08x}", rand::random::<u32>()), signing }
    }

    /// The number of the user whom notification `n` is for.
    pub fn of(&self, n: u64) -> usize {
        (n % self.count as u64) as usize
    }

    /// The id of a user, free of characters that JSON or a channel's name would escape.
    pub fn name(&self, user: usize) -> String {
        format!("bench-{}-{user}", self.run)
    }

    /// Its id within its tenant.
    ///
    /// # Errors
    /// When the tenant is none.
    pub fn key(&self, user: usize) -> anyhow::Result<UserKey> {
        Ok(UserKey { tenant: self.tenant().parse()?, user: self.name(user).parse()? })
    }

    /// The ids of these users.
    pub fn names(&self, users: impl IntoIterator<Item = usize>) -> Vec<String> {
        users.into_iter().map(|user| self.name(user)).collect()
    }

    /// The users' tenant.
    pub fn tenant(&self) -> &str {
        &self.signing.tenant
    }

    /// The secret of their tokens.
    pub fn secret(&self) -> &str {
        &self.signing.secret
    }

    /// A token for the requests of a user.
    ///
    /// # Errors
    /// When the secret is of no use.
    pub fn user_token(&self, user: usize) -> anyhow::Result<String> {
        self.token(&self.name(user), "")
    }

    /// A token that may publish.
    ///
    /// # Errors
    /// When the secret is of no use.
    pub fn publish_token(&self) -> anyhow::Result<String> {
        self.token(&format!("bench-{}", self.run), "publish")
    }

    /// A token that may do everything within the tenant.
    ///
    /// # Errors
    /// When the secret is of no use.
    pub fn admin_token(&self) -> anyhow::Result<String> {
        self.token(&format!("bench-{}", self.run), "admin")
    }

    fn token(&self, name: &str, scope: &str) -> anyhow::Result<String> {
        let Signing { secret, tenant, issuer, audience } = &self.signing;
        let minter = Minter::new(secret, tenant.parse()?, TOKEN_LIFETIME);
        minter.naming(issuer.clone(), audience.clone()).mint(name, scope)
    }
}
