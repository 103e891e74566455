//! Schemas that do not fit the binary: it takes nothing, says how to mend that, and goes on by itself afterwards.

use std::{fs, path::Path, process::Command};

use reqwest::Method;
use serde_json::json;
use tokio_postgres::Client;

use crate::{
    ROOT,
    harness::{instance::setting, *},
};

const EARLY: &str = "early";

/// The migrations in order: their versions, and the statements of each.
fn migrations() -> Vec<(String, String)> {
    let entries = fs::read_dir(Path::new(ROOT).join("migrations")).unwrap().map(|entry| entry.unwrap().path());
    let read = |folder: std::path::PathBuf| {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let version = name.split('_').next().unwrap().replace('-', "");
        (version, fs::read_to_string(folder.join("up.sql")).unwrap())
    };
    let mut migrations: Vec<_> = entries.filter(|path| path.is_dir()).map(read).collect();
    migrations.sort();
    migrations
}

/// A database on which only the first migrations have run.
async fn early(postgres: &Postgres, migrations: &[(String, String)]) -> Client {
    postgres.connect().await.batch_execute(&format!("create database {EARLY}")).await.unwrap();
    let client = postgres::connect(&postgres.url_of(EARLY)).await;
    let table = "create table __diesel_schema_migrations (version varchar(50) primary key, \
                 run_on timestamp not null default current_timestamp)";
    client.batch_execute(table).await.unwrap();
    for (version, text) in migrations {
        client.batch_execute(text).await.unwrap();
        run(&client, version).await;
    }
    client
}

async fn run(client: &Client, version: &str) {
    client.execute("insert into __diesel_schema_migrations (version) values ($1)", &[&version]).await.unwrap();
}

/// Waits until readiness is refused with these words.
async fn refuses(instance: &Instance, words: &str) {
    let client = instance.edge().nobody();
    eventually(words, async || {
        let answer = Answer::try_of(client.request(Method::GET, "/health/ready")).await.ok()?;
        (answer.status == 503 && answer.text.contains(words)).then_some(())
    })
    .await;
}

fn migrate(url: &str) {
    let migrated = Command::new(crate::tidings()).arg("migrate").env("DATABASE_URL", url).output().unwrap();
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
}

#[tokio::test]
async fn an_instance_takes_nothing_before_the_migrations_have_run_and_everything_after() {
    let (postgres, server) = tokio::join!(Postgres::start(), Redis::start());
    let all = migrations();
    let client = early(&postgres, &all[..all.len() - 2]).await;
    let url = postgres.url_of(EARLY);
    let mut instance = Instance::new(&[(setting::DATABASE, &url), (setting::REDIS, &server.url())]);
    instance.launch();
    let words = format!("schema {} of {}, run tidings migrate", all.len() - 2, all.len());
    refuses(&instance, &words).await;

    let edge = instance.edge();
    assert_eq!(edge.nobody().get("/health/live").await.status, 200);
    let report = edge.nobody().get("/health").await.expect(200);
    assert_eq!(report["status"], "degraded");
    assert_eq!(report["parts"]["database"], json!({"up": false, "detail": words}));
    for way in ["redisChannels", "redisStream", "redisSignals", "sql"] {
        eventually("the way in is closed", async || {
            let report = edge.nobody().get("/health").await.expect(200);
            report["ways"][way].to_string().contains("the schema of the database does not fit").then_some(())
        })
        .await;
    }
    let body = json!({"users": ["u1"], "title": "by HTTP"});
    for _ in 0..20 {
        let problem = edge.publisher().publish(&body).await.problem(503);
        assert_eq!(problem["type"], "urn:tidings:problem:schema-misfit");
        assert!(problem["detail"].as_str().unwrap().contains(&words), "{problem}");
    }
    edge.user("u1").get("/api/notifications").await.problem(503);
    let entry = json!({"users": ["u1"], "title": "by Redis"}).to_string();
    let mut add = redis::cmd("XADD");
    add.arg("tidings:ingest").arg("*").arg("tenant").arg("default").arg("message").arg(&entry);
    add.query_async::<String>(&mut server.connect().await).await.unwrap();
    let stored: i64 = client.query_one("select count(*) from notifications", &[]).await.unwrap().get(0);
    assert_eq!(stored, 0);
    assert_eq!(instance.log().matches(&words).count(), 1, "{}", instance.log());
    assert!(!instance.log().contains("the database answers again"), "{}", instance.log());

    migrate(&url);
    instance.ready().await;
    edge.publisher().publish(&body).await.expect(201);
    eventually("both are stored", async || (edge.user("u1").list("").await["total"] == 2).then_some(())).await;
}

#[tokio::test]
async fn a_newer_schema_decides_which_instances_run_on_it() {
    let cluster = cluster().start().await;
    let (instance, client) = (&cluster.instances[0], cluster.postgres.connect().await);
    let newest = migrations().pop().unwrap().0;
    let allow = async |version: &str, oldest: &str| {
        let row = "insert into schema_compatibility (version, oldest) values ($1, $2)";
        client.execute(row, &[&version, &oldest]).await.unwrap();
        run(&client, version).await;
    };
    allow("20990101000000", &newest).await;
    // Of another application that uses the same schema and the same tool: they are there to the end.
    run(&client, "00000000000000").await;
    run(&client, "20990102000000").await;
    allow("20990103000000", "20990101000000").await;
    refuses(instance, "schema 20990103000000 is too new, run a newer tidings, of schema 20990101000000 or later").await;
    cluster.publisher().publish(&json!({"users": ["u1"], "title": "t"})).await.problem(503);
    let migrated = Command::new(crate::tidings()).arg("migrate").env("DATABASE_URL", cluster.postgres.url()).output();
    let migrated = migrated.unwrap();
    assert!(String::from_utf8_lossy(&migrated.stderr).contains("is too new"), "{migrated:?}");
    assert!(!migrated.status.success());

    client.execute("delete from __diesel_schema_migrations where version = '20990103000000'", &[]).await.unwrap();
    let ready = async || (instance.edge().nobody().get("/health/ready").await.status == 200).then_some(());
    eventually("the instance runs on a schema that allows it", ready).await;
    cluster.publisher().notify("u1", "t").await;
}

#[tokio::test]
async fn a_database_that_comes_back_with_an_older_schema_is_looked_at_again() {
    let mut cluster = cluster().start().await;
    cluster.publisher().notify("u1", "before").await;
    let newest = migrations().pop().unwrap().0;
    let delete = format!("delete from __diesel_schema_migrations where version = '{newest}'");
    cluster.postgres.connect().await.batch_execute(&delete).await.unwrap();
    cluster.postgres.stop().await;
    let body = json!({"users": ["u1"], "title": "away"});
    let away = cluster.publisher().publish(&body).await.problem(503);
    assert_eq!(away["type"], "urn:tidings:problem:unavailable");
    cluster.postgres.resume().await;
    refuses(&cluster.instances[0], "run tidings migrate").await;
    assert_eq!(cluster.publisher().publish(&body).await.problem(503)["type"], "urn:tidings:problem:schema-misfit");
}
