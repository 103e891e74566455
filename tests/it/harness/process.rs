//! A process that a test started: it never outlives the test, and its output is shown when the test fails.

use std::{
    ffi::OsStr,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use super::eventually;

/// Lines of output shown when a test fails.
const SHOWN_LINES: usize = 60;

/// A running child process.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    farewell: Signal,
}

/// Prepares `program` so that the kernel sends it `farewell` should the test's thread die without saying so.
pub fn mortal(program: impl AsRef<OsStr>, farewell: Signal, account: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", name(farewell)]);
    if let Some(account) = account {
        command.args(["--reuid", account, "--regid", account, "--clear-groups"]);
    }
    command.arg("--").arg(program);
    command
}

fn name(farewell: Signal) -> &'static str {
    match farewell {
        Signal::KILL => "KILL",
        Signal::QUIT => "QUIT",
        Signal::TERM => "TERM",
        other => panic!("{other:?} is no farewell"),
    }
}

impl Process {
    /// Starts `command` with its output appended to `log`; `farewell` is the signal that ends it quickly and cleanly.
    pub fn spawn(name: &str, command: &mut Command, log: &Path, farewell: Signal) -> Self {
        let output = File::options().create(true).append(true).open(log).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output).stdin(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self { name: name.to_owned(), child, log: log.to_owned(), farewell }
    }

    /// Everything it has printed, also in earlier lives with the same log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid(), signal);
    }

    /// Ends it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub async fn exit(&mut self) -> ExitStatus {
        let what = format!("{} ends", self.name);
        eventually(&what, async || self.exited()).await
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let alive = self.exited().is_none();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
            eprintln!("---- {} ({}) ----\n{}", self.name, if alive { "alive" } else { "ended" }, tail.join("\n"));
        }
        if alive {
            // A stopped process would not receive the signal.
            self.signal(self.farewell);
            self.signal(Signal::CONT);
            let _ = self.child.wait();
        }
    }
}
