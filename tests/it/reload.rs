//! A hangup makes an instance read its files again; the delay before a drain.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    harness::{instance::setting, process::Signal, token::SECRET, *},
    tls,
};

const NEW: &str = "the-secret-that-takes-the-place-of-the-first-one";
const ONE: &str = "https://one.example.com";
const TWO: &str = "https://two.example.com";

/// The files of an instance.
struct Files(tempfile::TempDir);

impl Files {
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(Path::new(&self.path(name)), text).unwrap();
    }

    /// An instance with these settings and a secret, a file of kinds and a URL of its database in files of their own.
    async fn instance(&self, postgres: &Postgres, settings: &str) -> Instance {
        self.write("settings", settings);
        self.write("secret", &format!("{SECRET}\n"));
        self.write("kinds", "[order]\npriority = 'high'\n");
        self.write("url", &postgres.url());
        let names = ["settings", "secret", "kinds", "url"].map(|name| self.path(name));
        let [settings, secret, kinds, url] = names.each_ref().map(String::as_str);
        Instance::start(&[
            ("RUST_LOG", ""),
            (setting::SECRET, ""),
            ("TIDINGS_CONFIG", settings),
            ("TIDINGS_JWT_SECRET_FILE", secret),
            ("TIDINGS_KINDS_FILE", kinds),
            ("DATABASE_URL_FILE", url),
        ])
        .await
    }
}

fn files() -> Files {
    Files(tempfile::tempdir().unwrap())
}

/// Sends a hangup, and waits for one more line of the log with these words.
async fn reload(instance: &Instance, words: &str) {
    let before = instance.log().matches(words).count();
    instance.signal(Signal::HUP);
    eventually(words, async || (instance.log().matches(words).count() > before).then_some(())).await;
}

/// The origin that may call, as the answer to one says.
async fn allowed(edge: &Edge, origin: &str) -> String {
    let request = edge.nobody().request(reqwest::Method::GET, "/health").header("Origin", origin);
    Answer::of(request).await.header("access-control-allow-origin").to_owned()
}

async fn kind(edge: &Edge, token: &str, name: &str) -> Value {
    edge.bearer(token).get(&format!("/api/kinds/{name}")).await.expect(200)["origin"].clone()
}

#[tokio::test]
async fn a_hangup_takes_over_secrets_kinds_origins_and_the_log_and_ends_nothing() {
    let (postgres, files) = (Postgres::start().await, files());
    let instance = files.instance(&postgres, &format!("cors-origins = ['{ONE}']\nlog = 'info'\n")).await;
    let (edge, pid) = (instance.edge(), instance.pid());
    let old = Token::of("u1").scope("publish").sign();
    let new = Token::of("u1")
        .scope("publish")
        .sign_with(jsonwebtoken::Algorithm::HS256, &jsonwebtoken::EncodingKey::from_secret(NEW.as_bytes()));
    let mut stream = edge.bearer(&old).stream().await;
    stream.hello().await;
    edge.bearer(&new).get("/api/notifications").await.problem(401);
    assert_eq!((allowed(&edge, ONE).await.as_str(), allowed(&edge, TWO).await.as_str()), (ONE, ""));
    assert_eq!(kind(&edge, &old, "order").await, "seed");

    files.write("settings", &format!("cors-origins = ['{TWO}']\nlog = 'debug'\nwriters = 1\nmax-replay = 7\n"));
    files.write("secret", &format!("{NEW}\n"));
    files.write("kinds", "[call]\npriority = 'high'\n");
    reload(&instance, "reloaded: cors-origins, jwt-secret, kinds-file, log").await;
    assert!(instance.log().contains("needs a restart: max-replay, writers"), "{}", instance.log());
    edge.bearer(&old).get("/api/notifications").await.problem(401);
    edge.bearer(&new).get("/api/notifications").await.expect(200);
    assert_eq!((allowed(&edge, ONE).await.as_str(), allowed(&edge, TWO).await.as_str()), ("", TWO));
    assert_eq!([kind(&edge, &new, "order").await, kind(&edge, &new, "call").await], ["default", "seed"]);
    assert!(instance.log().contains("DEBUG"), "{}", instance.log());

    files.write("settings", "cors-origins = ['*']\nlog = 'info'\n");
    reload(&instance, "reloaded: cors-origins, log").await;
    assert_eq!(allowed(&edge, ONE).await, "*");
    files.write("settings", "");
    reload(&instance, "reloaded: cors-origins, log").await;
    assert_eq!(allowed(&edge, ONE).await, "");
    reload(&instance, "reloaded: nothing has changed").await;
    edge.bearer(&new).publish(&json!({"users": ["u1"], "title": "still here"})).await.expect(201);
    stream.titles(1).await;
    assert_eq!(instance.pid(), pid);
    for secret in [SECRET, NEW] {
        assert!(!instance.log().contains(secret));
    }
}

#[tokio::test]
async fn a_bad_new_value_keeps_all_old_ones_and_is_named() {
    let (postgres, files) = (Postgres::start().await, files());
    let instance = files.instance(&postgres, "log = 'info'\n").await;
    let (edge, good) = (instance.edge(), Token::of("u1").sign());
    let unchanged = async || {
        edge.bearer(&good).get("/api/notifications").await.expect(200);
        assert_eq!(kind(&edge, &good, "order").await, "seed");
        assert_eq!(allowed(&edge, ONE).await, "");
    };
    files.write("kinds", "[call]\npriority = 'high'\n");
    files.write("settings", &format!("log = 'info'\ncors-origins = ['{ONE}']\n"));
    files.write("secret", "short\n");
    reload(&instance, "secret: line 1 has fewer than 32 bytes").await;
    assert!(instance.log().contains("nothing is reloaded"), "{}", instance.log());
    unchanged().await;
    // Only its use shows that this is no key.
    let no_key = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    files.write("secret", &format!("{SECRET}\n"));
    files.write("settings", &format!("log = 'info'\ncors-origins = ['{ONE}']\njwt-public-key = '''\n{no_key}'''\n"));
    reload(&instance, "nothing is reloaded: jwt-public-key").await;
    unchanged().await;
    files.write("settings", "log = 'a=b=c'\n");
    reload(&instance, "log (TIDINGS_LOG)").await;
    unchanged().await;
    files.write("settings", "log = 'info'\n");
    reload(&instance, "reloaded: kinds-file").await;
    assert_eq!(kind(&edge, &good, "call").await, "seed");
}

#[tokio::test]
async fn new_connections_use_the_new_login_of_the_database_and_another_database_needs_a_restart() {
    let (postgres, files) = (Postgres::start().await, files());
    let instance = files.instance(&postgres, "").await;
    let client = postgres.connect().await;
    client.batch_execute("create role second superuser login").await.unwrap();
    files.write("url", &postgres.url().replace("tidings@", "second:word@"));
    reload(&instance, "reloaded: database-url").await;
    let others = "from pg_stat_activity where application_name = 'tidings'";
    client.execute(&format!("select pg_terminate_backend(pid) {others}"), &[]).await.unwrap();
    eventually("all connections have the new login", async || {
        instance.edge().publisher().notify("u1", "t").await;
        let users = client.query(&format!("select distinct usename::text {others}"), &[]).await.unwrap();
        let users: Vec<String> = users.iter().map(|row| row.get(0)).collect();
        (users == ["second"]).then_some(())
    })
    .await;
    files.write("url", &postgres.url_of("postgres"));
    reload(&instance, "needs a restart: database-url").await;
    instance.edge().publisher().notify("u1", "t").await;
    assert!(!instance.log().contains("word"), "{}", instance.log());
}

#[tokio::test]
async fn a_url_of_the_database_that_comes_or_goes_needs_a_restart() {
    let (postgres, files) = (Postgres::start().await, files());
    let url = postgres.url();
    for (before, after) in [(url.as_str(), ""), ("", url.as_str())] {
        let line = |url: &str| if url.is_empty() { String::new() } else { format!("database-url = '{url}'\n") };
        files.write("settings", &line(before));
        let instance = Instance::start(&[("RUST_LOG", "info"), ("TIDINGS_CONFIG", &files.path("settings"))]).await;
        files.write("settings", &line(after));
        reload(&instance, "needs a restart: database-url").await;
        instance.edge().publisher().notify("u1", "t").await;
        files.write("settings", &line(before));
        reload(&instance, "reloaded: nothing has changed").await;
        assert_eq!(instance.log().matches("needs a restart").count(), 1, "{}", instance.log());
    }
}

#[tokio::test]
async fn new_connections_check_the_database_against_the_new_root() {
    let directory = tempfile::tempdir().unwrap();
    let postgres = tls::secured(directory.path()).await;
    let [certificate, root] = ["server.crt", "root.crt"].map(|name| directory.path().join(name));
    fs::copy(&certificate, &root).unwrap();
    let url = format!("{}?sslmode=verify-full&sslrootcert={}", postgres.url(), root.display());
    let instance = Instance::start(&[("RUST_LOG", "info"), ("DATABASE_URL", &url)]).await;
    let (publisher, client) = (instance.edge().publisher(), postgres.connect().await);
    publisher.notify("u1", "first").await;

    tls::certificate(directory.path());
    client.batch_execute("select pg_reload_conf()").await.unwrap();
    let end_all = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tidings'";
    let message = json!({"users": ["u1"], "title": "next"});
    eventually("the server's new certificate is refused", async || {
        client.execute(end_all, &[]).await.unwrap();
        (publisher.publish(&message).await.status == 503).then_some(())
    })
    .await;

    fs::copy(&certificate, &root).unwrap();
    reload(&instance, "reloaded: sslrootcert").await;
    eventually("it is accepted", async || (publisher.publish(&message).await.status == 201).then_some(())).await;
}

#[tokio::test]
async fn an_instance_accepts_streams_before_the_drain_while_it_is_not_ready() {
    let cluster = cluster().set("TIDINGS_DRAIN_DELAY_SECONDS", "3").start().await;
    let (edge, mut instances) = (cluster.edge(), cluster.instances);
    let mut early = edge.user("u1").stream().await;
    early.hello().await;
    instances[0].signal(Signal::TERM);
    instances[0].signal(Signal::HUP);
    eventually("it is not ready", async || (edge.nobody().get("/health/ready").await.status == 503).then_some(()))
        .await;
    let mut late = edge.user("u2").stream().await;
    late.hello().await;
    edge.publisher().notify("u2", "t").await;
    late.titles(1).await;
    assert_eq!(edge.nobody().get("/health").await.expect(200)["status"], "draining");
    drop((early, late));
    assert_eq!(instances[0].exit().await.code(), Some(0));
}
