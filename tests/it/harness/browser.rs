//! A real browser without a window, driven over a pipe by its own debugging protocol.

use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{
    eventually, in_time,
    process::{Signal, mortal},
};

const OPTIONS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// A running Chromium.
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    calls: u64,
    profile: TempDir,
}

/// An open tab.
pub struct Tab(String);

impl Browser {
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::from(mortal("sh", Signal::KILL, None));
        // The protocol is spoken on descriptors 3 and 4.
        command.args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>&2"#, "chromium"]).args(OPTIONS);
        command.arg(format!("--user-data-dir={}", profile.path().display())).env("HOME", profile.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("a browser");
        let (commands, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, commands, answers, calls: 0, profile }
    }

    /// Opens a tab, in a window of its own: a tab behind another one is not drawn.
    pub async fn open(&mut self, url: &str) -> Tab {
        self.create(json!({"url": url, "newWindow": true})).await
    }

    /// Opens a tab before the last one, which is hidden by it.
    pub async fn cover(&mut self, url: &str) -> Tab {
        self.create(json!({"url": url})).await
    }

    async fn create(&mut self, tab: Value) -> Tab {
        let target = self.call(None, "Target.createTarget", tab).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.call(None, "Target.attachToTarget", attach).await;
        Tab(session["sessionId"].as_str().expect("a session").to_owned())
    }

    /// The value of a JavaScript expression in a tab; a promise is awaited.
    pub async fn evaluate(&mut self, tab: &Tab, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.call(Some(tab), "Runtime.evaluate", parameters).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Stops all work of a tab, as browsers do with a tab that is hidden for a while; only hidden tabs can be frozen.
    pub async fn freeze(&mut self, tab: &Tab) {
        self.call(Some(tab), "Page.setWebLifecycleState", json!({"state": "frozen"})).await;
    }

    /// Lets a frozen tab go on.
    pub async fn thaw(&mut self, tab: &Tab) {
        self.call(Some(tab), "Page.setWebLifecycleState", json!({"state": "active"})).await;
    }

    /// Waits until an expression is true in a tab.
    pub async fn until(&mut self, tab: &Tab, expression: &str) {
        eventually(expression, async || (self.evaluate(tab, expression).await == true).then_some(())).await;
    }

    /// Ends it and removes its files.
    pub async fn close(mut self) {
        self.send(None, "Browser.close", json!({})).await;
        in_time("the browser ends", self.child.wait()).await.unwrap();
        drop(self.profile);
    }

    async fn call(&mut self, tab: Option<&Tab>, method: &str, parameters: Value) -> Value {
        let id = self.send(tab, method, parameters).await;
        loop {
            let answer = in_time(method, self.receive()).await;
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    async fn send(&mut self, tab: Option<&Tab>, method: &str, parameters: Value) -> u64 {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(Tab(session)) = tab {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).await.expect("the browser listens");
        self.calls
    }

    async fn receive(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.answers.read_until(0, &mut bytes).await.expect("the browser answers");
        bytes.pop();
        serde_json::from_slice(&bytes).expect("an answer of the browser")
    }
}
