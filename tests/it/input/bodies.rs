//! Bodies that are too large, malformed, or of a wrong shape.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::*;

async fn raw(publisher: &Caller, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    Answer::of(publisher.request(Method::POST, path).header("Content-Type", content_type).body(body)).await
}

#[tokio::test]
async fn a_body_that_is_no_json_and_wrong_json_have_different_answers() {
    let cluster = cluster().start().await;
    let publisher = cluster.publisher();
    let path = "/api/notifications";
    let not_json: [&[u8]; 7] = [
        b"",
        b"{",
        b"title=x",
        b"{\"users\":[\"u1\"],\"title\":\"\xff\xfe\"}",
        b"{\"users\":[\"u1\"],\"title\":\"a\nb\"}",
        b"{} {}",
        b"\x00",
    ];
    for body in not_json {
        let problem = raw(&publisher, path, "application/json", body.to_vec()).await.problem(400);
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
    raw(&publisher, path, "text/plain", "{}").await.problem(415);
    raw(&publisher, path, "application/json; charset=latin1", "{}").await.problem(415);
    for body in ["null", "[]", "7", "\"text\""] {
        raw(&publisher, path, "application/json", body).await.problem(422);
    }
    assert_eq!(cluster.user("u1").list("").await["total"], 0);
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let cluster = cluster().start().await;
    let publisher = cluster.publisher();
    let mut deep = json!(1);
    for _ in 0..40 {
        deep = json!([deep]);
    }
    let cases: Vec<(Value, &str)> = vec![
        (json!({"title": "t"}), "/users"),
        (json!({"users": [], "title": "t"}), "/users"),
        (json!({"users": "u1", "title": "t"}), "/users"),
        (json!({"users": [1], "title": "t"}), "/users/0"),
        (json!({"users": ["u1", ""], "title": "t"}), "/users/1"),
        (json!({"users": ["a\nb"], "title": "t"}), "/users/0"),
        (json!({"users": ["a\u{0}b"], "title": "t"}), "/users/0"),
        (json!({"users": ["x".repeat(257)], "title": "t"}), "/users/0"),
        (json!({"users": ["u1"]}), "/title"),
        (json!({"users": ["u1"], "title": ""}), "/title"),
        (json!({"users": ["u1"], "title": null}), "/title"),
        (json!({"users": ["u1"], "title": 7}), "/title"),
        (json!({"users": ["u1"], "title": "t".repeat(501)}), "/title"),
        (json!({"users": ["u1"], "title": "a\u{0}b"}), "/title"),
        (json!({"users": ["u1"], "title": "t", "message": "m".repeat(10_001)}), "/message"),
        (json!({"users": ["u1"], "title": "t", "kind": "with space"}), "/kind"),
        (json!({"users": ["u1"], "title": "t", "kind": "a\nb"}), "/kind"),
        (json!({"users": ["u1"], "title": "t", "kind": "k".repeat(65)}), "/kind"),
        (json!({"users": ["u1"], "title": "t", "category": ""}), "/category"),
        (json!({"users": ["u1"], "title": "t", "priority": "urgent"}), "/priority"),
        (json!({"users": ["u1"], "title": "t", "priority": 1}), "/priority"),
        (json!({"users": ["u1"], "title": "t", "data": {"deep": deep}}), "/data/deep"),
        (json!({"users": ["u1"], "title": "t", "data": {"nul": "\u{0}"}}), "/data"),
        (json!({"users": ["u1"], "title": "t", "actionUrl": "javascript:alert(1)"}), "/actionUrl"),
        (json!({"users": ["u1"], "title": "t", "actionUrl": "//evil.example"}), "/actionUrl"),
        (json!({"users": ["u1"], "title": "t", "actionUrl": "/a\nb"}), "/actionUrl"),
        (json!({"users": ["u1"], "title": "t", "imageUrl": "http://example.org/a.png"}), "/imageUrl"),
        (json!({"users": ["u1"], "title": "t", "idempotencyKey": ""}), "/idempotencyKey"),
        (json!({"users": ["u1"], "title": "t", "idempotencyKey": "k".repeat(201)}), "/idempotencyKey"),
        (json!({"users": ["u1"], "title": "t", "expiresAt": "tomorrow"}), "/expiresAt"),
        (json!({"users": ["u1"], "title": "t", "expiresAt": "2001-01-01T00:00:00Z"}), "/expiresAt"),
        (json!({"users": ["u1"], "title": "t", "expiresAt": "9999-01-01T00:00:00Z"}), "/expiresAt"),
        (json!({"users": ["u1"], "title": "t", "tenant": "other"}), "/tenant"),
        (json!({"users": ["u1"], "title": "t", "suprise": 1}), "/suprise"),
    ];
    for (body, pointer) in cases {
        let problem = publisher.publish(&body).await.problem(422);
        let errors = problem["errors"].as_array().unwrap();
        let named = errors.iter().any(|error| error["pointer"].as_str().is_some_and(|at| at.starts_with(pointer)));
        assert!(named, "{pointer} is not in {problem}");
    }
    let everything = json!({"users": ["u1"], "title": "", "kind": " ", "actionUrl": "x"});
    let problem = publisher.publish(&everything).await.problem(422);
    assert_eq!(problem["errors"].as_array().unwrap().len(), 3, "all that is wrong is told at once: {problem}");
    assert_eq!(cluster.user("u1").list("").await["total"], 0);
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused() {
    let cluster = cluster().set("TIDINGS_BODY_BYTES", "2048").set("TIDINGS_BATCH_ITEMS", "10").start().await;
    let publisher = cluster.publisher();
    let sized = |bytes: usize| json!({"users": ["u1"], "title": "t", "data": "x".repeat(bytes)});
    publisher.publish(&sized(1900)).await.expect(201);
    publisher.publish(&sized(2100)).await.problem(413);
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(1024)));
    let body = reqwest::Body::wrap_stream(futures_util::StreamExt::take(endless, 100_000));
    raw(&publisher, "/api/notifications", "application/json", body).await.problem(413);

    let batch = |count: usize, bytes| json!((0..count).map(|_| sized(bytes)).collect::<Vec<_>>());
    publisher.post("/api/notifications/batch", &batch(11, 1)).await.problem(413);
    let results = publisher.post("/api/notifications/batch", &json!([sized(2100), sized(1)])).await.expect(200);
    assert_eq!(results["results"][0]["problem"]["status"], 413);
    assert!(results["results"][1]["id"].is_string());
    assert_eq!(cluster.user("u1").list("").await["total"], 2);
}

#[tokio::test]
async fn a_batch_to_more_inboxes_than_one_transaction_takes_is_refused_whole() {
    let users: Vec<_> = (0..1_000).map(|index| format!("u{index}")).collect();
    let cluster = cluster().start().await;
    let batch = json!(vec![json!({"users": users, "title": "to all"}); 11]);
    let problem = cluster.publisher().post("/api/notifications/batch", &batch).await.problem(413);
    assert!(problem["detail"].as_str().unwrap().contains("10000 recipients in all"), "{problem}");
    assert_eq!(cluster.user("u7").list("").await["total"], 0);
}

#[tokio::test]
async fn ten_thousand_recipients_are_refused_or_served_as_configured() {
    let users: Vec<_> = (0..10_000).map(|index| format!("u{index}")).collect();
    let body = json!({"users": users, "title": "to all"});
    let small = cluster().set("TIDINGS_BODY_BYTES", "1000000").start().await;
    let problem = small.publisher().publish(&body).await.problem(422);
    assert_eq!(problem["errors"][0]["pointer"], "/users");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("1000"), "{problem}");
    drop(small);

    let large = cluster().set("TIDINGS_BODY_BYTES", "1000000").set("TIDINGS_MAX_RECIPIENTS", "10000").start().await;
    let (mut first, mut last) = (large.user("u0").stream().await, large.user("u9999").stream().await);
    first.hello().await;
    last.hello().await;
    assert_eq!(large.publisher().publish(&body).await.expect(201)["recipients"], 10_000);
    assert_eq!((first.titles(1).await, last.titles(1).await), (vec!["to all".to_owned()], vec!["to all".to_owned()]));
    assert_eq!(large.user("u5000").list("").await["total"], 1);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    user.get("/api/nothing").await.problem(404);
    let wrong = user.delete("/api/notifications").await;
    wrong.problem(405);
    assert_eq!(wrong.header("allow"), "GET, POST");
    user.get("/api/notifications/..%2f..%2fetc%2fpasswd").await.problem(404);
}

#[tokio::test]
async fn an_empty_body_of_any_type_is_none_where_a_body_may_be_left_out() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let rules = json!({"access": "open", "presence": false});
    cluster.edge().admin().put("/api/topic-kinds/team", &rules).await.expect(200);
    let types = ["", "application/json", "application/x-www-form-urlencoded", "text/plain; charset=latin1"];
    let optional = [(Method::POST, "/api/notifications/read-all"), (Method::PUT, "/api/topics/team:7/subscription")];
    for (method, path) in optional {
        let send = async |content_type: &str, body: &'static str| {
            let request = user.request(method.clone(), path).body(body);
            let declared = if content_type.is_empty() { request } else { request.header("Content-Type", content_type) };
            Answer::of(declared).await
        };
        for content_type in types {
            send(content_type, "").await.expect(200);
            let filled = send(content_type, "{}").await;
            if content_type == types[1] {
                filled.expect(200)
            } else {
                filled.problem(415)
            };
        }
        send("application/json", " ").await.problem(400);
        Answer::of(user.request(method.clone(), path).body("x".repeat(100_000))).await.problem(413);
    }
    let bulk = "/api/notifications/bulk";
    raw(&user, bulk, "application/json", "").await.problem(400);
    raw(&user, bulk, "application/x-www-form-urlencoded", "").await.problem(415);
}
