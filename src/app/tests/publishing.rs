//! The bodies that publishers may send.

use super::*;

#[actix_web::test]
async fn faults_of_a_message_are_named_by_pointer() {
    let request = publish(r#"{"users":["u1",""],"title":"t"}"#).insert_header(("X-Request-Id", "r"));
    let got = ask(parts(&[]).await, request).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    insta::assert_snapshot!(got.body, @r#"{"type":"urn:tidings:problem:invalid-body","title":"Invalid body","status":422,"detail":"the body is not valid","instance":"urn:tidings:request:r","errors":[{"pointer":"/users/1","detail":"a user's id is 1 to 256 bytes at line 1 column 18"}]}"#);
}

#[actix_web::test]
async fn only_json_is_read() {
    let service = test::init_service(app(parts(&[]).await)).await;
    for (header, value, problem) in [
        ("Content-Type", "text/plain", "wrong-content-type"),
        ("Content-Type", "application/x-www-form-urlencoded", "wrong-content-type"),
        ("Content-Type", "application/json; charset=latin1", "wrong-content-type"),
        ("Content-Encoding", "gzip", "wrong-content-type"),
        ("Content-Type", "application/json; charset=UTF-8", "unavailable"),
        ("Content-Type", "application/cloudevents+json", "unavailable"),
        ("Content-Type", "application/cloudevents-batch+json", "wrong-content-type"),
    ] {
        let request = publish(r#"{"users":["u2"],"title":"t"}"#).insert_header((header, value));
        assert_eq!(call(&service, request.to_request()).await.problem(), problem, "{header}: {value}");
    }
    let bare = bearer(TestRequest::post().uri("/api/notifications"), "publish").set_payload("{}");
    assert_eq!(call(&service, bare.to_request()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for text in ["", "{", "{} {}", "{\"users\":[\"\u{7f}\"]", "[1,]"] {
        assert_eq!(call(&service, publish(text).to_request()).await.problem(), "not-json", "{text}");
    }
}

#[actix_web::test]
async fn the_answer_to_a_body_past_its_bound_names_the_bound() {
    let parts = parts(&[]).await;
    let most = parts.settings.publish.body_bytes;
    let padded = |bytes: usize| format!(r#"{{"users":["u1"],"title":"t","message":"{}"}}"#, "x".repeat(bytes));
    let got = ask(parts.clone(), publish(padded(most))).await;
    assert_eq!((got.status, got.problem().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too-large"));
    assert!(got.json()["detail"].as_str().unwrap().contains(&format!("{most} bytes")));

    let many = format!("[{}]", vec!["0"; parts.settings.publish.batch_items + 1].join(","));
    let got = ask(parts, batch(many)).await;
    assert_eq!((got.status, got.problem().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too-large"));
    assert!(got.json()["detail"].as_str().unwrap().contains("batch_items"));
}

#[actix_web::test]
async fn a_batch_answers_each_item_at_its_index() {
    let service = test::init_service(app(parts(&[]).await)).await;
    let got = call(&service, batch(r#"[{"users":["u1"]},{"users":[],"title":"t"}]"#.to_owned()).to_request()).await;
    assert_eq!(got.status, StatusCode::OK);
    insta::assert_snapshot!(got.body, @r#"{"results":[{"problem":{"type":"urn:tidings:problem:invalid-body","title":"Invalid body","status":422,"detail":"the body is not valid","errors":[{"pointer":"/title","detail":"a title of 1 to 500 characters is required, for the kind has no template for it"}]}},{"problem":{"type":"urn:tidings:problem:invalid-body","title":"Invalid body","status":422,"detail":"the body is not valid","errors":[{"pointer":"/users","detail":"1 to 1000 users, or topics, or everyone, must be named"}]}}]}"#);
    for (body, problem) in
        [("{}", "invalid-body"), ("[", "not-json"), (r#"[{"users":["u"],"title":"t"}]"#, "unavailable")]
    {
        assert_eq!(call(&service, batch(body.to_owned()).to_request()).await.problem(), problem, "{body}");
    }
    let keyed = batch("[]".to_owned()).insert_header(("Idempotency-Key", "k"));
    assert_eq!(call(&service, keyed.to_request()).await.problem(), "bad-header");
}

#[actix_web::test]
async fn header_and_field_must_not_name_different_keys() {
    let service = test::init_service(app(parts(&[]).await)).await;
    let body = r#"{"users":["u1"],"title":"t","idempotencyKey":"k1"}"#;
    for (key, problem) in [
        ("k1", "unavailable"),
        ("\"k1\"", "unavailable"),
        ("k2", "keys-differ"),
        ("", "bad-header"),
        (&"k".repeat(201), "bad-header"),
    ] {
        let request = publish(body).insert_header(("Idempotency-Key", key));
        assert_eq!(call(&service, request.to_request()).await.problem(), problem, "{key}");
    }
}
