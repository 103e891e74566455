//! The real binary as a process.

use std::{collections::BTreeMap, path::Path, process::ExitStatus, time::Duration};

use tempfile::TempDir;

use super::{
    Edge, eventually, free_port, in_time,
    process::{Process, Signal, mortal},
    token::SECRET,
};

/// The settings by name that tests change most; the server's own `--help` lists them all.
pub mod setting {
    pub const DATABASE: &str = "DATABASE_URL";
    pub const REDIS: &str = "REDIS_URL";
    pub const LISTEN: &str = "TIDINGS_LISTEN";
    pub const DATA_DIR: &str = "TIDINGS_DATA_DIR";
    pub const SECRET: &str = "TIDINGS_JWT_SECRET";
}

const TAKEOVER: &str = "TIDINGS_STREAM_TAKEOVER";

/// An instance that may be killed, drained and started again at the same address.
pub struct Instance {
    process: Option<Process>,
    settings: BTreeMap<String, String>,
    port: u16,
    directory: TempDir,
}

impl Instance {
    /// Starts an instance and waits until it is ready.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let mut instance = Self::new(settings);
        instance.restart().await;
        instance
    }

    /// An instance that was not started yet: the tests' secret and a quick pace, then `settings` over them.
    pub fn new(settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut own = BTreeMap::from([
            (setting::LISTEN.to_owned(), format!("127.0.0.1:{port}")),
            (setting::SECRET.to_owned(), SECRET.to_owned()),
            (setting::DATA_DIR.to_owned(), directory.path().join("data").display().to_string()),
            ("RUST_LOG".to_owned(), "info".to_owned()),
            ("TIDINGS_RETRY_MS".to_owned(), "20".to_owned()),
            ("TIDINGS_HEARTBEAT_SECONDS".to_owned(), "1".to_owned()),
            ("TIDINGS_PROBE_SECONDS".to_owned(), "0.5".to_owned()),
            ("TIDINGS_DRAIN_SECONDS".to_owned(), "3".to_owned()),
            ("TIDINGS_POOL_SIZE".to_owned(), "4".to_owned()),
        ]);
        // Set for a run of the tests in which the HTTP server itself writes the streams.
        own.extend(std::env::var(TAKEOVER).ok().map(|value| (TAKEOVER.to_owned(), value)));
        own.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        own.retain(|_, value| !value.is_empty());
        Self { process: None, settings: own, port, directory }
    }

    /// Changes a setting of its next life; an empty value is none.
    pub fn set(&mut self, name: &str, value: &str) {
        match value {
            "" => self.settings.remove(name),
            value => self.settings.insert(name.to_owned(), value.to_owned()),
        };
    }

    /// Starts it without a wait.
    pub fn launch(&mut self) {
        self.launch_with(&["serve"]);
    }

    /// Starts it with these words on the command line.
    pub fn launch_with(&mut self, arguments: &[&str]) {
        self.launch_program(&crate::tidings(), arguments);
    }

    /// Starts another program instead, with its settings.
    pub fn launch_program(&mut self, program: &Path, arguments: &[&str]) {
        let mut command = mortal(program, Signal::KILL, None);
        command.args(arguments).current_dir(self.directory.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(&self.settings);
        self.process = Some(Process::spawn("tidings", &mut command, &self.directory.path().join("log"), Signal::KILL));
    }

    /// Starts it (again) and waits until it is ready.
    pub async fn restart(&mut self) {
        self.launch();
        self.ready().await;
    }

    /// Waits until it takes streams; panics when it ends instead.
    pub async fn ready(&mut self) {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        let url = format!("{}/health/ready", self.base());
        let process = self.process.as_mut().expect("launched");
        eventually("the instance is ready", async || {
            let ended = process.exited();
            assert!(ended.is_none(), "the instance ended with {ended:?}");
            http.get(&url).send().await.ok()?.status().is_success().then_some(())
        })
        .await;
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its HTTP side.
    pub fn edge(&self) -> Edge {
        Edge::new(&self.base())
    }

    /// Its process' number.
    pub fn pid(&self) -> i32 {
        self.process.as_ref().expect("it runs").pid().as_raw_pid()
    }

    /// Everything it has printed in all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// The directory of its data when it is alone.
    #[allow(dead_code, reason = "of the tests of the embedded database only")]
    pub fn data_dir(&self) -> &str {
        &self.settings[setting::DATA_DIR]
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("it runs").signal(signal);
    }

    /// Asks it to end and waits until it has.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exit().await
    }

    /// Waits for its end.
    pub async fn exit(&mut self) -> ExitStatus {
        in_time("the instance ends", self.process.as_mut().expect("launched").exit()).await
    }
}
