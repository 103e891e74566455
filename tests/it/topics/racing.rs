//! Concurrent changes: the stored state, the seqs and the events of streams agree, in every order.

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn after_concurrent_changes_of_one_user_the_last_event_shows_the_stored_state() {
    let cluster = cluster().instances(3).start().await;
    kind(&cluster.edge(), "team", "open").await;
    for topic in ["team:0", "team:1"] {
        cluster.edge().admin().set(&format!("/api/topics/{topic}")).await.expect(204);
    }
    let callers: Vec<_> = cluster.edges().iter().map(|edge| edge.user("u1")).collect();
    let mut streams = Vec::new();
    for caller in &callers {
        let mut stream = caller.stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    let changes = (0..120).map(|number| {
        let (caller, topic) = (callers[number % 3].clone(), format!("team:{}", number / 3 % 2));
        async move {
            match number / 6 % 3 {
                0 => caller.set(&subscription(&topic)).await.expect(200),
                1 => caller.delete(&subscription(&topic)).await.expect(200),
                _ => caller.put(&subscription(&topic), &json!({"mutedUntil": "forever"})).await.expect(200),
            }
        }
    });
    join_all(changes).await;
    let end = callers[0].list("").await["cursor"].as_str().unwrap().to_owned();
    let stored = callers[0].get("/api/topics").await.expect(200)["topics"].clone();
    for stream in &mut streams {
        let mut last = std::collections::BTreeMap::new();
        while stream.cursor.as_deref() != Some(&end) {
            let state = told(stream).await;
            last.insert(state["topic"].as_str().unwrap().to_owned(), state);
        }
        last.retain(|_, state| state["subscribed"] == true);
        let told: Vec<_> = last.iter().map(|(topic, state)| (topic.as_str(), &state["mutedUntil"])).collect();
        let stored: Vec<_> = stored.as_array().unwrap().iter().collect();
        let stored: Vec<_> = stored.iter().map(|each| (each["topic"].as_str().unwrap(), &each["mutedUntil"])).collect();
        assert_eq!(told, stored);
    }
}

#[tokio::test]
async fn no_removed_member_keeps_a_subscription_that_was_made_meanwhile() {
    removed_meanwhile(cluster().instances(2)).await;
}

#[tokio::test]
async fn no_removed_member_keeps_a_subscription_that_was_made_meanwhile_over_postgres_too() {
    removed_meanwhile(cluster().on_postgres_alone(2)).await;
}

async fn removed_meanwhile(plan: Plan) {
    let cluster = plan.start().await;
    let (admin, edge) = (cluster.edge().admin(), cluster.instances[1].edge());
    // Each is new to the server, so that not even the stream exists before the race.
    let races = (0..60).map(|number| {
        let (admin, user, name) = (admin.clone(), edge.user(&format!("u{number}")), format!("u{number}"));
        async move {
            let membership = format!("/api/topics/team:7/members/{name}");
            admin.set(&membership).await.expect(204);
            let path = subscription("team:7");
            let (removed, joined) = tokio::join!(admin.delete(&membership), user.set(&path));
            removed.expect(204);
            assert!([200, 403].contains(&joined.status), "{joined:?}");
            joined.status == 200
        }
    });
    let joined = join_all(races).await.into_iter().filter(|joined| *joined).count();
    assert_eq!(rows(&cluster, "subscriptions").await, 0, "{joined} had joined before");
}

#[tokio::test]
async fn the_bound_of_subscriptions_holds_when_they_are_made_at_once() {
    let cluster = cluster().instances(2).set("TIDINGS_MAX_SUBSCRIPTIONS", "3").start().await;
    kind(&cluster.edge(), "team", "open").await;
    let callers: Vec<_> = cluster.edges().iter().map(|edge| edge.user("u1")).collect();
    let wishes = (0..12).map(|number| {
        let caller = callers[number % 2].clone();
        async move { caller.set(&subscription(&format!("team:{number}"))).await }
    });
    let answers = join_all(wishes).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert_eq!(refused.len(), 9);
    for answer in refused {
        let problem = answer.problem(413);
        assert!(problem["detail"].as_str().unwrap().contains("max_subscriptions"), "{problem}");
    }
    let mine = joined(&callers[0]).await;
    assert_eq!(mine.len(), 3);
    callers[1].set(&subscription(&mine[0])).await.expect(200);
    callers[1].delete(&subscription(&mine[0])).await.expect(200);
    callers[1].set(&subscription("team:new")).await.expect(200);
}

/// A user leaves while a chunk of a fan-out has looked for its users and waits for the stream of the first of them.
#[tokio::test]
async fn a_user_who_has_left_gets_nothing_from_a_chunk_under_way() {
    let cluster = cluster().instances(2).set("TIDINGS_STATEMENT_TIMEOUT_SECONDS", "30").start().await;
    let (admin, edge) = (cluster.edge().admin(), cluster.instances[1].edge());
    let users = ["a", "both", "leaver", "member", "subscriber"];
    admin.post("/api/topics/team:7/members", &json!({"add": users})).await.expect(200);
    admin.set("/api/topics/queue:x/members/both").await.expect(204);
    cluster.user("both").set(&subscription("queue:x")).await.expect(200);
    for user in users {
        cluster.user(user).set(&subscription("team:7")).await.expect(200);
    }
    let database = cluster.postgres.connect().await;
    let unseen = "insert into subscriptions (tenant, topic, user_id) values ('default', 'team:7', 'unseen')";
    database.execute(unseen, &[]).await.unwrap();
    let mut stream = edge.user("member").stream().await;
    stream.hello().await;

    let mut holder = cluster.postgres.connect().await;
    let held = holder.transaction().await.unwrap();
    held.execute("select from streams where user_id = 'a' for update", &[]).await.unwrap();
    let id = cluster.publisher().notify_with(json!({"topics": ["team:7", "queue:x"], "title": "t"})).await;
    eventually("the chunk waits", async || {
        (rows(&cluster, "pg_stat_activity where wait_event_type = 'Lock'").await == 1).then_some(())
    })
    .await;
    edge.admin().delete("/api/topics/team:7/members/member").await.expect(204);
    edge.admin().post("/api/topics/team:7/members", &json!({"remove": ["both"]})).await.expect(200);
    edge.user("leaver").delete(&subscription("team:7")).await.expect(200);
    edge.admin().delete("/api/topics/team:7/subscribers/subscriber").await.expect(204);
    edge.admin().post("/api/topics/team:7/subscribers", &json!({"remove": ["unseen"]})).await.expect(200);
    held.rollback().await.unwrap();
    assert_eq!(finished(&cluster, &id).await["recipients"], 2);
    assert_eq!(rows(&cluster, "inbox where user_id = 'a' and topic = 1").await, 1);
    assert_eq!(rows(&cluster, "inbox where user_id = 'both' and topic = 2").await, 1, "the other topic leads there");
    assert_eq!(told(&mut stream).await["subscribed"], false);
    cluster.publisher().notify("member", "after").await;
    assert_eq!(stream.titles(1).await, ["after"]);
}

#[tokio::test]
async fn of_many_users_who_leave_none_gets_anything_afterwards() {
    const ITEM_AFTER_END: &str = "inbox as i join account_changes as c using (tenant, user_id) \
        where c.name = 'topic:team:7' and i.seq > c.changed_seq \
        and not exists (select from subscriptions as s where s.tenant = i.tenant and s.user_id = i.user_id)";
    let cluster = cluster().instances(3).start().await;
    let (edges, publisher) = (cluster.edges(), cluster.publisher());
    let path = "/api/topics/team:7/subscribers";
    let users: Vec<_> = (0..2_000).map(|number| format!("m{number}")).collect();
    for some in users.chunks(1_000) {
        cluster.edge().admin().post(path, &json!({"add": some})).await.expect(200);
    }
    let publishing = async {
        let mut ids = Vec::new();
        for number in 0..8 {
            ids.push(publisher.notify_with(json!({"topics": ["team:7"], "title": number.to_string()})).await);
        }
        for id in &ids {
            finished(&cluster, id).await;
        }
    };
    // Each takes out users who lie far apart, so it meets several chunks.
    let removing = (0..60).map(|turn| {
        let admin = edges[turn % 3].admin();
        let some: Vec<_> = users.iter().skip(turn).step_by(80).collect();
        async move {
            // On a slow machine some wait for too long for a connection, and are to come again.
            let mut answer = admin.post(path, &json!({"remove": some})).await;
            while answer.status == 503 {
                answer = admin.post(path, &json!({"remove": some})).await;
            }
            answer.expect(200)
        }
    });
    tokio::join!(publishing, join_all(removing));
    assert_eq!(rows(&cluster, "subscriptions").await, 500);
    assert_eq!(rows(&cluster, ITEM_AFTER_END).await, 0);
    assert!(!cluster.postgres.log().contains("deadlock detected"));
}

#[tokio::test]
async fn a_bulk_change_and_a_publish_to_the_same_new_users_do_not_wait_for_each_other() {
    let cluster = cluster().instances(2).start().await;
    let (admin, publisher) = (cluster.edge().admin(), cluster.instances[1].edge().publisher());
    publisher.notify("a", "makes the stream").await;
    for number in 0..40 {
        let users: Vec<_> = std::iter::once("a".to_owned()).chain((0..200).map(|n| format!("u{number}-{n}"))).collect();
        let roll = json!({"add": users, "remove": [format!("nobody{number}")]});
        let (changed, _) = tokio::join!(
            admin.post("/api/topics/team:7/subscribers", &roll),
            publisher.notify_with(json!({"users": users, "title": "t"})),
        );
        changed.expect(200);
    }
    assert!(!cluster.postgres.log().contains("deadlock detected"));
    assert_eq!(rows(&cluster, "streams where user_id like 'nobody%'").await, 0);
}
