//! Publishes that wait.

use serde_json::json;

use super::{at, is_sound, next, pass, subscribe, time, titles};
use crate::harness::*;

#[tokio::test]
async fn a_publish_waits_for_its_time_and_arrives_once() {
    let cluster = cluster().instances(3).start().await;
    let database = cluster.postgres.connect().await;
    let (first, second) = (at(&database, 3600.0).await, at(&database, 7200.0).await);
    let publisher = cluster.publisher();
    let receipt = publisher.publish(&json!({"users": ["u1"], "title": "first", "deliverAt": first})).await.expect(201);
    assert_eq!((&receipt["recipients"], time(&receipt["deliverAt"])), (&json!(1), time(&json!(first))));
    publisher.notify_with(json!({"users": ["u1"], "title": "second", "deliverAt": second})).await;
    let mut stream = cluster.edges()[1].user("u1").stream().await;
    stream.hello().await;
    let waiting = publisher.get("/api/scheduled").await.expect(200);
    let of = |index: usize| waiting["scheduled"][index]["title"].as_str().unwrap();
    assert_eq!((of(0), of(1)), ("first", "second"));
    assert!(titles(&cluster.user("u1"), "").await.is_empty());

    pass(&database, 3601.0).await;
    let (event, item) = next(&mut stream).await;
    assert_eq!((event.as_str(), &item["title"], &item["unread"]), ("notification", &json!("first"), &json!(1)));
    assert_eq!(item["id"], receipt["id"]);
    assert!(time(&item["createdAt"]) >= time(&json!(first)), "it is published when it is delivered: {item}");
    pass(&database, 3600.0).await;
    assert_eq!(next(&mut stream).await.1["title"], "second");
    assert_eq!(titles(&cluster.user("u1"), "").await, ["second", "first"]);
    assert_eq!(publisher.get("/api/scheduled").await.expect(200)["scheduled"], json!([]));
    is_sound(&database).await;
}

#[tokio::test]
async fn a_scheduled_publish_is_changed_and_called_off_by_id_or_key_until_it_is_sent() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let (soon, later) = (at(&database, 600.0).await, at(&database, 1200.0).await);
    let body =
        |title: &str, key: &str| json!({"users": ["u1"], "title": title, "deliverAt": soon, "idempotencyKey": key});
    let id = publisher.notify_with(body("a", "one two/three")).await;
    publisher.notify_with(body("b", "key-b")).await;
    let patch = async |name: &str, body| {
        Answer::of(publisher.request(reqwest::Method::PATCH, &format!("/api/scheduled/{name}")).json(&body)).await
    };
    let changed =
        patch(&id, json!({"deliverAt": later, "title": "a2", "priority": "high", "message": "m"})).await.expect(200);
    assert_eq!(
        (&changed["title"], &changed["priority"], &changed["message"]),
        (&json!("a2"), &json!("high"), &json!("m"))
    );
    let again =
        patch("one%20two%2Fthree", json!({"message": null, "data": {"n": 1}, "imageUrl": "/a.png"})).await.expect(200);
    assert_eq!((&again["message"], &again["data"], &again["title"]), (&json!(null), &json!({"n": 1}), &json!("a2")));
    assert_eq!(again["imageUrl"], "/a.png");
    let bare = patch(&id, json!({"imageUrl": null})).await.expect(200);
    assert_eq!((bare.get("imageUrl"), &bare["data"]), (None, &json!({"n": 1})));
    assert_eq!(patch(&id, json!({"imageUrl": "a.png"})).await.problem(422)["errors"][0]["pointer"], "/imageUrl");
    publisher.delete("/api/scheduled/key-b").await.expect(204);
    assert_eq!(publisher.delete("/api/scheduled/key-b").await.problem(409)["detail"], "it was called off already");
    assert_eq!(publisher.get("/api/scheduled/key-b").await.problem(409)["detail"], "it was called off already");

    let past = patch(&id, json!({"deliverAt": "2020-01-01T00:00:00Z"})).await.problem(422);
    assert_eq!(past["errors"][0]["pointer"], "/deliverAt");
    let expired = patch(&id, json!({"expiresAt": at(&database, 900.0).await})).await.problem(422);
    assert_eq!(expired["errors"][0]["pointer"], "/expiresAt");
    assert_eq!(patch(&id, json!({"users": ["u2"]})).await.problem(422)["errors"][0]["pointer"], "/users");
    patch(&id, json!({})).await.problem(422);
    patch(&id, json!([])).await.problem(422);
    for name in ["nothing", "00000000-0000-0000-0000-000000000000"] {
        patch(name, json!({"title": "t"})).await.problem(404);
    }
    let foreign = cluster.edge().caller(&Token::publisher().tenant("other"));
    foreign.get(&format!("/api/scheduled/{id}")).await.problem(404);
    assert_eq!(foreign.get("/api/scheduled").await.expect(200)["scheduled"], json!([]));
    cluster.user("u1").get("/api/scheduled").await.problem(403);

    let user = cluster.user("u1");
    let mut stream = user.stream().await;
    stream.hello().await;
    pass(&database, 1201.0).await;
    let (_, item) = next(&mut stream).await;
    assert_eq!((&item["title"], &item["priority"], &item["data"]), (&json!("a2"), &json!("high"), &json!({"n": 1})));
    assert_eq!(titles(&user, "").await, ["a2"]);
    assert_eq!(patch(&id, json!({"title": "late"})).await.problem(409)["detail"], "it was sent already");
    publisher.delete(&format!("/api/scheduled/{id}")).await.problem(409);
}

#[tokio::test]
async fn a_repeat_is_answered_like_the_first_before_and_after_its_time_and_the_past_is_refused() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let body = json!({"users": ["u1"], "title": "t", "deliverAt": at(&database, 60.0).await, "idempotencyKey": "k"});
    let first = publisher.publish(&body).await.expect(201);
    assert_eq!(publisher.publish(&body).await.expect(201), first);
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    pass(&database, 61.0).await;
    next(&mut stream).await;
    assert_eq!(publisher.publish(&body).await.expect(201), first);
    let late = json!({"users": ["u1"], "title": "t", "deliverAt": at(&database, -60.0).await});
    assert_eq!(publisher.publish(&late).await.problem(422)["errors"][0]["pointer"], "/deliverAt");
    let batch = publisher.post("/api/notifications/batch", &json!([late, {"users": ["u1"], "title": "good"}])).await;
    let results = &batch.expect(200)["results"];
    assert_eq!((&results[0]["problem"]["status"], results[1]["id"].is_string()), (&json!(422), true));
    assert_eq!(titles(&cluster.user("u1"), "").await, ["good", "t"]);
}

#[tokio::test]
async fn a_repeat_of_one_that_comes_no_more_says_so() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let (soon, later) = (at(&database, 600.0).await, at(&database, 3600.0).await);
    let body = |key: &str| json!({"users": ["u1"], "title": key, "deliverAt": soon, "idempotencyKey": key});
    let with = |key: &str, more: serde_json::Value| {
        let mut body = body(key);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let collapse = |key: &str| with(key, json!({"collapseKey": "c"}));
    // An expiry that lies ahead now, and is past when the delivery was moved behind it by nobody: the instance was away.
    let over = with("over", json!({"expiresAt": at(&database, 601.0).await}));
    let (waits, called_off) = (body("waits"), with("called off", json!({"topics": ["team:7"]})));
    let (replaced, newest) = (collapse("replaced"), collapse("newest"));
    subscribe(&database, "team:7", &["u2"]).await;
    let mut ids = std::collections::HashMap::new();
    for body in [&waits, &called_off, &replaced, &newest, &over] {
        ids.insert(body["title"].clone(), publisher.notify_with(body.clone()).await);
    }
    publisher.delete("/api/scheduled/called%20off").await.expect(204);
    let repeat = async |body: &serde_json::Value| {
        let answer = publisher.publish(body).await;
        assert_eq!(answer.header("Idempotent-Replayed"), "true");
        let receipt = answer.expect(201);
        assert_eq!(receipt["id"], ids[&body["title"]], "{receipt}");
        receipt
    };
    for body in [&called_off, &replaced] {
        let receipt = repeat(body).await;
        assert_eq!((&receipt["cancelled"], receipt.get("deliverAt")), (&json!(true), None), "{receipt}");
    }
    for body in [&waits, &newest] {
        let receipt = repeat(body).await;
        assert_eq!((receipt.get("cancelled"), time(&receipt["deliverAt"])), (None, time(&json!(soon))), "{receipt}");
    }
    let batch =
        publisher.post("/api/notifications/batch", &json!([called_off, waits, replaced, newest])).await.expect(200);
    let told: Vec<_> = batch["results"].as_array().unwrap().iter().map(|one| one["cancelled"] == true).collect();
    assert_eq!(told, [true, false, true, false], "{batch}");

    let moved = json!({"deliverAt": later});
    let patch = publisher.request(reqwest::Method::PATCH, "/api/scheduled/waits").json(&moved);
    Answer::of(patch).await.expect(200);
    // Both the time of the delivery and the expiry pass at once.
    pass(&database, 700.0).await;
    let user = cluster.user("u1");
    eventually("what is due is delivered", async || (titles(&user, "").await == ["newest"]).then_some(())).await;
    assert_eq!(repeat(&over).await["cancelled"], true, "it expired before it was delivered");
    assert_eq!(repeat(&newest).await.get("cancelled"), None, "it was delivered");
    assert_eq!(repeat(&waits).await.get("cancelled"), None, "it waits for another time");
    // An item that is due no more has been delivered all the same.
    let due = json!({"users": ["u1"], "title": "due", "dueAt": at(&database, 600.0).await, "idempotencyKey": "due"});
    publisher.notify_with(due.clone()).await;
    publisher.delete("/api/scheduled/due").await.expect(204);
    assert_eq!(publisher.publish(&due).await.expect(201).get("cancelled"), None);
}

#[tokio::test]
async fn a_newer_one_with_the_same_collapse_key_and_recipients_takes_the_place_of_one_that_waits() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let soon = at(&database, 600.0).await;
    let body = |user: &str, title: &str, at: Option<&str>| {
        let mut body = json!({"users": [user], "title": title, "collapseKey": "reminder"});
        body.as_object_mut().unwrap().extend(at.map(|at| ("deliverAt".to_owned(), json!(at))));
        body
    };
    publisher.notify_with(body("u1", "old", Some(&soon))).await;
    publisher.notify_with(body("u1", "new", Some(&soon))).await;
    publisher.notify_with(body("u2", "other", Some(&soon))).await;
    publisher.notify_with(body("u3", "waits", Some(&soon))).await;
    publisher.notify_with(body("u3", "at once", None)).await;
    pass(&database, 601.0).await;
    for (user, title) in [("u1", "new"), ("u2", "other"), ("u3", "at once")] {
        let user = cluster.user(user);
        eventually("it is there", async || (!titles(&user, "").await.is_empty()).then_some(())).await;
        assert_eq!(titles(&user, "").await, [title]);
    }
}

#[tokio::test]
async fn topics_and_everyone_get_scheduled_publishes_and_no_user_gets_expired_ones() {
    let cluster = cluster().instances(2).start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    subscribe(&database, "team:7", &["a", "b"]).await;
    publisher.notify("c", "known").await;
    let (soon, end) = (at(&database, 600.0).await, at(&database, 700.0).await);
    publisher.notify_with(json!({"topics": ["team:7"], "users": ["d"], "title": "topic", "deliverAt": soon})).await;
    publisher
        .notify_with(json!({"everyone": true, "title": "everyone", "deliverAt": at(&database, 601.0).await}))
        .await;
    publisher.notify_with(json!({"users": ["a"], "title": "too late", "deliverAt": soon, "expiresAt": end})).await;
    // As if nothing had run for a while: a publish that expired meanwhile is not delivered any more.
    pass(&database, 800.0).await;
    for (user, wanted) in
        [("a", vec!["everyone", "topic"]), ("b", vec!["everyone", "topic"]), ("c", vec!["everyone", "known"])]
    {
        let user = cluster.user(user);
        let there = async || {
            let mut titles = titles(&user, "").await;
            titles.sort_unstable();
            (titles == wanted).then_some(())
        };
        eventually("what waited is there", there).await;
    }
    eventually("nothing waits", async || {
        (publisher.get("/api/scheduled").await.expect(200)["scheduled"] == json!([])).then_some(())
    })
    .await;
    is_sound(&database).await;
}

#[tokio::test]
async fn a_tenant_to_whom_much_is_due_at_once_does_not_hold_up_another() {
    let cluster = cluster().start().await;
    let database = cluster.postgres.connect().await;
    let much = "with made as (insert into notifications (id, tenant, kind, priority, title, source, fingerprint, recipients, \
        deliver_at, expires_at) select gen_random_uuid(), 'busy', 'k', 1, 't', 'http', '', 1, now() + interval '1 hour', \
        now() + interval '9 days' from generate_series(1, 20000) returning id, deliver_at) \
        insert into scheduled (notification_id, tenant, deliver_at, users, topics, everyone, fixed_expiry) \
        select id, 'busy', deliver_at, array['u' || row_number() over ()], '{}', false, false from made";
    database.batch_execute(much).await.unwrap();
    let body = json!({"users": ["u1"], "title": "mine", "deliverAt": at(&database, 3700.0).await});
    cluster.publisher().notify_with(body).await;
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    pass(&database, 3701.0).await;
    assert_eq!(next(&mut stream).await.1["title"], "mine");
    let left = "select count(*) from scheduled where tenant = 'busy'";
    let left: i64 = database.query_one(left, &[]).await.unwrap().get(0);
    assert!(left > 0, "the other tenant's were all sent before");
}

#[tokio::test]
async fn a_default_expiry_moves_along_with_the_delivery() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let (soon, later) = (at(&database, 3600.0).await, at(&database, 200.0 * 86_400.0).await);
    let body = |key: &str| json!({"users": ["u1"], "title": "t", "deliverAt": soon, "idempotencyKey": key});
    publisher.notify_with(body("free")).await;
    let mut fixed = body("fixed");
    fixed["expiresAt"] = json!(at(&database, 86_400.0).await);
    publisher.notify_with(fixed).await;
    let patch = async |name: &str, body| {
        Answer::of(publisher.request(reqwest::Method::PATCH, &format!("/api/scheduled/{name}")).json(&body)).await
    };
    let before = publisher.get("/api/scheduled/free").await.expect(200);
    let after = patch("free", json!({"deliverAt": later})).await.expect(200);
    let lasts = |publish: &serde_json::Value| time(&publish["expiresAt"]) - time(&publish["deliverAt"]);
    assert_eq!(lasts(&before), lasts(&after));
    let refused = patch("fixed", json!({"deliverAt": later})).await.problem(422);
    assert_eq!(refused["errors"][0]["pointer"], "/expiresAt");
    pass(&database, 2.0 * 86_400.0).await;
    eventually("it is over or sent", async || {
        (publisher.get("/api/scheduled/fixed").await.status == 409).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_entry_of_the_redis_stream_may_be_late_but_not_by_years() {
    let mut cluster = cluster().with_redis().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let mut redis = cluster.redis().connect().await;
    for (title, seconds) in [("an hour late", -3600.0), ("years late", -800.0 * 86_400.0)] {
        let body = json!({"users": ["u1"], "title": title, "deliverAt": at(&database, seconds).await}).to_string();
        let entry = [("tenant", "default"), ("message", body.as_str())];
        let _: String = redis::AsyncCommands::xadd(&mut redis, "tidings:ingest", "*", &entry).await.unwrap();
    }
    eventually("the one is there", async || (titles(&cluster.user("u1"), "").await == ["an hour late"]).then_some(()))
        .await;
    eventually("the other is a dead letter", async || {
        let dead: usize = redis::AsyncCommands::xlen(&mut redis, "tidings:ingest:dead").await.unwrap();
        (dead == 1).then_some(())
    })
    .await;
    let body = json!({"users": ["u1"], "title": "t", "deliverAt": at(&database, -60.0).await});
    publisher.publish(&body).await.problem(422);
    assert_eq!(titles(&cluster.user("u1"), "").await, ["an hour late"]);
}

#[tokio::test]
async fn publishes_that_come_due_together_arrive_in_the_order_of_their_times() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    for second in [5, 3, 1, 4, 2] {
        let time = at(&database, 600.0 + f64::from(second) * 10.0).await;
        publisher.notify_with(json!({"users": ["u1"], "title": second.to_string(), "deliverAt": time})).await;
    }
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    pass(&database, 700.0).await;
    assert_eq!(stream.titles(5).await, ["1", "2", "3", "4", "5"]);
}
