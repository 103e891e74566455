//! Publishing over HTTP: receipts, idempotency, batches, `CloudEvents`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::*;

async fn with_key(publisher: &Caller, key: &str, body: &Value) -> Answer {
    let request = publisher.request(Method::POST, "/api/notifications").header("Idempotency-Key", key);
    Answer::of(request.json(body)).await
}

#[tokio::test]
async fn a_receipt_names_the_notification_and_counts_recipients() {
    let cluster = cluster().start().await;
    let body = json!({"users": ["u1", "u2", "u1"], "title": "t"});
    let receipt = cluster.publisher().publish(&body).await.expect(201);
    assert_eq!(receipt["recipients"], 2, "who is named twice counts once");
    for user in ["u1", "u2"] {
        let list = cluster.user(user).list("").await;
        assert_eq!((&list["notifications"][0]["id"], &list["total"]), (&receipt["id"], &json!(1)));
    }
}

#[tokio::test]
async fn the_same_key_and_body_give_the_same_answer_and_store_once() {
    let cluster = cluster().instances(2).start().await;
    let body = json!({"users": ["u1"], "title": "t"});
    let first = with_key(&cluster.publisher(), "k", &body).await;
    let again = with_key(&cluster.instances[1].edge().publisher(), "k", &body).await;
    assert_eq!(first.expect(201), again.expect(201));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    let as_field = json!({"users": ["u1"], "title": "t", "idempotencyKey": "k"});
    assert_eq!(cluster.publisher().publish(&as_field).await.expect(201), first.expect(201));
    let reordered = r#"{ "title":"t",  "users":["u1"] }"#;
    let request = cluster.publisher().request(Method::POST, "/api/notifications").header("Idempotency-Key", "k");
    let respelled = Answer::of(request.header("Content-Type", "application/json").body(reordered)).await;
    assert_eq!(respelled.expect(201), first.expect(201));
    assert_eq!(cluster.user("u1").list("").await["total"], 1);
}

#[tokio::test]
async fn a_receipt_says_when_a_publish_that_waits_is_delivered() {
    let cluster = cluster().instances(2).start().await;
    // A winter's day two years from now, in a zone that is an hour ahead of UTC then.
    let year = chrono::Datelike::year(&chrono::Utc::now()) + 2;
    let body =
        json!({"users": ["u1"], "title": "t", "deliverAt": format!("{year}-01-10T08:30"), "timeZone": "Europe/Berlin"});
    let receipt = with_key(&cluster.publisher(), "k", &body).await.expect(201);
    assert_eq!(receipt["deliverAt"], format!("{year}-01-10T07:30:00Z"));
    assert_eq!(with_key(&cluster.instances[1].edge().publisher(), "k", &body).await.expect(201), receipt);
    let at_once = cluster.publisher().publish(&json!({"users": ["u1"], "title": "t"})).await.expect(201);
    assert_eq!(at_once["deliverAt"], json!(null));
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let cluster = cluster().start().await;
    let publisher = cluster.publisher();
    with_key(&publisher, "k", &json!({"users": ["u1"], "title": "t"})).await.expect(201);
    for other in [json!({"users": ["u2"], "title": "t"}), json!({"users": ["u1"], "title": "T"})] {
        with_key(&publisher, "k", &other).await.problem(422);
    }
    with_key(&publisher, "a", &json!({"users": ["u1"], "title": "t", "idempotencyKey": "b"})).await.problem(422);
    with_key(&publisher, "", &json!({"users": ["u1"], "title": "t"})).await.problem(400);
    with_key(&publisher, &"k".repeat(201), &json!({"users": ["u1"], "title": "t"})).await.problem(400);
    assert_eq!(cluster.user("u1").list("").await["total"], 1);
}

#[tokio::test]
async fn of_many_publishes_with_one_key_at_once_one_is_stored() {
    let cluster = cluster().instances(2).start().await;
    let edges = cluster.edges();
    let body = json!({"users": ["u1", "u2"], "title": "t", "idempotencyKey": "k"});
    let tries = (0..40).map(|index| {
        let publisher = edges[index % 2].publisher();
        let body = &body;
        async move { publisher.publish(body).await.expect(201)["id"].clone() }
    });
    let ids = futures_util::future::join_all(tries).await;
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    assert_eq!(cluster.user("u1").list("").await["total"], 1);
}

#[tokio::test]
async fn a_batch_stores_valid_items_and_answers_in_order() {
    let cluster = cluster().start().await;
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    let batch = json!([
        {"users": ["u1"], "title": "one", "idempotencyKey": "k1"},
        {"users": ["u1"], "title": ""},
        {"users": ["u1"], "title": "two"},
        7,
        {"users": ["u1"], "title": "one", "idempotencyKey": "k1"},
        {"users": ["u1"], "title": "other", "idempotencyKey": "k1"},
        {"users": ["u1", "u2"], "title": "three"},
    ]);
    let answer = cluster.publisher().post("/api/notifications/batch", &batch).await.expect(200);
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 7);
    for (index, status) in [(1, 422), (3, 422), (5, 422)] {
        assert_eq!(results[index]["problem"]["status"], status, "{index}: {}", results[index]);
        assert!(results[index]["id"].is_null());
    }
    assert_eq!(results[0]["id"], results[4]["id"], "a repeat within the batch is the same notification");
    assert!(results[2]["id"].is_string() && results[6]["id"].is_string());
    assert_eq!(stream.titles(3).await, ["one", "two", "three"]);
    assert_eq!(cluster.user("u1").list("").await["total"], 3);
}

#[tokio::test]
async fn a_body_that_is_no_batch_is_refused_as_a_whole() {
    let cluster = cluster().start().await;
    let publisher = cluster.publisher();
    let path = "/api/notifications/batch";
    publisher.post(path, &json!({"users": ["u1"], "title": "t"})).await.problem(422);
    let keyed = publisher.request(Method::POST, path).header("Idempotency-Key", "k").json(&json!([]));
    Answer::of(keyed).await.problem(400);
    assert_eq!(publisher.post(path, &json!([])).await.expect(200)["results"], json!([]));
}

#[tokio::test]
async fn cloud_events_are_published_once_by_source_and_id() {
    let cluster = cluster().start().await;
    let publisher = cluster.publisher();
    let event = json!({
        "specversion": "1.0", "id": "4711", "source": "/billing", "type": "com.example.paid",
        "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json",
        "data": {"users": ["u1"], "title": "Paid"},
    });
    let send = async |event: &Value| {
        let request = publisher.request(Method::POST, "/api/notifications").body(event.to_string());
        Answer::of(request.header("Content-Type", "application/cloudevents+json")).await
    };
    let first = send(&event).await.expect(201);
    assert_eq!(send(&event).await.expect(201), first);
    let list = cluster.user("u1").list("").await;
    assert_eq!((&list["total"], &list["notifications"][0]["kind"]), (&json!(1), &json!("com.example.paid")));
    let mut wrong = event.clone();
    wrong["specversion"] = json!("0.3");
    send(&wrong).await.problem(422);
    wrong = event.clone();
    wrong["data"]["title"] = json!("");
    assert_eq!(send(&wrong).await.problem(422)["errors"][0]["pointer"], "/data/title");
}

#[tokio::test]
async fn many_publishes_at_once_are_written_in_few_transactions() {
    let cluster = cluster().start().await;
    let edge = cluster.edge();
    let publishes = (0..300).map(|index| {
        let publisher = edge.publisher();
        async move { publisher.notify(&format!("u{}", index % 10), "t").await }
    });
    futures_util::future::join_all(publishes).await;
    let transactions = edge.metric("tidings_commit_seconds_count", &[]).await;
    assert!(transactions < 200, "300 publishes took {transactions} transactions");
    assert_eq!(edge.metric("tidings_publishes_total", &["http", "accepted"]).await, 300);
}

#[tokio::test]
async fn the_append_stays_prepared_on_its_connection() {
    let cluster = cluster().set("TIDINGS_WRITERS", "1").start().await;
    let logged = "alter role tidings set log_min_duration_statement = 0";
    cluster.postgres.connect().await.batch_execute(logged).await.unwrap();
    let publisher = cluster.publisher();
    for _ in 0..10 {
        publisher.notify("u1", "t").await;
    }
    let log = std::fs::read_to_string(cluster.postgres.data().with_file_name("log")).unwrap();
    let appends =
        |step: &str| log.lines().filter(|line| line.contains(step) && line.contains("Writes publishes")).count();
    assert_eq!((appends(" parse s"), appends(" execute s")), (1, 10));
}
