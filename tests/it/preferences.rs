//! Preferences: the database applies them, in the transaction of the publish.

mod model;
mod settings;
mod why;
mod zones;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::*;

const SETTINGS: &str = "/api/notifications/settings";

/// Replaces settings under a condition.
async fn put(caller: &Caller, condition: &str, settings: &Value) -> Answer {
    Answer::of(caller.request(Method::PUT, SETTINGS).header("If-Match", condition).json(settings)).await
}

async fn patch(caller: &Caller, patch: &Value) -> Answer {
    Answer::of(caller.request(Method::PATCH, SETTINGS).json(patch)).await
}

/// So many seconds from now.
fn from_now(seconds: i64) -> DateTime<Utc> {
    Utc::now() + TimeDelta::seconds(seconds)
}

/// Why a notification came as it did: channel, whether, cause.
async fn why(caller: &Caller, id: &str) -> Vec<(String, bool, String)> {
    let why = caller.get(&format!("/api/notifications/{id}/why")).await.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let row = |each: &Value| (text(&each["channel"]), each["on"].as_bool().unwrap(), text(&each["cause"]));
    why["channels"].as_array().unwrap().iter().map(row).collect()
}

fn of(rows: &[(String, bool, String)], channel: &str) -> (bool, String) {
    rows.iter().find(|row| row.0 == channel).map(|row| (row.1, row.2.clone())).unwrap()
}

fn publish(kind: &str) -> Value {
    json!({"users": ["u1"], "kind": kind, "title": kind})
}

#[tokio::test]
async fn an_item_kept_out_of_the_inbox_takes_no_seq_and_can_be_explained() {
    let cluster = cluster().start().await;
    let (user, publisher) = (cluster.user("u1"), cluster.publisher());
    let off = json!({"categories": {"calls": {"inbox": false}}, "kinds": {"high_value_call": {"inbox": true}}});
    put(&user, "*", &off).await.expect(200);
    let mut stream = user.stream().await;
    stream.hello().await;
    let body =
        json!({"users": ["u0", "u1", "u2"], "kind": "call_completed", "title": "not wanted", "idempotencyKey": "k"});
    let answer = publisher.publish(&body).await.expect(201);
    assert_eq!(answer["recipients"], 3);
    assert_eq!(publisher.publish(&body).await.expect(201), answer, "a repeat is told the same");
    let id = answer["id"].as_str().unwrap();
    // All of whose recipients do not want it: accepted all the same.
    let alone = publisher.publish(&publish("call_completed")).await.expect(201);
    let again = json!([
        publish("call_completed"),
        publish("high_value_call"),
        publish("call_completed"),
        publish("system_alert")
    ]);
    publisher.post("/api/notifications/batch", &again).await.expect(200);
    assert_eq!(stream.titles(2).await, ["high_value_call", "system_alert"]);
    let list = user.list("").await;
    assert_eq!((&list["total"], &list["unread"]), (&json!(2), &json!(2)));
    assert!(list["cursor"].as_str().unwrap().ends_with(".3"), "one seq for the settings, two for what came: {list}");
    user.get(&format!("/api/notifications/{id}")).await.problem(404);
    assert_eq!(cluster.user("u2").list("").await["notifications"][0]["title"], "not wanted");

    for id in [id, alone["id"].as_str().unwrap()] {
        let rows = why(&user, id).await;
        assert_eq!(of(&rows, "inbox"), (false, "categoryPreference".to_owned()));
        assert_eq!(of(&rows, "toast"), (false, "kindDefault".to_owned()));
    }
    assert_eq!(of(&why(&cluster.user("u2"), id).await, "inbox"), (true, "default".to_owned()));
    put(&user, "*", &json!({"kinds": {"system_alert": {"inbox": false}}})).await.expect(200);
    let alert = publisher.notify_with(publish("system_alert")).await;
    assert_eq!(of(&why(&user, &alert).await, "toast"), (false, "notInInbox".to_owned()));
    // A mandatory kind comes, even if its category is off.
    put(&user, "*", &off).await.expect(200);
    let urgent = publisher.notify_with(publish("call_escalation")).await;
    let rows = why(&user, &urgent).await;
    assert_eq!(
        (of(&rows, "inbox"), of(&rows, "push")),
        ((true, "mandatory".to_owned()), (true, "mandatory".to_owned()))
    );
}

/// During a rolling upgrade rows of version 0.1.0 have a decision in the first layout only, and that version reads no other.
#[tokio::test]
async fn decisions_read_the_same_whichever_version_wrote_them() {
    let cluster = cluster().start().await;
    let (database, user, publisher) = (cluster.postgres.connect().await, cluster.user("u1"), cluster.publisher());
    let settings = json!({"kinds": {"call_completed": {"inbox": false}}, "categories": {"payments": {"email": true, "sms": true}}});
    put(&user, "*", &settings).await.expect(200);
    let mut ids = Vec::new();
    for (kind, timing) in [
        ("call_completed", json!({})),
        ("payment_received", json!({})),
        ("call_escalation", json!({"threadKey": "t"})),
        ("call_completed", json!({"threadKey": "t"})),
        ("payment_received", json!({"dueAt": from_now(3_600)})),
    ] {
        let mut body = publish(kind);
        body.as_object_mut().unwrap().extend(timing.as_object().unwrap().clone());
        ids.push(publisher.notify_with(body).await);
    }
    let later = json!({"users": ["u1"], "kind": "payment_received", "title": "later", "deliverAt": from_now(600)});
    let later = publisher.notify_with(later).await;
    let read = async || {
        let list = user.list("").await;
        let (epoch, _) = list["cursor"].as_str().unwrap().split_once('.').unwrap();
        let log = user.get(&format!("/api/notifications/changes?cursor={epoch}.0")).await.expect(200);
        let mut rows = vec![list["notifications"].clone(), log["events"].clone()];
        for id in &ids {
            rows.push(json!(why(&user, id).await));
        }
        rows
    };
    let before = read().await;
    for table in ["notifications", "inbox", "withheld"] {
        let other =
            format!("select count(*) from {table} where channels is null or decision <> first_layout(channels)");
        assert_eq!(database.query_one(&other, &[]).await.unwrap().get::<_, i64>(0), 0, "{table}");
        assert!(database.execute(&format!("update {table} set channels = null"), &[]).await.unwrap() > 0, "{table}");
    }
    assert_eq!(read().await, before);
    database.execute("update clock set shift = shift + interval '601 seconds'", &[]).await.unwrap();
    eventually("it is delivered", async || {
        let item = user.get(&format!("/api/notifications/{later}")).await;
        (item.status == 200).then_some(())
    })
    .await;
    assert_eq!(of(&why(&user, &later).await, "sms"), (true, "categoryPreference".to_owned()));
}

#[tokio::test]
async fn quiet_hours_and_mutes_hold_back_only_channels_that_interrupt() {
    let cluster = cluster().start().await;
    let (user, publisher) = (cluster.user("u1"), cluster.publisher());
    let always = json!({"from": "00:00", "to": "23:59", "timeZone": "Pacific/Auckland"});
    let rest = json!({"from": "23:59", "to": "00:00", "timeZone": "Pacific/Auckland"});
    for (settings, cause) in [
        (json!({"muteUntil": "forever"}), "muted"),
        (json!({"muteUntil": "2199-12-31T00:00:00Z"}), "muted"),
        (json!({"quietHours": always}), "quietHours"),
        (json!({"quietHours": rest}), "quietHours"),
    ] {
        put(&user, "*", &settings).await.expect(200);
        let id = publisher.notify_with(publish("payment_received")).await;
        let rows = why(&user, &id).await;
        let item = user.get(&format!("/api/notifications/{id}")).await.expect(200);
        if item["channels"] == json!(["inbox"]) {
            assert_eq!(of(&rows, "inbox"), (true, "default".to_owned()));
            assert_eq!(of(&rows, "toast"), (false, cause.to_owned()));
            assert_eq!(
                (of(&rows, "push"), of(&rows, "sms")),
                ((false, cause.to_owned()), (false, "default".to_owned()))
            );
        } else {
            // One of the two windows is not now: they make up a day.
            assert_eq!((cause, of(&rows, "toast").0), ("quietHours", true));
        }
        let urgent = publisher.notify_with(publish("call_escalation")).await;
        let low = json!({"users": ["u1"], "kind": "call_escalation", "title": "t", "priority": "low"});
        let low = publisher.notify_with(low).await;
        assert_eq!(of(&why(&user, &urgent).await, "toast"), (true, "mandatory".to_owned()), "critical and mandatory");
        assert_eq!(of(&why(&user, &low).await, "toast").0, of(&rows, "toast").0, "mandatory, not critical");
    }
    put(&user, "*", &json!({"muteUntil": from_now(-5)})).await.expect(200);
    let id = publisher.notify_with(publish("payment_received")).await;
    assert_eq!(of(&why(&user, &id).await, "toast"), (true, "default".to_owned()), "a mute that is over");
}

#[tokio::test]
async fn subscribers_of_a_topic_get_it_as_each_of_them_wants() {
    let cluster = cluster().instances(2).start().await;
    let admin = cluster.edge().admin();
    let users = ["muted", "off", "plain", "quiet", "sms"];
    admin.put("/api/topic-kinds/team", &json!({"access": "open"})).await.expect(200);
    let path = "/api/topics/team:7/subscription";
    for user in users {
        let until = if user == "muted" { json!({"mutedUntil": "forever"}) } else { json!({}) };
        cluster.user(user).put(path, &until).await.expect(200);
    }
    for (user, settings) in [
        ("off", json!({"kinds": {"ticket:assigned": {"inbox": false}}})),
        ("quiet", json!({"muteUntil": "forever"})),
        ("sms", json!({"categories": {"tickets": {"sms": true, "toast": false}}})),
    ] {
        put(&cluster.user(user), "*", &settings).await.expect(200);
    }
    let mut streams = Vec::new();
    for edge in cluster.edges() {
        let mut stream = edge.user("sms").stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    // There is one decision for a user who is named as well.
    let body = json!({"users": ["off", "quiet"], "topics": ["team:7"], "everyone": true, "kind": "ticket:assigned", "title": "t"});
    let id = cluster.publisher().notify_with(body).await;
    eventually("it is finished", async || {
        let progress = cluster.publisher().get(&format!("/api/fanouts/{id}")).await.expect(200);
        (progress["state"] == "finished").then_some(())
    })
    .await;
    for stream in &mut streams {
        assert_eq!(stream.next_of("notification").await.json()["channels"], json!(["inbox", "browser", "push", "sms"]));
    }
    for (user, channels) in [
        ("muted", json!(["inbox"])),
        ("plain", json!(["inbox", "toast", "browser", "push"])),
        ("quiet", json!(["inbox"])),
        ("sms", json!(["inbox", "browser", "push", "sms"])),
    ] {
        assert_eq!(cluster.user(user).list("").await["notifications"][0]["channels"], channels, "{user}");
    }
    assert_eq!(cluster.user("off").list("").await["total"], 0);
    let toast = async |user: &str| of(&why(&cluster.user(user), &id).await, "toast");
    assert_eq!(toast("muted").await, (false, "topicMuted".to_owned()));
    assert_eq!(toast("off").await, (false, "notInInbox".to_owned()));
    assert_eq!(toast("quiet").await, (false, "muted".to_owned()));
    assert_eq!(toast("sms").await, (false, "categoryPreference".to_owned()));
}
