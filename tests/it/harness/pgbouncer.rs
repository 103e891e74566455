//! A `PgBouncer` before a Postgres.

use std::{fs, net::TcpStream};

use tempfile::TempDir;

use super::{
    Postgres, eventually, free_port,
    postgres::{account, give_to_owner},
    process::{Process, Signal, mortal},
};

/// A running `PgBouncer`.
pub struct PgBouncer {
    _process: Process,
    port: u16,
    _directory: TempDir,
}

impl PgBouncer {
    /// Starts it in a mode: `session` or `transaction`.
    pub async fn before(postgres: &Postgres, mode: &str) -> Self {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        give_to_owner(directory.path());
        let (users, file) = (directory.path().join("users"), directory.path().join("pgbouncer.ini"));
        fs::write(&users, "\"tidings\" \"\"\n").unwrap();
        let configuration = format!(
            "[databases]\ntidings = host=127.0.0.1 port={} dbname=tidings\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\n\
             default_pool_size = 40\nmax_client_conn = 200\nignore_startup_parameters = extra_float_digits\n",
            postgres.port(),
            users.display()
        );
        fs::write(&file, configuration).unwrap();
        let mut command = mortal("pgbouncer", Signal::TERM, account());
        command.arg(&file).current_dir("/");
        let process = Process::spawn("pgbouncer", &mut command, &directory.path().join("log"), Signal::TERM);
        eventually("PgBouncer listens", async || TcpStream::connect(("127.0.0.1", port)).ok()).await;
        Self { _process: process, port, _directory: directory }
    }

    /// As a setting of an instance.
    pub fn url(&self) -> String {
        format!("postgres://tidings@127.0.0.1:{}/tidings", self.port)
    }
}
