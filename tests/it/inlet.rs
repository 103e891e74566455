//! The way in for SQL: publishes of an application's own transaction.

use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use crate::harness::*;

/// An application's connection, which may do no more than call the functions.
async fn application(cluster: &Cluster) -> Client {
    let owner = cluster.postgres.connect().await;
    owner.batch_execute("create role shop login; grant usage on schema tidings to shop").await.unwrap();
    owner.batch_execute("grant execute on all functions in schema tidings to shop").await.unwrap();
    let url = cluster.postgres.url().replace("tidings@", "shop@");
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn publish(client: &Client, message: &Value) -> Result<i64, String> {
    let call = format!("select tidings.publish('{}')", message.to_string().replace('\'', "''"));
    let row = client.query_one(&call, &[]).await;
    row.map(|row| row.get(0)).map_err(|error| {
        let error = error.as_db_error().expect("an answer of the server");
        format!("{} {}", error.code().code(), error.message())
    })
}

fn message(user: &str, title: &str) -> Value {
    json!({"users": [user], "title": title})
}

/// Waits until the inlet has no rows.
async fn emptied(client: &Client) {
    eventually("the inlet is empty", async || {
        let left: i64 = client.query_one("select count(*) from tidings.inlet", &[]).await.unwrap().get(0);
        (left == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_publish_commits_or_rolls_back_with_its_transaction() {
    let cluster = cluster().on_postgres_alone(2).start().await;
    let client = application(&cluster).await;
    let mut streams = Vec::new();
    for edge in cluster.edges() {
        let mut stream = edge.user("u1").stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    client.batch_execute("begin").await.unwrap();
    publish(&client, &message("u1", "rolled back")).await.unwrap();
    client.batch_execute("rollback; begin").await.unwrap();
    publish(&client, &message("u1", "first")).await.unwrap();
    let many = json!([message("u1", "second"), {"users": ["u1"], "title": "third", "data": {"n": 1.5}}]);
    client.execute(&format!("select tidings.publish_many('{many}')"), &[]).await.unwrap();
    client.batch_execute("commit").await.unwrap();
    for stream in &mut streams {
        assert_eq!(stream.titles(3).await, ["first", "second", "third"]);
    }
    emptied(&cluster.postgres.connect().await).await;
    assert_eq!(cluster.user("u1").list("").await["total"], 3);
    // The tables are not the application's.
    assert!(client.execute("select from tidings.inlet", &[]).await.is_err());
    assert!(client.execute("select from notifications", &[]).await.is_err());
}

#[tokio::test]
async fn rows_are_stored_once_while_instances_are_killed() {
    let mut cluster = cluster().on_postgres_alone(3).start().await;
    let client = application(&cluster).await;
    for batch in 0..20 {
        let many: Vec<_> = (0..50).map(|index| message("u1", &format!("n{batch}-{index}"))).collect();
        client.execute(&format!("select tidings.publish_many('{}')", json!(many)), &[]).await.unwrap();
        if batch % 7 == 3 {
            let victim = &mut cluster.instances[batch % 2];
            victim.kill();
            victim.restart().await;
        }
    }
    let owner = cluster.postgres.connect().await;
    emptied(&owner).await;
    let counts = owner.query_one("select count(*), count(distinct title) from notifications", &[]).await.unwrap();
    assert_eq!((counts.get::<_, i64>(0), counts.get::<_, i64>(1)), (1_000, 1_000));
    assert_eq!(cluster.edges()[2].user("u1").list("?limit=1").await["total"], 1_000);
    // A row whose end was lost comes again: its instance died between the commit of the publish and its own.
    let again = "insert into tidings.inlet (id, tenant, message) overriding system value select 1, 'default', \
                 jsonb_build_object('users', jsonb_build_array('u1'), 'title', 'n0-0')";
    owner.execute(again, &[]).await.unwrap();
    emptied(&owner).await;
    assert_eq!(cluster.edges()[2].user("u1").list("?limit=1").await["total"], 1_000);
}

#[tokio::test]
async fn a_message_that_is_wrong_is_refused_within_the_transaction() {
    let cluster = cluster().start().await;
    let client = application(&cluster).await;
    let long = "x".repeat(501);
    for (wrong, reason) in [
        (json!([]), "22023 /: must be a JSON object"),
        (json!({"title": "t"}), "22023 /users: a message needs users, topics or everyone"),
        (json!({"users": [], "title": "t"}), "22023 /users: a message needs users, topics or everyone"),
        (json!({"users": "u1", "title": "t"}), "22023 /users: must be an array"),
        (json!({"users": [1], "title": "t"}), "22023 /users: each must be a text of 1 to 256 bytes"),
        (json!({"users": ["u1"]}), "22023 /title: is missing"),
        (json!({"users": ["u1"], "title": long}), "22023 /title: must be a text of 1 to 500 characters"),
        (json!({"users": ["u1"], "tile": "t"}), "22023 /tile: is no field of a message"),
        (
            json!({"users": ["u1"], "title": "t", "idempotencyKey": ""}),
            "22023 /idempotencyKey: must be 1 to 200 printable ASCII characters",
        ),
    ] {
        assert_eq!(publish(&client, &wrong).await, Err(reason.to_owned()));
    }
    // Ten bytes as a number, and a hundred thousand digits as text.
    let long = format!("{{\"users\":[\"u1\"],\"title\":\"t\",\"data\":[{}]}}", ["1e100000"; 50].join(","));
    let refused = client.query_one(&format!("select tidings.publish('{long}')"), &[]).await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().message(), "/: must have at most 4194304 bytes");
    // As by HTTP, null is nothing.
    let nulls = json!({"users": ["u2"], "kind": "k", "title": null, "idempotencyKey": null, "message": "m"});
    publish(&client, &nulls).await.unwrap();
    let many = json!([message("u1", "good"), {"users": ["u1"]}]);
    let refused = client.execute(&format!("select tidings.publish_many('{many}')"), &[]).await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().message(), "/1/title: is missing");
    let foreign = client.execute("select tidings.publish('{\"users\":[\"u1\"],\"title\":\"t\"}', 'a b')", &[]).await;
    assert!(foreign.unwrap_err().as_db_error().unwrap().message().starts_with("tenant: "));
    emptied(&cluster.postgres.connect().await).await;
    assert_eq!(cluster.user("u1").list("").await["total"], 0);
}

/// The function refuses fields that no instance knows, so it must know those that one does.
#[tokio::test]
async fn the_function_knows_every_field_of_a_message() {
    let cluster = cluster().start().await;
    let client = cluster.postgres.connect().await;
    let api = cluster.edge().nobody().get("/api/openapi.json").await.expect(200);
    let fields = api["components"]["schemas"]["Message"]["properties"].as_object().expect("the schema of a message");
    assert!(fields.len() > 15);
    for field in fields.keys() {
        let mut one = message("u1", "t");
        one.as_object_mut().unwrap().entry(field.clone()).or_insert(Value::Null);
        let check = format!("select tidings.check_message('{one}', 'default', '')");
        if let Err(error) = client.execute(&check, &[]).await {
            let reason = error.as_db_error().unwrap().message().to_owned();
            assert!(!reason.contains("is no field"), "{reason}");
        }
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_stored_becomes_a_dead_letter_and_spoils_no_other() {
    let cluster = cluster().start().await;
    let client = application(&cluster).await;
    client.batch_execute("begin").await.unwrap();
    publish(&client, &message("u1", "before")).await.unwrap();
    let bad = json!({"users": ["u1"], "title": "t", "priority": "whenever"});
    let number = publish(&client, &bad).await.unwrap();
    let unknown = json!({"topics": ["no:such"], "title": "t"});
    publish(&client, &unknown).await.unwrap();
    publish(&client, &message("u1", "after")).await.unwrap();
    client.batch_execute("commit").await.unwrap();
    let owner = cluster.postgres.connect().await;
    emptied(&owner).await;
    assert_eq!(cluster.user("u1").list("").await["total"], 2);
    let letters = owner.query("select id, reason from tidings.dead_letters order by id", &[]).await.unwrap();
    let reasons: Vec<&str> = letters.iter().map(|letter| letter.get(1)).collect();
    assert_eq!((letters.len(), letters[0].get::<_, i64>(0)), (2, number));
    assert!(reasons[0].starts_with("/priority"), "{reasons:?}");
    assert!(reasons[1].contains("no:such"), "{reasons:?}");
    assert_eq!(cluster.edge().metric("tidings_ingest_dead_letters_total", &["source=\"sql\""]).await, 2);
    // It is sent again once its cause is gone.
    let mend = "update tidings.dead_letters set message = message - 'priority' where id = $1";
    owner.execute(mend, &[&number]).await.unwrap();
    owner.execute("select tidings.redrive($1)", &[&number]).await.unwrap();
    emptied(&owner).await;
    assert_eq!(cluster.user("u1").list("").await["total"], 3);
}

#[tokio::test]
async fn a_row_that_failed_before_is_claimed_alone_and_not_for_ever() {
    let cluster = cluster().start().await;
    let owner = cluster.postgres.connect().await;
    let rows = "insert into tidings.inlet (tenant, message, claims) \
                select 'default', jsonb_build_object('users', jsonb_build_array('u1'), 'title', 'n' || claims), claims \
                from unnest(array[9, 10, 0, 2, 1]::smallint[]) as claims";
    owner.execute(rows, &[]).await.unwrap();
    emptied(&owner).await;
    let titles = "select title from notifications order by title";
    let titles: Vec<String> = owner.query(titles, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(titles, ["n0", "n1", "n2", "n9"]);
    let letter = owner.query_one("select message->>'title', reason from tidings.dead_letters", &[]).await.unwrap();
    assert_eq!((letter.get(0), letter.get(1)), ("n10", "claimed again and again without an end"));
}

#[tokio::test]
async fn the_schema_of_another_role_is_refused() {
    let postgres = Postgres::start().await;
    let owner = postgres.connect().await;
    owner.batch_execute("create database shared").await.unwrap();
    owner.batch_execute("create role other").await.unwrap();
    let url = postgres.url_of("shared");
    postgres::connect(&url).await.batch_execute("create schema tidings authorization other").await.unwrap();
    let migrated =
        std::process::Command::new(crate::tidings()).arg("migrate").env("DATABASE_URL", &url).output().unwrap();
    assert!(!migrated.status.success());
    let told = String::from_utf8_lossy(&migrated.stderr);
    assert!(told.contains("belongs to the role other: alter schema tidings owner to tidings"), "{told}");
}

#[tokio::test]
async fn a_retracted_publish_leaves_every_inbox_or_does_not_come() {
    let cluster = cluster().on_postgres_alone(2).start().await;
    let (client, owner) = (application(&cluster).await, cluster.postgres.connect().await);
    let mut stream = cluster.edges()[1].user("u1").stream().await;
    stream.hello().await;
    let keyed = json!({"users": ["u1", "u2"], "title": "an error of ours", "idempotencyKey": "order-7"});
    publish(&client, &keyed).await.unwrap();
    stream.titles(1).await;
    client.execute("select tidings.retract('order-7')", &[]).await.unwrap();
    assert_eq!(stream.next_of("state").await.json()["deleted"], true);
    for user in ["u1", "u2"] {
        assert_eq!(cluster.user(user).list("").await["total"], 0);
    }
    let repeated = cluster.publisher().publish(&keyed).await.expect(201);
    assert_eq!(repeated["cancelled"], true, "a repeat says that nothing comes");
    for (id, data) in
        [("7", json!({"users": ["u1"], "title": "an event"})), ("8 ü", json!({"users": ["u1"], "title": "another"}))]
    {
        let source = "https://shop.example/orders of today";
        let event = json!({"specversion": "1.0", "type": "paid", "source": source, "id": id, "data": data});
        client.batch_execute("begin").await.unwrap();
        let number = publish(&client, &event).await.unwrap();
        client.execute("select tidings.retract($1::bigint)", &[&number]).await.unwrap();
        client.batch_execute("commit").await.unwrap();
        stream.titles(1).await;
        assert_eq!(stream.next_of("state").await.json()["deleted"], true);
    }
    let event = json!({"specversion": "1.0", "type": "paid", "source": "shop", "id": "9", "data": {"users": ["u1"], "title": "t"}});
    publish(&client, &event).await.unwrap();
    stream.titles(1).await;
    client.execute("select tidings.retract('shop 9')", &[]).await.unwrap();
    assert_eq!(stream.next_of("state").await.json()["deleted"], true);
    // One that waits for its time, and one that is retracted before anybody has taken it.
    let tomorrow = chrono::Utc::now() + chrono::TimeDelta::days(1);
    let later = json!({"users": ["u1"], "title": "later", "deliverAt": tomorrow, "idempotencyKey": "later"});
    client.batch_execute("begin").await.unwrap();
    let number = publish(&client, &message("u1", "at once")).await.unwrap();
    let keyed = json!({"users": ["u1"], "title": "at once", "idempotencyKey": "at-once"});
    let with_key = publish(&client, &keyed).await.unwrap();
    publish(&client, &later).await.unwrap();
    for number in [number, with_key] {
        client.execute("select tidings.retract($1::bigint)", &[&number]).await.unwrap();
    }
    client.execute("select tidings.retract('later')", &[]).await.unwrap();
    client.execute("select tidings.retract('no such key')", &[]).await.unwrap();
    client.batch_execute("commit").await.unwrap();
    emptied(&owner).await;
    assert_eq!(cluster.user("u1").list("").await["total"], 0);
    let waiting = cluster.publisher().get("/api/scheduled").await.expect(200);
    assert_eq!(waiting["scheduled"], json!([]), "{waiting}");
    let letters = owner.query("select row_to_json(l)::text from tidings.dead_letters as l", &[]).await.unwrap();
    let letters: Vec<Value> = letters.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect();
    assert_eq!(letters.len(), 1, "{letters:#?}");
    assert_eq!(letters[0]["key"], "no such key");
}

#[tokio::test]
async fn a_caller_may_ask_to_be_served_at_once() {
    let settings = cluster().set("TIDINGS_INLET_MS", "60000").set("TIDINGS_INLET_LISTEN", "true");
    let cluster = settings.start().await;
    let client = application(&cluster).await;
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    // The connection that listens may still be on its way: each call wakes.
    let call = format!("select tidings.publish('{}', wake => true)", message("u1", "now"));
    eventually("a call is taken", async || {
        client.execute(&call, &[]).await.unwrap();
        (cluster.user("u1").list("").await["total"] != 0).then_some(())
    })
    .await;
    assert_eq!(stream.titles(1).await, ["now"]);
}
