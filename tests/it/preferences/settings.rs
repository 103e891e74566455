//! Settings: how they are read and changed, by several clients at once, and the refusals.

use reqwest::Method;
use serde_json::{Value, json};

use super::{SETTINGS, from_now, patch, put};
use crate::harness::*;

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
    // The whole answer may be sent back, and an equal document is no change.
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
async fn of_several_writers_with_the_same_etag_one_wins() {
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
    // If changes are faster than their events, the event of the newest is enough.
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
async fn every_caller_has_settings_of_its_own() {
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
    // A mute that has ended meanwhile has no effect.
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
async fn every_tab_gets_a_change_and_a_client_that_was_away_too() {
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
async fn faults_of_settings_are_named_and_change_nothing() {
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
        (json!({"quietHours": {"from": "22:00", "to": "07:00", "timeZone": "Factory"}}), "/quietHours/timeZone"),
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
async fn the_grid_shows_the_channels_in_force_and_their_causes() {
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
    assert_eq!((&missed["category"], &missed["mandatory"]), (&json!("missedCalls"), &json!(false)));
    assert_eq!(missed["channels"]["push"], json!({"on": false, "cause": "kindPreference"}));
    assert_eq!(missed["channels"]["browser"], json!({"on": true, "cause": "kindDefault"}));
    assert_eq!(shown["kinds"]["call_escalation"]["channels"]["inbox"], json!({"on": true, "cause": "mandatory"}));
}
