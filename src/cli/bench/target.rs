//! The servers under load and the users of one run.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use url::Url;

use crate::cli::minter::Minter;

/// One server's address, resolved once.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where to connect.
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

/// The users of one run: names that no other run has, and tokens for them.
pub struct Users {
    /// How many.
    pub count: usize,
    run: String,
    minter: Minter,
}

impl Users {
    /// Users of a new run.
    pub fn new(count: usize, minter: Minter) -> Self {
        Self { count, run: format!("{:08x}", rand::random::<u32>()), minter }
    }

    /// The number of the user whom notification `n` is for.
    pub fn of(&self, n: u64) -> usize {
        (n % self.count as u64) as usize
    }

    /// The id of a user, free of characters that JSON or a channel's name would escape.
    pub fn name(&self, user: usize) -> String {
        format!("bench-{}-{user}", self.run)
    }

    /// A token for a user's stream.
    ///
    /// # Errors
    /// When the secret is of no use.
    pub fn stream_token(&self, user: usize) -> anyhow::Result<String> {
        self.minter.mint(&self.name(user), "")
    }

    /// A token that may publish.
    ///
    /// # Errors
    /// When the secret is of no use.
    pub fn publish_token(&self) -> anyhow::Result<String> {
        self.minter.mint(&format!("bench-{}", self.run), "publish")
    }
}
