//! Preferences: what users want is what is decided, by the database, in the transaction of the publish.

mod model;
mod why;

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
async fn settings_are_changed_under_the_etag_that_was_seen() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let first = user.get(SETTINGS).await;
    assert_eq!((first.header("etag"), first.expect(200).get("categories")), ("\"0\"", None));
    let wanted = json!({"categories": {"payments": {"email": true}}});
    user.put(SETTINGS, &wanted).await.problem(428);
    for malformed in ["0", "\"0", "\"0\", \"1\"", ""] {
        put(&user, malformed, &wanted).await.problem(400);
    }
    let second = put(&user, "\"0\"", &wanted).await;
    assert_eq!((second.header("etag"), &second.expect(200)["categories"]), ("\"1\"", &wanted["categories"]));
    for stale in ["\"0\"", "\"2\"", "\"x\""] {
        put(&user, stale, &json!({})).await.problem(412);
    }
    // The whole answer may be sent back, and what changes nothing is no change.
    let shown = user.get(SETTINGS).await.expect(200);
    assert_eq!(put(&user, "W/\"1\"", &shown).await.header("etag"), "\"1\"");
    assert_eq!(put(&user, "*", &json!({"muteUntil": "forever"})).await.header("etag"), "\"2\"");
    let third = patch(&user, &json!({"kinds": {"k": {"sms": true}}, "muteUntil": null})).await;
    assert_eq!(third.header("etag"), "\"3\"");
    let third = third.expect(200);
    assert_eq!((&third["kinds"], third.get("muteUntil")), (&json!({"k": {"sms": true}}), None));
    let stale = user.request(Method::PATCH, SETTINGS).header("If-Match", "\"2\"").json(&json!({}));
    Answer::of(stale).await.problem(412);
    let merge = user.request(Method::PATCH, SETTINGS).header("content-type", "application/merge-patch+json").body("{}");
    assert_eq!(Answer::of(merge).await.header("etag"), "\"3\"");
    assert_eq!(cluster.user("u2").get(SETTINGS).await.header("etag"), "\"0\"", "another user's are another's");
    let foreign = cluster.edge().caller(&Token::of("u1").tenant("other"));
    assert_eq!(foreign.get(SETTINGS).await.header("etag"), "\"0\"");
}

#[tokio::test]
async fn of_several_who_name_the_same_etag_one_wins() {
    let cluster = cluster().instances(2).start().await;
    let edges = cluster.edges();
    for round in 0..5 {
        let condition = format!("\"{round}\"");
        let puts = (0..8).map(|n| {
            let user = edges[n % 2].user("u1");
            let condition = condition.clone();
            async move {
                put(&user, &condition, &json!({"categories": {format!("c{round}-{n}"): {"sms": true}}})).await.status
            }
        });
        let mut statuses = futures_util::future::join_all(puts).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    }
    // Patches without a condition all take effect.
    let patches = (0..6).map(|n| {
        let user = edges[n % 2].user("u2");
        async move { patch(&user, &json!({"kinds": {format!("k{n}"): {"sms": true}}})).await.status }
    });
    assert_eq!(futures_util::future::join_all(patches).await, [200; 6]);
    let settings = cluster.user("u2").get(SETTINGS).await.expect(200);
    assert_eq!(settings["kinds"].as_object().unwrap().len(), 6);
}

#[tokio::test]
async fn patches_at_the_same_time_wait_their_turn_and_all_take_effect() {
    const PATCHES: usize = 64;
    let cluster = cluster().instances(2).start().await;
    let (edges, user) = (cluster.edges(), cluster.user("u1"));
    let mut stream = user.stream().await;
    stream.hello().await;
    let before = user.get(SETTINGS).await.header("etag").to_owned();
    let patches = (0..PATCHES).map(|n| {
        let user = edges[n % 2].user("u1");
        let part = if n < PATCHES / 2 { "categories" } else { "kinds" };
        async move { patch(&user, &json!({part: {format!("n{n}"): {"sms": true}}})).await.status }
    });
    assert_eq!(futures_util::future::join_all(patches).await, [200; PATCHES]);
    let late = user.request(Method::PATCH, SETTINGS).header("If-Match", before).json(&json!({"muteUntil": "forever"}));
    Answer::of(late).await.problem(412);
    let after = user.get(SETTINGS).await;
    assert_eq!(after.header("etag"), format!("\"{PATCHES}\""));
    let after = after.expect(200);
    for part in ["categories", "kinds"] {
        assert_eq!(after[part].as_object().unwrap().len(), PATCHES / 2, "{part}");
    }
    // Of changes that were made faster than they were told the newest is enough.
    let mut last = 0;
    while last < PATCHES {
        let told = stream.next().await;
        let seq = told.id.as_ref().and_then(|id| id.rsplit_once('.')?.1.parse().ok()).expect("a seq");
        assert!(told.is("settings") && seq > last, "{seq} after {last}");
        last = seq;
    }
    assert_eq!(last, PATCHES);
}

#[tokio::test]
async fn settings_are_the_callers_own_whoever_calls() {
    let cluster = cluster().start().await;
    let (user, admin) = (cluster.user("u1"), cluster.edge().admin());
    let path = format!("{SETTINGS}?user=u2");
    for caller in [&user, &admin] {
        for method in [Method::GET, Method::PUT, Method::PATCH] {
            let request = caller.request(method.clone(), &path).header("If-Match", "*").json(&json!({}));
            let problem = Answer::of(request).await.problem(400);
            assert_eq!(problem["errors"][0]["parameter"], "user", "{method} {problem}");
        }
    }
}

#[tokio::test]
async fn a_mute_ends_in_the_time_to_come() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let topic = "/api/topics/team:7/subscription";
    cluster.edge().admin().put("/api/topic-kinds/team", &json!({"access": "open"})).await.expect(200);
    for wrong in [
        json!(from_now(-70)),
        json!("2020-01-01T00:00:00Z"),
        json!("0000-01-01T00:00:00+23:59"),
        json!("2200-01-01T00:00:00Z"),
        json!("9999-12-31T23:59:59-23:00"),
        json!("2199-02-30T00:00:00Z"),
        json!("2199-01-01T00:00:00"),
        json!("2199-01-01"),
        json!("tomorrow"),
        json!(""),
        json!(4_102_444_800_i64),
    ] {
        for (answer, pointer) in [
            (put(&user, "*", &json!({"muteUntil": wrong})).await, "/muteUntil"),
            (patch(&user, &json!({"muteUntil": wrong})).await, "/muteUntil"),
            (user.put(topic, &json!({"mutedUntil": wrong})).await, "/mutedUntil"),
        ] {
            let problem = answer.problem(422);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{wrong} {problem}");
            let detail = problem["errors"][0]["detail"].as_str().unwrap();
            assert!(wrong.is_number() || detail.contains("null"), "{wrong}: what is allowed is said: {detail}");
        }
    }
    assert_eq!(user.get("/api/topics").await.expect(200)["topics"], json!([]), "nothing was done");
    // Clocks may be some way apart.
    for right in [json!(from_now(-30)), json!(from_now(60)), json!("2199-12-31T23:59:59.999999Z"), json!("forever")] {
        patch(&user, &json!({"muteUntil": right})).await.expect(200);
        user.put(topic, &json!({"mutedUntil": right})).await.expect(200);
    }
    // A mute that has ended meanwhile stands in nobody's way.
    let over = json!({"muteUntil": "2020-01-01T00:00:00Z"});
    let database = cluster.postgres.connect().await;
    database.execute("update preferences set settings = $1::text::jsonb", &[&over.to_string()]).await.unwrap();
    let shown = patch(&user, &json!({"kinds": {"k": {"sms": true}}})).await.expect(200);
    assert_eq!(shown["muteUntil"], over["muteUntil"]);
    put(&user, "*", &shown).await.expect(200);
    assert_eq!(patch(&user, &json!({"muteUntil": null})).await.expect(200).get("muteUntil"), None);
    assert_eq!(user.put(topic, &json!({"mutedUntil": null})).await.expect(200)["mutedUntil"], Value::Null);
}

#[tokio::test]
async fn every_tab_hears_of_a_change_and_a_client_that_was_away_too() {
    let cluster = cluster().instances(2).start().await;
    let mut tabs = Vec::new();
    for edge in cluster.edges() {
        let mut tab = edge.user("u1").stream().await;
        tab.hello().await;
        tabs.push(tab);
    }
    let before = tabs[0].cursor.clone().unwrap();
    cluster.publisher().notify("u1", "one").await;
    patch(&cluster.user("u1"), &json!({"muteUntil": "forever"})).await.expect(200);
    for tab in &mut tabs {
        tab.next_of("notification").await;
        let told = tab.next().await;
        assert!(told.is("settings") && told.id.is_some(), "{told:?}");
        assert_eq!(told.json(), json!({"unread": 1}));
    }
    let mut back = cluster.edges()[1].user("u1").resume(&before).await;
    assert_eq!(back.hello().await["missed"], 2);
    back.next_of("notification").await;
    assert!(back.next().await.is("settings"));
    assert_eq!(back.cursor, tabs[0].cursor);
    patch(&cluster.user("u1"), &json!({"muteUntil": "forever"})).await.expect(200);
    cluster.publisher().notify("u1", "two").await;
    assert_eq!(tabs[0].titles(1).await, ["two"], "what changes nothing is told to nobody");
}

#[tokio::test]
async fn what_is_wrong_with_settings_is_named_and_changes_nothing() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    for (settings, pointer) in [
        (json!({"categories": {"payments": {"fax": true}}}), "/categories/payments/fax"),
        (json!({"kinds": {"call_escalation": {"toast": false}}}), "/kinds/call_escalation/toast"),
        (json!({"quietHours": {"from": "22:00", "to": "07:00", "timeZone": "CEST"}}), "/quietHours/timeZone"),
        (
            json!({"quietHours": {"from": "22:00", "to": "07:00", "timeZone": "posix/Europe/Berlin"}}),
            "/quietHours/timeZone",
        ),
        (json!({"quietHours": {"from": "22:00", "to": "07:00", "timeZone": "europe/berlin"}}), "/quietHours/timeZone"),
        (json!({"quietHours": {"from": "25:00", "to": "07:00", "timeZone": "UTC"}}), "/quietHours/from"),
        (json!({"muteUntil": 7}), "/muteUntil"),
        (json!({"surprise": true}), "/surprise"),
    ] {
        for answer in [put(&user, "*", &settings).await, patch(&user, &settings).await] {
            assert_eq!(answer.problem(422)["errors"][0]["pointer"], pointer, "{settings}");
        }
    }
    put(&user, "*", &json!(["x"])).await.problem(422);
    let text =
        user.request(Method::PUT, SETTINGS).header("If-Match", "*").header("content-type", "text/plain").body("{}");
    Answer::of(text).await.problem(415);
    assert_eq!(user.get(SETTINGS).await.header("etag"), "\"0\"");
    assert!(user.list("").await["cursor"].as_str().unwrap().ends_with(".0"), "no seq was taken");
}

#[tokio::test]
async fn the_grid_shows_what_is_in_force_and_why() {
    let cluster = cluster().start().await;
    let tenant = json!({"channels": {"toast": false}, "categories": {"payments": {"sms": true}}});
    let admin = cluster.edge().admin();
    let request = admin.request(Method::PUT, "/api/tenant/settings").header("If-Match", "*").json(&tenant);
    Answer::of(request).await.expect(200);
    let wanted =
        json!({"categories": {"payments": {"email": true, "sms": false}}, "kinds": {"missed_call": {"push": false}}});
    let shown = put(&cluster.user("u1"), "*", &wanted).await.expect(200)["inForce"].clone();
    let payments = &shown["categories"]["payments"];
    assert_eq!(payments["email"], json!({"on": true, "cause": "categoryPreference"}));
    assert_eq!(payments["sms"], json!({"on": false, "cause": "categoryPreference"}));
    assert_eq!(payments["toast"], json!({"on": false, "cause": "tenantDefault"}));
    assert_eq!(payments["inbox"], json!({"on": true, "cause": "default"}));
    let missed = &shown["kinds"]["missed_call"];
    assert_eq!((&missed["category"], &missed["mandatory"]), (&json!("calls"), &json!(false)));
    assert_eq!(missed["channels"]["push"], json!({"on": false, "cause": "kindPreference"}));
    assert_eq!(missed["channels"]["browser"], json!({"on": true, "cause": "kindDefault"}));
    assert_eq!(shown["kinds"]["call_escalation"]["channels"]["inbox"], json!({"on": true, "cause": "mandatory"}));
}

#[tokio::test]
async fn what_is_not_wanted_in_the_inbox_takes_no_seq_and_can_be_explained() {
    let cluster = cluster().start().await;
    let (user, publisher) = (cluster.user("u1"), cluster.publisher());
    let off = json!({"categories": {"calls": {"inbox": false}}, "kinds": {"missed_call": {"inbox": true}}});
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
    let again =
        json!([publish("call_completed"), publish("missed_call"), publish("call_completed"), publish("system_alert")]);
    publisher.post("/api/notifications/batch", &again).await.expect(200);
    assert_eq!(stream.titles(2).await, ["missed_call", "system_alert"]);
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
    // A mandatory kind comes whatever is said of its category.
    put(&user, "*", &off).await.expect(200);
    let urgent = publisher.notify_with(publish("call_escalation")).await;
    let rows = why(&user, &urgent).await;
    assert_eq!(
        (of(&rows, "inbox"), of(&rows, "push")),
        ((true, "mandatory".to_owned()), (true, "mandatory".to_owned()))
    );
}

#[tokio::test]
async fn quiet_hours_and_mutes_hold_back_what_interrupts_and_nothing_else() {
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
async fn only_the_user_and_administrators_are_told_why() {
    let cluster = cluster().start().await;
    let id = cluster.publisher().notify("u1", "t").await;
    let path = format!("/api/notifications/{id}/why");
    let own = cluster.user("u1").get(&path).await.expect(200);
    assert_eq!(
        (&own["id"], &own["kind"], own["channels"].as_array().unwrap().len()),
        (&json!(id), &json!("system_alert"), 6)
    );
    assert_eq!(own["channels"][0]["detail"], "the server's default: inbox and toast, nothing else");
    assert_eq!(cluster.edge().admin().get(&format!("{path}?user=u1")).await.expect(200), own);
    assert_eq!(cluster.user("u1").get(&format!("{path}?user=u1")).await.expect(200), own);
    cluster.user("u2").get(&path).await.problem(404);
    cluster.user("u2").get(&format!("{path}?user=u1")).await.problem(403);
    cluster.edge().admin().get(&format!("{path}?user=u2")).await.problem(404);
    cluster.user("u1").get(&format!("{path}?whom=u1")).await.problem(400);
    cluster.edge().caller(&Token::admin().tenant("other")).get(&format!("{path}?user=u1")).await.problem(404);
    cluster.user("u1").get("/api/notifications/no-id/why").await.problem(404);
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
    // Who is named besides is decided about once.
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
