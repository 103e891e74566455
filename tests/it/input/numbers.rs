//! Numbers of `data`: each keeps its value wherever it is shown, or is refused by name.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::*;

/// As they are written, and where a change would show.
const KEPT: [&str; 9] = [
    "18446744073709551615",
    "-9223372036854775808",
    "9007199254740993",
    "0.30000000000000004",
    "2.220446049250313e-16",
    "1.7976931348623157e308",
    "5e-324",
    "120.5",
    "1e20",
];
const ALTERED: [&str; 8] = [
    "18446744073709551616",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "3.14159265358979323846",
    "12345678901234567.5",
    "1e-400",
    "1e400",
    "-1e400",
];

async fn send(caller: &Caller, method: Method, path: &str, body: &str, content_type: &str) -> Answer {
    let request = caller.request(method, path).header("Content-Type", content_type).body(body.to_owned());
    Answer::of(request).await
}

async fn post(caller: &Caller, path: &str, body: &str) -> Answer {
    send(caller, Method::POST, path, body, "application/json").await
}

fn is_refused(problem: &Value, pointer: &str, number: &str) {
    let error = &problem["errors"][0];
    assert_eq!(error["pointer"], pointer, "{number}: {problem}");
    assert!(error["detail"].as_str().is_some_and(|detail| detail.contains(number)), "{number}: {problem}");
}

#[tokio::test]
async fn a_number_keeps_its_value_on_the_stream_and_in_the_list() {
    let cluster = cluster().start().await;
    let (publisher, user) = (cluster.publisher(), cluster.user("u1"));
    let mut stream = user.stream().await;
    stream.hello().await;
    let mut doubles = Vec::new();
    for place in 0_u64..200 {
        // Numbers as JavaScript has them: all 53 bits are used.
        let double = f64::from_bits(0x3fb0_0000_0000_0000 + place.wrapping_mul(0x0123_4567_89ab_cdef) % (1 << 56));
        doubles.push(format!("{double:?}"));
    }
    for number in KEPT.iter().copied().chain([doubles.join(",").as_str()]) {
        let body = format!(r#"{{"users":["u1"],"title":"t","data":{{"a":[{number}]}}}}"#);
        let id = post(&publisher, "/api/notifications", &body).await.expect(201)["id"].clone();
        let due: Vec<f64> = number.split(',').map(|each| each.parse().unwrap()).collect();
        let shown = |item: &Value| {
            assert_eq!(item["id"], id);
            let list = item["data"]["a"].as_array().unwrap();
            let values: Vec<f64> = list.iter().map(|each| each.to_string().parse().unwrap()).collect();
            assert_eq!(values, due, "{number}");
            if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
                assert_eq!(list[0].to_string(), number);
            }
        };
        shown(&stream.next().await.json());
        shown(&user.list("?limit=1").await["notifications"][0]);
    }
}

#[tokio::test]
async fn a_number_that_would_change_is_refused_by_its_place_on_every_way_in() {
    let cluster = cluster().start().await;
    let publisher = cluster.publisher();
    let deliver_at = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let scheduled = publisher.notify_with(json!({"users": ["u1"], "title": "t", "deliverAt": deliver_at})).await;
    for number in ALTERED {
        let data = format!(r#"{{"list":["1e-400",{{"a/b":{number}}}],"n":1.5}}"#);
        let body = format!(r#"{{"users":["u1"],"title":"t","data":{data}}}"#);
        let pointer = "/data/list/1/a~1b";
        is_refused(&post(&publisher, "/api/notifications", &body).await.problem(422), pointer, number);
        let event = format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"k","data":{body}}}"#);
        let cloud = "application/cloudevents+json";
        let answer = send(&publisher, Method::POST, "/api/notifications", &event, cloud).await;
        is_refused(&answer.problem(422), &format!("/data{pointer}"), number);
        let batch = format!(r#"[{{"users":["u2"],"title":"t"}},{body}]"#);
        let results = post(&publisher, "/api/notifications/batch", &batch).await.expect(200)["results"].clone();
        assert!(results[0]["id"].is_string(), "{results}");
        assert_eq!(results[1]["problem"]["status"], 422);
        is_refused(&results[1]["problem"], pointer, number);
        let signal = format!(r#"{{"user":"u1","kind":"k","data":{data}}}"#);
        is_refused(&post(&publisher, "/api/signals", &signal).await.problem(422), pointer, number);
        let path = format!("/api/scheduled/{scheduled}");
        let change = send(&publisher, Method::PATCH, &path, &format!(r#"{{"data":{data}}}"#), "application/json").await;
        is_refused(&change.problem(422), pointer, number);
    }
    assert_eq!(cluster.user("u1").list("").await["total"], 0);
    assert_eq!(cluster.user("u2").list("").await["total"], ALTERED.len());
}
