//! The binary alone, without Postgres, Redis or a key, as a new user tries it first.

use serde_json::json;

use crate::harness::{instance::setting, *};

/// An instance with nothing configured but where it listens and keeps its data.
fn alone() -> Instance {
    Instance::new(&[(setting::SECRET, "")])
}

/// The token in the link that the instance printed, newest life last.
fn printed_token(log: &str) -> String {
    let (_, rest) = log.rsplit_once("#token=").expect("a link with a token");
    rest.split(|character: char| character.is_whitespace()).next().unwrap().to_owned()
}

#[tokio::test]
async fn it_starts_with_nothing_and_prints_a_link_whose_token_publishes_and_reads() {
    let mut instance = alone();
    instance.restart().await;
    let token = printed_token(&instance.log());
    let caller = instance.edge().bearer(&token);
    let mut stream = caller.stream().await;
    stream.hello().await;
    let sub = subject(&token);
    caller.notify(&sub, "hello").await;
    assert_eq!(stream.titles(1).await, ["hello"]);
    assert_eq!(instance.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn preferences_are_decided_about_here_too() {
    let mut instance = alone();
    instance.restart().await;
    let caller = instance.edge().bearer(&printed_token(&instance.log()));
    let day = json!({"from": "00:00", "to": "23:59", "timeZone": "Europe/Berlin"});
    let settings = json!({"quietHours": day, "kinds": {"missed_call": {"inbox": false}}, "categories": {"calls": {"email": true}}});
    let put = caller.request(reqwest::Method::PUT, "/api/notifications/settings").header("If-Match", "*");
    Answer::of(put.json(&settings)).await.expect(200);
    let me = subject(caller.token());
    for kind in ["missed_call", "call_completed"] {
        caller.notify_with(json!({"users": [me], "kind": kind, "title": kind})).await;
    }
    let list = caller.list("").await;
    assert_eq!((&list["total"], &list["notifications"][0]["title"]), (&json!(1), &json!("call_completed")));
    let channels = &list["notifications"][0]["channels"];
    assert!(*channels == json!(["inbox"]) || *channels == json!(["inbox", "email"]), "quiet, or the day's last minute");
}

#[tokio::test]
async fn stored_notifications_survive_kill_9_again_and_again() {
    let mut instance = alone();
    instance.restart().await;
    let caller = instance.edge().bearer(&printed_token(&instance.log()));
    let cursor = caller.list("").await["cursor"].as_str().unwrap().to_owned();
    let me = subject(caller.token());
    for round in 1..=3 {
        for index in 0..10 {
            caller.notify(&me, &format!("{round}-{index}")).await;
        }
        instance.kill();
        instance.restart().await;
        assert_eq!(caller.list("").await["total"], round * 10, "the token and the data are still good");
    }
    let mut stream = caller.resume(&cursor).await;
    assert_eq!((&stream.hello().await["verdict"], stream.titles(30).await.len()), (&json!("resumed"), 30));
}

#[tokio::test]
async fn scheduled_and_due_items_come_here_too() {
    let mut instance = alone();
    instance.restart().await;
    let caller = instance.edge().bearer(&printed_token(&instance.log()));
    let me = subject(caller.token());
    let mut stream = caller.stream().await;
    stream.hello().await;
    let at = |seconds| chrono::Utc::now() + chrono::Duration::seconds(seconds);
    let body = json!({"users": [me], "title": "later", "deliverAt": at(2), "dueAt": at(3), "threadKey": null});
    let id = caller.notify_with(body).await;
    let item = stream.next_of("notification").await.json();
    assert_eq!((&item["id"], &item["title"]), (&json!(id), &json!("later")));
    let item = stream.next_of("notification").await.json();
    assert_eq!((&item["id"], &item["dueState"]), (&json!(id), &json!("overdue")));
    caller.touch(&format!("/api/notifications/{id}/done")).await.expect(200);
    assert_eq!(stream.next_of("state").await.json()["dueState"], "done");
}

#[tokio::test]
async fn a_second_start_on_the_same_directory_names_the_fault() {
    let mut first = alone();
    first.restart().await;
    let mut second = Instance::new(&[(setting::SECRET, ""), (setting::DATA_DIR, first.data_dir())]);
    second.launch();
    assert!(!second.exit().await.success());
    let log = second.log();
    assert!(log.contains(first.data_dir()), "{log}");
    assert!(!log.contains("panicked") && !log.contains("RUST_BACKTRACE"), "{log}");
    assert_eq!(first.edge().nobody().get("/health/ready").await.status, 200);
    drop(second);
    first.kill();
    first.restart().await;
}

fn subject(token: &str) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    claims["sub"].as_str().unwrap().to_owned()
}
