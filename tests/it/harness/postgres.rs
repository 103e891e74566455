//! A Postgres server of a test's own: a copy of a migrated template, ready in a fraction of a second.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::ROOT;

use super::{
    eventually, free_port,
    process::{Process, Signal, mortal},
};

/// The language of a server that speaks no English, as a setting of it.
pub const GERMAN: &str = "lc_messages=de_DE.UTF-8";

/// A Postgres that may be restarted and crashed; its commits survive.
pub struct Postgres {
    process: Option<Process>,
    directory: TempDir,
    port: u16,
    options: Vec<String>,
}

impl Postgres {
    /// A server whose database has the schema already.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`Self::start`], with settings (`name=value`) of its own.
    pub async fn start_with(options: &[&str]) -> Self {
        let template = template().await;
        let directory = workspace();
        run_as_owner("cp", |copy| copy.arg("-a").arg(template.join("data")).arg(directory.path()));
        let options = options.iter().map(ToString::to_string).collect();
        let mut postgres = Self { process: None, directory, port: free_port(), options };
        postgres.resume().await;
        if options_speak_german(&postgres.options) {
            postgres.assert_german().await;
        }
        postgres
    }

    /// A standby of this server, which follows it.
    pub async fn standby(&self) -> Self {
        let directory = workspace();
        run_as_owner(binary("pg_basebackup"), |backup| {
            backup.args(["-R", "-X", "stream", "--checkpoint=fast", "--no-sync", "-d"]);
            backup.arg(self.url_of("postgres")).arg("-D").arg(directory.path().join("data"))
        });
        let mut standby = Self { process: None, directory, port: free_port(), options: self.options.clone() };
        standby.resume().await;
        standby
    }

    /// Makes a standby the primary.
    pub async fn promote(&self) {
        let promoted = self.connect().await.query_one("select pg_promote()", &[]).await.unwrap();
        assert!(promoted.get::<_, bool>(0), "the standby became the primary");
    }

    /// Ends the stream of changes from a primary: what it writes from now on does not reach this standby.
    pub async fn stop_following(&self, primary: &Self) {
        let client = self.connect().await;
        client.batch_execute("alter system set primary_conninfo = ''").await.unwrap();
        client.batch_execute("select pg_reload_conf()").await.unwrap();
        let primary = primary.connect().await;
        eventually("the standby has left", async || {
            let left = primary.query_one("select count(*) from pg_stat_replication", &[]).await.unwrap();
            (left.get::<_, i64>(0) == 0).then_some(())
        })
        .await;
    }

    /// A copy of the files of a server that does not run.
    pub fn copy_of_disk(&self) -> PathBuf {
        assert!(self.process.is_none(), "a running server changes its files");
        let copy = self.directory.path().join("copy");
        run_as_owner("cp", |command| command.arg("-a").arg(self.data()).arg(&copy));
        copy
    }

    /// Replaces the files of a server that does not run.
    pub fn put_back(&self, copy: &Path) {
        assert!(self.process.is_none(), "a running server changes its files");
        fs::remove_dir_all(self.data()).unwrap();
        run_as_owner("cp", |command| command.arg("-a").arg(copy).arg(self.data()));
    }

    /// A backup, as an operator makes it.
    pub fn dump(&self) -> PathBuf {
        let dump = self.directory.path().join("dump");
        run_as_owner(binary("pg_dump"), |command| {
            command.args(["--format=custom", "--file"]).arg(&dump).arg(self.url())
        });
        dump
    }

    /// Restores a backup into a new database of this name; answers its URL.
    pub fn restore(&self, dump: &Path, name: &str) -> String {
        let (main, restored) = (self.url_of("postgres"), self.url_of(name));
        run_as_owner(binary("createdb"), |command| command.arg(format!("--maintenance-db={main}")).arg(name));
        run_as_owner(binary("pg_restore"), |command| {
            command.args(["--exit-on-error", "--no-owner"]).arg(format!("--dbname={restored}")).arg(dump)
        });
        restored
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// As a setting of an instance.
    pub fn url(&self) -> String {
        self.url_of("tidings")
    }

    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://tidings@127.0.0.1:{}/{database}", self.port)
    }

    /// Everything it has written to its log.
    pub fn log(&self) -> String {
        self.process.as_ref().expect("Postgres runs").log()
    }

    /// The directory of its files, its certificate for example.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Ends it as an operator would: running transactions are rolled back.
    pub async fn stop(&mut self) {
        self.end(Signal::INT).await;
    }

    /// Ends it without a checkpoint: the next start recovers from the log.
    pub async fn crash(&mut self) {
        self.end(Signal::QUIT).await;
    }

    /// Starts it again.
    pub async fn resume(&mut self) {
        self.process = Some(self.spawn());
        eventually("Postgres answers", async || {
            tokio_postgres::connect(&self.url_of("postgres"), NoTls).await.ok().map(drop)
        })
        .await;
    }

    /// A connection of the test's own.
    pub async fn connect(&self) -> tokio_postgres::Client {
        connect(&self.url()).await
    }

    /// A server without its translations would let tests of another language pass.
    async fn assert_german(&self) {
        let error = self.connect().await.batch_execute("select 1 / 0").await.unwrap_err();
        let message = error.as_db_error().unwrap().message();
        assert_eq!(message, "Division durch Null", "the installed Postgres has no German messages");
    }

    async fn end(&mut self, signal: Signal) {
        let mut process = self.process.take().expect("Postgres runs");
        process.signal(signal);
        process.exit().await;
    }

    fn spawn(&self) -> Process {
        let data = self.data();
        let mut command = mortal(binary("postgres"), Signal::QUIT, account());
        command.arg("-D").arg(&data).arg("-k").arg(&data).args(["-p", &self.port.to_string()]);
        // Committed data outlive the process either way; only the machine's own crash is not survived.
        for option in ["fsync=off", "full_page_writes=off", "listen_addresses=127.0.0.1", "max_connections=60"] {
            command.args(["-c", option]);
        }
        for option in &self.options {
            command.args(["-c", option]);
        }
        if options_speak_german(&self.options) {
            command.env("LOCPATH", locales());
        }
        command.current_dir("/");
        Process::spawn("postgres", &mut command, &self.directory.path().join("log"), Signal::QUIT)
    }
}

fn options_speak_german(options: &[String]) -> bool {
    options.iter().any(|option| option == GERMAN)
}

/// A directory with the German locale, compiled once per checkout: few machines have it.
fn locales() -> PathBuf {
    let checkout = fingerprint(env!("CARGO_MANIFEST_DIR"));
    let home = std::env::temp_dir().join(format!("tidings-locales-{checkout:016x}"));
    let lock = File::create(home.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let locale = home.join("de_DE.UTF-8");
    if !locale.exists() {
        let _ = fs::remove_dir_all(&home);
        fs::create_dir(&home).unwrap();
        give_to_owner(&home);
        let half = home.join("half");
        run_as_owner("localedef", |localedef| {
            localedef.args(["--no-archive", "-i", "de_DE", "-f", "UTF-8"]).arg(&half)
        });
        fs::rename(half, &locale).unwrap();
    }
    home
}

/// Connects, and drives the connection until the client is dropped.
pub async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The directory of the migrated cluster, made once per checkout and again when the migrations change. Tests run in
/// processes of their own, so a lock file keeps them from making it at the same time.
async fn template() -> PathBuf {
    let checkout = fingerprint(fs::canonicalize(ROOT).unwrap());
    let home = std::env::temp_dir().join(format!("tidings-template-{checkout:016x}"));
    let lock = File::create(home.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    // A binary that is older than the files migrates otherwise than they say.
    let built = fs::metadata(crate::tidings()).unwrap().modified().unwrap();
    let stamp = format!("{:016x} {built:?} {}", migrations(), binary("postgres").display());
    if fs::read_to_string(home.join("stamp")).is_ok_and(|found| found == stamp) {
        return home;
    }
    let _ = fs::remove_dir_all(&home);
    fs::create_dir(&home).unwrap();
    give_to_owner(&home);
    make_template(&home).await;
    fs::write(home.join("stamp"), stamp).unwrap();
    home
}

async fn make_template(home: &Path) {
    run_as_owner(binary("initdb"), |initdb| {
        initdb.args(["--no-sync", "--auth=trust", "--no-instructions", "--wal-segsize=1", "--username=tidings"]);
        initdb.args(["--encoding=UTF8", "--locale=C"]).arg("-D").arg(home.join("data"))
    });
    let directory = workspace();
    fs::rename(home.join("data"), directory.path().join("data")).unwrap();
    let mut postgres = Postgres { process: None, directory, port: free_port(), options: Vec::new() };
    postgres.resume().await;
    connect(&postgres.url_of("postgres")).await.batch_execute("create database tidings").await.unwrap();
    let migrate = Command::new(crate::tidings()).arg("migrate").env("DATABASE_URL", postgres.url()).output().unwrap();
    assert!(migrate.status.success(), "{}", String::from_utf8_lossy(&migrate.stderr));
    postgres.stop().await;
    fs::rename(postgres.data(), home.join("data")).unwrap();
}

fn migrations() -> u64 {
    let mut files: Vec<_> = walk(&Path::new(ROOT).join("migrations"));
    files.sort();
    fingerprint(files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect::<Vec<_>>())
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

fn fingerprint(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// A directory that the server's account may enter.
fn workspace() -> TempDir {
    let directory = tempfile::Builder::new().prefix("tidings-postgres-").tempdir().unwrap();
    give_to_owner(directory.path());
    directory
}

/// Postgres refuses to run as root, so root runs it as the account that its package made.
pub fn account() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("postgres")
}

/// Makes the account that Postgres runs as the owner.
pub fn give_to_owner(path: &Path) {
    let Some(account) = account() else { return };
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let line = accounts.lines().find(|line| line.starts_with(&format!("{account}:"))).expect("an account for Postgres");
    let ids: Vec<u32> = line.split(':').skip(2).take(2).map(|id| id.parse().unwrap()).collect();
    std::os::unix::fs::chown(path, Some(ids[0]), Some(ids[1])).unwrap();
}

fn run_as_owner(program: impl AsRef<std::ffi::OsStr>, arguments: impl FnOnce(&mut Command) -> &mut Command) {
    let mut command = mortal(program.as_ref(), Signal::KILL, account());
    let output = arguments(&mut command).current_dir("/").output().unwrap();
    assert!(output.status.success(), "{}: {}", program.as_ref().display(), String::from_utf8_lossy(&output.stderr));
}

/// A program of the newest installed Postgres.
fn binary(name: &str) -> PathBuf {
    let major = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map(|entry| entry.unwrap().path());
    match installed.max_by_key(major) {
        Some(newest) => newest.join("bin").join(name),
        None => PathBuf::from(name),
    }
}
