//! A user joins, mutes and leaves: the stored state, and the events on every stream of the user.

use super::*;

#[tokio::test]
async fn every_tab_on_every_instance_gets_a_change_once() {
    let cluster = cluster().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    kind(&cluster.edge(), "team", "open").await;
    let (here, there) = (cluster.user("u1"), cluster.instances[1].edge().user("u1"));
    let mut streams = [here.stream().await, there.stream().await];
    for stream in &mut streams {
        stream.hello().await;
    }
    cluster.publisher().notify("u1", "before").await;
    let path = subscription("team:7");
    let off = json!({"topic": "team:7", "subscribed": true, "mutedUntil": null});
    assert_eq!(here.set(&path).await.expect(200), off);
    assert_eq!(there.set(&path).await.expect(200), off, "a repeat changes nothing");
    assert_eq!(here.put(&path, &json!({})).await.expect(200), off);
    there.put(&path, &json!({"mutedUntil": "2027-01-31T09:00:00+01:00"})).await.expect(200);
    here.put(&path, &json!({"mutedUntil": "forever"})).await.expect(200);
    assert_eq!(there.set(&path).await.expect(200)["mutedUntil"], "forever", "it stays as it is");
    here.put(&path, &json!({"mutedUntil": null})).await.expect(200);
    assert_eq!(there.delete(&path).await.expect(200)["subscribed"], false);
    assert_eq!(here.delete(&path).await.expect(200)["subscribed"], false);
    for stream in &mut streams {
        assert_eq!(stream.titles(1).await, ["before"]);
        let until = "2027-01-31T08:00:00Z".into();
        for (subscribed, muted) in
            [(true, Value::Null), (true, until), (true, "forever".into()), (true, Value::Null), (false, Value::Null)]
        {
            let expected = json!({"topic": "team:7", "subscribed": subscribed, "mutedUntil": muted, "unread": 1});
            assert_eq!(told(stream).await, expected);
        }
    }
    assert_eq!(streams[0].cursor, streams[1].cursor);
    assert_eq!(Some(here.list("").await["cursor"].as_str().unwrap()), streams[0].cursor.as_deref());
}

#[tokio::test]
async fn a_reconnect_gets_the_newest_state_of_each_subscription_in_order() {
    let cluster = cluster().instances(2).start().await;
    kind(&cluster.edge(), "team", "open").await;
    let user = cluster.user("u1");
    let start = user.list("").await["cursor"].as_str().unwrap().to_owned();
    user.set(&subscription("team:1")).await.expect(200);
    cluster.publisher().notify("u1", "between").await;
    user.set(&subscription("team:2")).await.expect(200);
    user.put(&subscription("team:1"), &json!({"mutedUntil": "forever"})).await.expect(200);
    user.delete(&subscription("team:2")).await.expect(200);
    let mut stream = cluster.instances[1].edge().user("u1").resume(&start).await;
    assert_eq!(stream.hello().await["verdict"], "resumed");
    assert_eq!(stream.titles(1).await, ["between"]);
    let muted = json!({"topic": "team:1", "subscribed": true, "mutedUntil": "forever", "unread": 1});
    assert_eq!(told(&mut stream).await, muted);
    let left = json!({"topic": "team:2", "subscribed": false, "mutedUntil": null, "unread": 1});
    assert_eq!(told(&mut stream).await, left);
    assert_eq!(stream.cursor.as_deref(), user.list("").await["cursor"].as_str());
}

#[tokio::test]
async fn filters_do_not_leave_subscriptions_out() {
    let cluster = cluster().start().await;
    kind(&cluster.edge(), "team", "open").await;
    let user = cluster.user("u1");
    let start = user.list("").await["cursor"].as_str().unwrap().to_owned();
    user.set(&subscription("team:1")).await.expect(200);
    let mut stream = user.stream_with("?kinds=none&minPriority=critical", Some(&start)).await;
    stream.hello().await;
    assert_eq!(told(&mut stream).await["topic"], "team:1");
    user.set(&subscription("team:2")).await.expect(200);
    assert_eq!(told(&mut stream).await["topic"], "team:2");
}

#[tokio::test]
async fn topics_are_listed_in_pages_that_hold_while_others_are_joined() {
    let cluster = cluster().start().await;
    kind(&cluster.edge(), "team", "open").await;
    let user = cluster.user("u1");
    for name in ["team:a", "team:b", "team:d"] {
        user.set(&subscription(name)).await.expect(200);
    }
    cluster.edge().admin().set("/api/topics/team:d/members/u1").await.expect(204);
    cluster.user("u2").set(&subscription("team:x")).await.expect(200);
    let first = user.get("/api/topics?limit=2").await.expect(200);
    assert_eq!(first["topics"][1]["topic"], "team:b");
    assert_eq!(first["topics"][0]["member"], false);
    user.set(&subscription("team:aa")).await.expect(200);
    let next = first["nextPage"].as_str().unwrap();
    let second = user.get(&format!("/api/topics?limit=2&page={next}")).await.expect(200);
    assert_eq!(second["topics"].as_array().unwrap().len(), 1);
    assert_eq!((&second["topics"][0]["topic"], &second["topics"][0]["member"]), (&"team:d".into(), &true.into()));
    assert_eq!(second["nextPage"], Value::Null);
    for query in ["limit=0", "limit=1001", "page=%21", "page=", "user=u2"] {
        user.get(&format!("/api/topics?{query}")).await.problem(400);
    }
}

#[tokio::test]
async fn a_change_while_redis_is_away_reaches_other_instances() {
    let mut cluster = cluster().instances(2).start().await;
    kind(&cluster.edge(), "team", "open").await;
    let mut stream = cluster.instances[1].edge().user("u1").stream().await;
    stream.hello().await;
    cluster.redis().kill();
    cluster.user("u1").set(&subscription("team:7")).await.expect(200);
    assert_eq!(told(&mut stream).await["subscribed"], true);
    cluster.user("u1").delete(&subscription("team:7")).await.expect(200);
    assert_eq!(told(&mut stream).await["subscribed"], false);
}

#[tokio::test]
async fn changes_that_no_cursor_can_ask_for_are_purged_and_later_ones_are_replayed() {
    let cluster = cluster().set("TIDINGS_SWEEP_SECONDS", "0.2").start().await;
    kind(&cluster.edge(), "team", "open").await;
    let user = cluster.user("u1");
    user.set(&subscription("team:1")).await.expect(200);
    cluster.publisher().notify("u1", "old").await;
    let database = cluster.postgres.connect().await;
    database.execute("update notifications set expires_at = now()", &[]).await.unwrap();
    eventually("it is swept", async || (user.list("").await["total"] == 0).then_some(())).await;
    let swept = user.list("").await["cursor"].as_str().unwrap().to_owned();
    user.set(&subscription("team:2")).await.expect(200);
    database.execute("update notifications set swept_at = now() - interval '30 days'", &[]).await.unwrap();
    eventually("it is forgotten", async || (rows(&cluster, "notifications").await == 0).then_some(())).await;
    assert_eq!(rows(&cluster, "account_changes").await, 1);
    assert_eq!(joined(&user).await, ["team:1", "team:2"]);
    let mut stream = user.resume(&swept).await;
    assert_eq!(stream.hello().await["verdict"], "resumed");
    assert_eq!(told(&mut stream).await["topic"], "team:2");
}
