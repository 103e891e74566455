//! The PostgreSQL that runs inside the process when no server is configured.
//!
//! It serves one connection at a time on a unix socket in its own directory (mode 0700), or on a loopback port
//! where there are no unix sockets. Its listener asks for no password, so the directory's mode protects it.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use pglite_oxide::PgliteServer;

use crate::config::DatabaseSettings;

pub(crate) struct Embedded {
    server: Option<PgliteServer>,
}

impl Embedded {
    /// Starts it on `data_dir`, made if missing.
    ///
    /// # Errors
    /// When another process has the directory, or the database does not start.
    pub(crate) async fn start(data_dir: &Path) -> anyhow::Result<Self> {
        let data_dir = data_dir.to_owned();
        let server = tokio::task::spawn_blocking(move || start_blocking(&data_dir)).await??;
        Ok(Self { server: Some(server) })
    }

    pub(crate) fn settings(&self) -> DatabaseSettings {
        let url = self.server.as_ref().map(PgliteServer::database_url).unwrap_or_default();
        DatabaseSettings {
            url: url.into(),
            // A second connection would wait for the first to close.
            pool_size: 1,
            statement_timeout: Duration::from_secs(30),
            migrate: true,
        }
    }
}

impl Drop for Embedded {
    /// The server's own drop joins a thread that waits for the last client to leave, which may never happen on a stop.
    /// Every commit is in the files already, so the process just ends.
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            std::mem::forget(server);
        }
    }
}

fn start_blocking(data_dir: &Path) -> anyhow::Result<PgliteServer> {
    let postgres = data_dir.join("postgres");
    std::fs::create_dir_all(&postgres).with_context(|| format!("cannot make {}", postgres.display()))?;
    let data_dir = data_dir.canonicalize().with_context(|| format!("cannot open {}", data_dir.display()))?;
    make_private(&data_dir)?;
    let builder = PgliteServer::builder().path(data_dir.join("postgres"));
    with_endpoint(builder, &data_dir)?.start().with_context(|| {
        format!("cannot start the embedded database in {} (does another process use it?)", data_dir.display())
    })
}

#[cfg(unix)]
fn make_private(directory: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))
        .with_context(|| format!("cannot make {} private", directory.display()))
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn with_endpoint(
    builder: pglite_oxide::PgliteServerBuilder,
    data_dir: &Path,
) -> anyhow::Result<pglite_oxide::PgliteServerBuilder> {
    /// The kernel's bound for the path of a unix socket, with its final zero.
    const LONGEST: usize = 107;
    let socket = data_dir.join(".s.PGSQL.5432");
    anyhow::ensure!(
        socket.as_os_str().len() <= LONGEST,
        "the path of the data directory is too long for a unix socket: {} (choose a shorter one by TIDINGS_DATA_DIR)",
        data_dir.display()
    );
    Ok(builder.unix(socket))
}

#[cfg(not(unix))]
fn with_endpoint(
    builder: pglite_oxide::PgliteServerBuilder,
    _: &Path,
) -> anyhow::Result<pglite_oxide::PgliteServerBuilder> {
    Ok(builder)
}
