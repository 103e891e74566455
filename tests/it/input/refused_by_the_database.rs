//! Values that only the database refuses, and databases that could not take all values. Postgres speaks German: the code decides.

use serde_json::{Value, json};

use crate::harness::{instance::setting, *};

const BAD: &str = "refused by the database";

/// The statement in the error of a database of another encoding.
fn statement(output: &str) -> &str {
    let statement = &output[output.find("create database").expect("a statement")..];
    statement.lines().next().unwrap().trim_end_matches('\u{1b}')
}

/// Runs to the end; the exit code and everything printed.
async fn run(url: &str, command: &str) -> (i32, String) {
    let mut instance = Instance::new(&[(setting::DATABASE, url), ("TIDINGS_MIGRATE", "false")]);
    instance.launch_with(&[command]);
    (instance.exit().await.code().unwrap(), instance.log())
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused_with_the_statement_that_makes_a_good_one() {
    let postgres = Postgres::start_with(&[postgres::GERMAN]).await;
    let client = postgres.connect().await;
    let latin = "create database latin encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'";
    client.batch_execute(latin).await.unwrap();
    let url = postgres.url_of("latin");
    let (code, output) = run(&url, "migrate").await;
    assert!(code == 1 && output.contains("LATIN1"), "{code}: {output}");
    let tables = "select count(*) from pg_tables where schemaname = 'public'";
    let made: i64 = postgres::connect(&url).await.query_one(tables, &[]).await.unwrap().get(0);
    assert_eq!(made, 0, "{output}");
    let (code, served) = run(&url, "serve").await;
    assert!(code == 1 && served.contains(statement(&output)), "{code}: {served}");

    client.batch_execute(statement(&output)).await.unwrap();
    let url = postgres.url_of("tidings_utf8");
    let (code, output) = run(&url, "migrate").await;
    assert_eq!(code, 0, "{output}");
    let instance = Instance::start(&[(setting::DATABASE, &url)]).await;
    instance.edge().publisher().notify("u1", "\u{1f600}").await;
    assert_eq!(instance.edge().user("u1").list("").await["notifications"][0]["title"], "\u{1f600}");
}

/// A Postgres that refuses one title by an error of class 22 that no check of the server foresees.
async fn picky() -> Cluster {
    let cluster = cluster().german().with_redis().start().await;
    let trigger = format!(
        "create function pick() returns trigger language plpgsql as $$ begin \
             if new.title = '{BAD}' then perform 1 / 0; end if; return new; end $$; \
         create trigger pick before insert on notifications for each row execute function pick()"
    );
    cluster.postgres.connect().await.batch_execute(&trigger).await.unwrap();
    cluster
}

fn message(title: &str) -> Value {
    json!({"users": ["u1"], "title": title})
}

#[tokio::test]
async fn a_value_that_the_database_refuses_is_a_422_and_its_neighbours_are_stored() {
    let cluster = picky().await;
    let publisher = cluster.publisher();
    publisher.publish(&message(BAD)).await.problem(422);
    let batch = json!([message("one"), message(BAD), message("two")]);
    let outcomes = publisher.post("/api/notifications/batch", &batch).await.expect(200);
    let refused: Vec<_> =
        outcomes["results"].as_array().unwrap().iter().map(|one| one["problem"]["status"].as_u64()).collect();
    assert_eq!(refused, [None, Some(422), None], "{outcomes}");
    // Requests of several callers share transactions.
    let titles: Vec<_> = (0..40).map(|n| if n % 10 == 5 { BAD.to_owned() } else { format!("three {n}") }).collect();
    let publish = async |title: &String| publisher.publish(&message(title)).await.status;
    let statuses = futures_util::future::join_all(titles.iter().map(publish)).await;
    for (title, status) in titles.iter().zip(statuses) {
        assert_eq!(status, if title == BAD { 422 } else { 201 }, "{title}");
    }
    assert_eq!(cluster.user("u1").list("").await["total"], 2 + 36);
    assert!(cluster.instances[0].log().contains("22012"), "it is logged by its code");
}

#[tokio::test]
async fn a_value_that_the_database_refuses_is_a_dead_letter_and_its_neighbours_are_stored() {
    let mut cluster = picky().await;
    let mut connection = cluster.redis().connect().await;
    let mut add = redis::pipe();
    for title in ["one", BAD, "two"] {
        let body = message(title).to_string();
        add.cmd("XADD").arg(&["tidings:ingest", "*", "tenant", "default", "message", &body]).ignore();
    }
    add.query_async::<()>(&mut connection).await.unwrap();
    let body = json!({"title": BAD}).to_string();
    let mut publish = redis::cmd("PUBLISH");
    publish.arg("tidings:publish:default:user:u1").arg(&body);
    // A message before the subscription reaches nobody.
    eventually("an instance listens", async || {
        (publish.query_async::<i64>(&mut connection).await.unwrap() > 0).then_some(())
    })
    .await;
    eventually("both ways make a dead letter", async || {
        let read = redis::cmd("XRANGE").arg(&["tidings:ingest:dead", "-", "+"]).query_async(&mut connection).await;
        let dead: Vec<(String, Vec<String>)> = read.unwrap();
        let is_told =
            |(_, fields): &&(String, Vec<String>)| fields.iter().any(|field| field.contains("cannot be stored"));
        (dead.iter().filter(is_told).count() == 2).then_some(())
    })
    .await;
    eventually("the neighbours are stored", async || (cluster.user("u1").list("").await["total"] == 2).then_some(()))
        .await;
}
