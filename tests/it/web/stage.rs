//! The environment of a scenario. Its script, a process of node, asks for actions that only this side can do, by lines of JSON on
//! its standard output. The answers come on its standard input.

use std::{fs::File, io::read_to_string, process::Stdio};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
};

use crate::harness::{
    process::{Signal, mortal},
    *,
};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/web");

/// The requests of a script.
#[derive(Deserialize)]
#[serde(tag = "order", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
enum Order {
    /// A token of a user, good for so long.
    Token { user: String, scope: Option<String>, seconds: Option<i64> },
    /// Ends an instance as a crash does.
    Kill { instance: usize },
    /// Asks an instance to end, and waits until it has ended its streams and is gone.
    Terminate { instance: usize },
    /// Starts an instance again.
    Start { instance: usize },
    /// Ends Redis as a crash does.
    KillRedis,
    /// Starts Redis again, with nothing in it.
    StartRedis,
    /// Moves the time of the server on.
    Advance { seconds: f64 },
    /// Deletes the past of a user, so that clients must be reset.
    Forget { user: String },
    /// A proxy that holds streams back, before the same instances: its address.
    BufferingProxy,
    /// A proxy that serves everything below `/tidings`: its address with this path.
    SubPathProxy,
    /// A proxy that does not pass on the host that the client asked for: its address.
    HidingProxy,
}

#[derive(Deserialize)]
struct Request {
    id: u64,
    order: Order,
}

struct Stage {
    proxies: Vec<Nginx>,
    cluster: Cluster,
}

/// Plays a script of `tests/web` to its end; panics with its output when it fails.
pub async fn play(name: &str) {
    let plan = cluster().instances(3).set("TIDINGS_JWT_LEEWAY_SECONDS", "0");
    // A busy machine must not look like a dead connection where connections are counted.
    let cluster = plan.set("TIDINGS_HEARTBEAT_SECONDS", "3").start().await;
    let proxies = vec![Nginx::before(&cluster.instances).await];
    let mut stage = Stage { proxies, cluster };
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    let mut script = start(name, File::create(&output).unwrap());
    let mut answers = script.stdin.take().unwrap();
    let mut requests = BufReader::new(script.stdout.take().unwrap()).lines();
    tell(&mut answers, &stage.describe()).await;
    while let Some(line) = requests.next_line().await.unwrap() {
        let Request { id, order } = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let answer = stage.carry_out(order).await;
        tell(&mut answers, &json!({"id": id, "answer": answer})).await;
    }
    let status = in_time("the script ends", script.wait()).await.unwrap();
    let printed = read_to_string(File::open(output).unwrap()).unwrap();
    assert!(status.success(), "tests/web/{name}.js:\n{printed}");
}

fn start(name: &str, output: File) -> Child {
    let mut command = Command::from(mortal("node", Signal::KILL, None));
    command.arg(format!("{name}.js")).current_dir(SCRIPTS).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(output);
    command.spawn().expect("node")
}

/// A script that has ended receives nothing; its status shows how it ended.
async fn tell(script: &mut ChildStdin, what: &Value) {
    let _ = script.write_all(format!("{what}\n").as_bytes()).await;
}

impl Stage {
    fn describe(&self) -> Value {
        let instances: Vec<_> = self.cluster.instances.iter().map(Instance::base).collect();
        json!({"url": self.proxies[0].edge().base(), "instances": instances})
    }

    /// Keeps a proxy until the end; its address.
    fn proxy(&mut self, proxy: Nginx) -> Value {
        let base = json!(proxy.edge().base());
        self.proxies.push(proxy);
        base
    }

    async fn carry_out(&mut self, order: Order) -> Value {
        match order {
            Order::Token { user, scope, seconds } => {
                let token = Token::of(&user).scope(&scope.unwrap_or_default()).expires_in(seconds.unwrap_or(3600));
                // All tokens differ, so that a request shows which one it contains.
                return json!(token.claim("jti", json!(rand::random::<u64>().to_string())).sign());
            }
            Order::Kill { instance } => self.cluster.instances[instance].kill(),
            Order::Terminate { instance } => assert!(self.cluster.instances[instance].terminate().await.success()),
            Order::Start { instance } => self.cluster.instances[instance].restart().await,
            Order::KillRedis => self.cluster.redis().kill(),
            Order::StartRedis => self.cluster.redis().start_empty().await,
            Order::Advance { seconds } => {
                let advance = "update clock set shift = shift + make_interval(secs => $1)";
                self.cluster.postgres.connect().await.execute(advance, &[&seconds]).await.unwrap();
            }
            Order::Forget { user } => {
                let forget = "update streams set pruned_seq = head_seq where user_id = $1";
                self.cluster.postgres.connect().await.execute(forget, &[&user]).await.unwrap();
            }
            Order::BufferingProxy => return self.proxy(Nginx::buffering(&self.cluster.instances).await),
            Order::HidingProxy => return self.proxy(Nginx::hiding_the_host(&self.cluster.instances).await),
            Order::SubPathProxy => {
                let base = self.proxy(Nginx::below(&self.cluster.instances, "/tidings").await);
                return json!(format!("{}/tidings", base.as_str().unwrap()));
            }
        }
        Value::Null
    }
}
