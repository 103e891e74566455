//! One shell, as a reader of a page uses it from top to bottom.

use std::{fs::File, path::Path, process::Stdio};

use rustix::process::{Pid, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::harness::{
    in_time,
    process::{Signal, mortal},
};

const OUTPUT: &str = "output";
const ERRORS: &str = "errors";

/// A shell in a directory; its processes end with it.
pub struct Session<'a> {
    bash: Child,
    commands: ChildStdin,
    ends: Lines<BufReader<ChildStdout>>,
    directory: &'a Path,
    blocks: usize,
}

/// The output of a block so far: others may still be printing.
pub struct Printed {
    begin: usize,
    /// Whether it succeeded.
    pub succeeded: bool,
}

impl<'a> Session<'a> {
    /// Starts it, with only this environment.
    pub async fn start(directory: &'a Path, environment: &[(&str, String)]) -> Self {
        // A shell that dies of this signal still ends its background processes.
        let mut command = mortal("bash", Signal::TERM, None);
        command.args(["--noprofile", "--norc", "-s"]).current_dir(directory).env_clear();
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let errors = File::create(directory.join(ERRORS)).unwrap();
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).process_group(0);
        let mut bash = command.spawn().expect("bash");
        let (commands, ends) = (bash.stdin.take().unwrap(), BufReader::new(bash.stdout.take().unwrap()).lines());
        File::create(directory.join(OUTPUT)).unwrap();
        let mut session = Self { bash, commands, ends, directory, blocks: 0 };
        session.send("trap 'kill $(jobs -p) 2>/dev/null' EXIT; set -euo pipefail\n").await;
        session
    }

    /// Runs a block to its end. One that fails ends the shell, unless it is `tried`: it can be run again.
    pub async fn run(&mut self, text: &str, tried: bool) -> Printed {
        self.blocks += 1;
        let (name, begin) = (format!("block-{}", self.blocks), self.output().len());
        std::fs::write(self.directory.join(&name), text).unwrap();
        let block = format!("source ./{name} </dev/null >>{OUTPUT} 2>>{ERRORS}");
        let line = if tried { format!("{block} || true; echo\n") } else { format!("{block}\necho\n") };
        self.send(&line).await;
        let end = in_time("the block ends", self.ends.next_line()).await.unwrap();
        Printed { begin, succeeded: end.is_some() }
    }

    /// The output since a block began.
    pub fn printed(&self, printed: &Printed) -> String {
        self.output()[printed.begin..].to_owned()
    }

    /// The standard error of all blocks.
    pub fn errors(&self) -> String {
        self.read(ERRORS)
    }

    fn output(&self) -> String {
        self.read(OUTPUT)
    }

    fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(self.directory.join(name)).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    async fn send(&mut self, line: &str) {
        // A shell that has failed reads no more: the end of its output shows it.
        let _ = self.commands.write_all(line.as_bytes()).await;
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let group = self.bash.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
