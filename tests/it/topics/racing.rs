//! Changes that meet: what is stored, the seqs and what streams are told agree whoever wins.

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn concurrent_changes_of_one_user_leave_what_was_told_last() {
    let cluster = cluster().instances(3).start().await;
    kind(&cluster.edge(), "team", "open").await;
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
    let cluster = cluster().instances(2).start().await;
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
