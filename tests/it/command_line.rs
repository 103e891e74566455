//! The command line: settings, exit codes, and errors that a user can act on.

use serde_json::json;

use crate::harness::{instance::setting, *};

/// Runs to the end and answers the exit code and everything printed.
async fn run(settings: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    let mut instance = Instance::new(settings);
    instance.launch_with(arguments);
    let status = instance.exit().await;
    (status.code().expect("an exit, not a crash"), instance.log())
}

/// A user's mistake: a code of its own, words that help, and no trace of the program's inside.
fn is_a_mistake((code, output): &(i32, String), words: &str) {
    assert_eq!(*code, 2, "{output}");
    assert!(output.contains(words), "{words:?} is not in\n{output}");
    for noise in ["panicked", "RUST_BACKTRACE", "stack backtrace", "src/"] {
        assert!(!output.contains(noise), "{output}");
    }
}

#[tokio::test]
async fn mistakes_in_settings_are_reported_by_name() {
    is_a_mistake(&run(&[("TIDINGS_HEARTBEAT_SECONDS", "soon")], &["check-config"]).await, "TIDINGS_HEARTBEAT_SECONDS");
    is_a_mistake(&run(&[("TIDINGS_HEARTBEET", "1")], &["check-config"]).await, "TIDINGS_HEARTBEET");
    is_a_mistake(&run(&[(setting::SECRET, "short")], &["check-config"]).await, "TIDINGS_JWT_SECRET");
    is_a_mistake(&run(&[(setting::LISTEN, "nowhere")], &["check-config"]).await, "TIDINGS_LISTEN");
    is_a_mistake(&run(&[], &["no-such-command"]).await, "no-such-command");
    let both = run(&[("TIDINGS_RETRY_MS", "1"), ("TIDINGS_PREFIX", "a:b")], &["check-config"]).await;
    is_a_mistake(&both, "TIDINGS_RETRY_MS");
    is_a_mistake(&both, "TIDINGS_PREFIX");
}

#[tokio::test]
async fn mistakes_in_a_file_of_kinds_are_reported_by_key() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let check = async || run(&[("TIDINGS_KINDS_FILE", path)], &["check-config"]).await;
    std::fs::write(path, "[order]\npriority = 'urgent'\n['a b']\n").unwrap();
    let wrong = check().await;
    is_a_mistake(&wrong, r#"kinds-file (TIDINGS_KINDS_FILE): "order".priority: "#);
    is_a_mistake(&wrong, r#""a b": "#);
    is_a_mistake(&run(&[("TIDINGS_KINDS_FILE", "/nowhere")], &["check-config"]).await, "/nowhere");
    std::fs::write(path, "[order]\npriority = 'high'\n").unwrap();
    let (code, output) = check().await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn settings_in_force_are_shown_without_their_secrets() {
    let database = "postgres://user:hunter2@db.example/tidings";
    let (code, output) = run(&[(setting::DATABASE, database)], &["check-config"]).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("heartbeat-seconds"), "{output}");
    assert!(!output.contains("hunter2") && !output.contains(token::SECRET), "{output}");
}

#[tokio::test]
async fn without_a_key_it_serves_on_loopback_only() {
    let open = format!("0.0.0.0:{}", free_port());
    let refused = run(&[(setting::SECRET, ""), (setting::LISTEN, &open)], &["serve"]).await;
    is_a_mistake(&refused, "TIDINGS_JWT_SECRET");
}

#[tokio::test]
async fn a_printed_token_is_good() {
    let cluster = cluster().start().await;
    let (code, output) = run(&[], &["token", "--sub", "u1", "--scope", "publish"]).await;
    assert_eq!(code, 0, "{output}");
    let caller = cluster.edge().bearer(output.trim());
    caller.notify("u1", "t").await;
    assert_eq!(caller.list("").await["total"], 1);
}

#[tokio::test]
async fn the_former_bench_names_its_successor() {
    for arguments in [&["bench"][..], &["bench", "publish", "--rate", "5"], &["bench", "--help"]] {
        is_a_mistake(&run(&[], arguments).await, "tidings-bench");
    }
}

#[tokio::test]
async fn a_taken_port_is_reported_plainly() {
    let cluster = cluster().start().await;
    let listen = format!("127.0.0.1:{}", cluster.instances[0].port());
    let settings = [(setting::DATABASE, cluster.postgres.url()), (setting::LISTEN, listen.clone())];
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (code, output) = run(&settings, &["serve"]).await;
    assert_ne!(code, 0);
    assert!(output.contains(&listen) && !output.contains("panicked"), "{output}");
}

#[tokio::test]
async fn a_database_without_tables_is_reported_plainly_and_served_once_it_has_them() {
    let postgres = Postgres::start().await;
    postgres.connect().await.batch_execute("create database empty").await.unwrap();
    let url = postgres.url_of("empty");
    let mut early = Instance::new(&[(setting::DATABASE, &url)]);
    early.launch();
    eventually("it says what to do", async || early.log().contains("run tidings migrate").then_some(())).await;
    let edge = early.edge();
    edge.publisher().publish(&json!({"users": ["u1"], "title": "t"})).await.problem(503);
    let health = || async { edge.nobody().get("/health").await.expect(200)["status"].clone() };
    assert_eq!(health().await, "degraded");
    let (code, output) = run(&[(setting::DATABASE, &url)], &["migrate"]).await;
    assert_eq!(code, 0, "{output}");
    early.ready().await;
    edge.publisher().notify("u1", "t").await;
    eventually("all is well", async || (health().await == "ok").then_some(())).await;
}

#[tokio::test]
async fn the_filter_of_the_log_holds_for_every_subcommand_with_settings() {
    let postgres = Postgres::start().await;
    for command in ["migrate", "restored"] {
        for (variable, arguments) in [("", &[command, "--log", "trace"][..]), ("trace", &[command])] {
            let settings = [(setting::DATABASE, postgres.url()), ("TIDINGS_LOG", variable.to_owned())];
            let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let (code, output) = run(&settings, arguments).await;
            assert_eq!(code, 0, "{output}");
            assert!(output.contains("TRACE") || output.contains("DEBUG"), "{output}");
        }
    }
}

#[tokio::test]
async fn the_terminal_publishes_and_follows_a_stream_over_a_kill() {
    let mut cluster = cluster().start().await;
    let base = cluster.edge().base().to_owned();
    let token = Token::of("u1").scope("publish").sign();
    let access = ["--url", &base, "--token", &token];
    let mut tail = Instance::new(&[]);
    tail.launch_with(&[&["tail", "--json"][..], &access].concat());
    eventually("it is greeted", async || tail.log().contains("fresh").then_some(())).await;

    let publish = async |title: &str| {
        let (code, output) = run(&[], &[&["publish", "--user", "u1", "--title", title][..], &access].concat()).await;
        assert_eq!(code, 0, "{output}");
    };
    publish("before").await;
    eventually("it is shown", async || tail.log().contains("before").then_some(())).await;
    cluster.instances[0].kill();
    cluster.instances[0].restart().await;
    publish("after").await;
    eventually("it is shown", async || tail.log().contains("after").then_some(())).await;
    assert!(tail.log().contains("resumed"), "{}", tail.log());
    assert_eq!(tail.log().matches("\"before\"").count(), 1, "{}", tail.log());
    let refused = run(&[], &["tail", "--url", &base, "--token", "nonsense"]).await;
    is_a_mistake(&refused, "token");
}

#[tokio::test]
async fn data_is_sent_as_it_was_written() {
    let cluster = cluster().start().await;
    let (base, token) = (cluster.edge().base().to_owned(), Token::publisher().sign());
    let publish = async |data: &str| {
        let arguments = ["publish", "--user", "u1", "--title", "t", "--data", data, "--url", &base, "--token", &token];
        run(&[], &arguments).await
    };
    let (code, output) = publish(r#"{"a": 1e-400}"#).await;
    assert!(code != 0 && output.contains("/data/a") && output.contains("1e-400"), "{code}: {output}");
    let (code, output) = publish(r#"{"a": "1e-400", "b": [18446744073709551615]}"#).await;
    assert_eq!(code, 0, "{output}");
    let listed = cluster.user("u1").list("").await;
    assert_eq!(listed["notifications"][0]["data"], json!({"a": "1e-400", "b": [u64::MAX]}));
}

#[tokio::test]
async fn doubtful_secrets_are_told_with_their_file_and_line_and_the_first_of_two_signs() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let by_file = [(setting::SECRET, ""), ("TIDINGS_JWT_SECRET_FILE", path)];
    for (written, line) in [
        (format!("{}\n\nanother secret that is long enough\n", token::SECRET), "line 2 is empty"),
        (format!("{}\nanother\n", token::SECRET), "line 2 has fewer than 32 bytes"),
        (format!("{}\n another secret that is long enough\n", token::SECRET), "line 2 begins or ends with a space"),
    ] {
        std::fs::write(path, written).unwrap();
        for command in ["check-config", "serve"] {
            let wrong = run(&by_file, &[command]).await;
            is_a_mistake(&wrong, &format!("{path}: {line}"));
            assert!(!wrong.1.contains(token::SECRET) && !wrong.1.contains("another"), "{}", wrong.1);
        }
    }
    std::fs::write(path, format!("{}\nanother secret that is long enough\n", token::SECRET)).unwrap();
    let (code, output) = run(&by_file, &["token", "--sub", "u1"]).await;
    assert_eq!(code, 0, "{output}");
    cluster().start().await.edge().bearer(output.trim()).get("/api/notifications").await.expect(200);
}

#[tokio::test]
async fn public_keys_of_one_file_are_told_with_their_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let key = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let settings = [(setting::SECRET, ""), ("TIDINGS_JWT_PUBLIC_KEY_FILE", path)];
    std::fs::write(path, format!("{key}\nand more\n")).unwrap();
    is_a_mistake(&run(&settings, &["check-config"]).await, &format!("{path}: line 5 stands outside of a key"));
    std::fs::write(path, key.to_owned() + "\n" + &key.replace("MCow", "AAAA")).unwrap();
    let (code, output) = run(&settings, &["serve"]).await;
    assert_ne!(code, 0);
    assert!(output.contains(&format!("{path}: line 5")), "{output}");
}

#[tokio::test]
async fn tables_are_found_whatever_the_search_path_of_the_role_is() {
    let postgres = Postgres::start().await;
    let owner = postgres.connect().await;
    // A role of its own name has the schema of that name first; another finds its tables in the schema of its own.
    owner.batch_execute("create database other").await.unwrap();
    owner.batch_execute("create role shop login superuser").await.unwrap();
    let other = postgres::connect(&postgres.url_of("other")).await;
    other.batch_execute("create schema shop authorization shop").await.unwrap();
    let shop = postgres.url_of("other").replace("tidings@", "shop@");
    for (url, schema) in [(postgres.url(), "public"), (shop, "shop")] {
        for _ in 0..2 {
            let (code, output) = run(&[(setting::DATABASE, &url)], &["migrate"]).await;
            assert_eq!(code, 0, "{output}");
        }
        let client = postgres::connect(&url).await;
        let place =
            client.query_one("select relnamespace::regnamespace::text from pg_class where relname = 'streams'", &[]);
        assert_eq!(place.await.unwrap().get::<_, &str>(0), schema);
        let instance = Instance::start(&[(setting::DATABASE, &url)]).await;
        instance.edge().publisher().notify("u1", "t").await;
    }
}
