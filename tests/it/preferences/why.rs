//! The explanation why an item came to a user or did not, for the callers who may know of it.

use serde_json::{Value, json};

use super::{put, why};
use crate::harness::*;

/// Whether it was delivered, and if not why.
async fn outcome(caller: &Caller, id: &str) -> (bool, Value) {
    let why = caller.get(&format!("/api/notifications/{id}/why")).await.expect(200);
    assert_eq!((&why["id"], &why["kind"], &why["priority"]), (&json!(id), &json!("system_alert"), &json!("medium")));
    assert_eq!(why["detail"].is_string(), why["reason"].is_string(), "{why}");
    (why["delivered"].as_bool().unwrap(), why["reason"].clone())
}

async fn finished(cluster: &Cluster, id: &str) {
    eventually("the fan-out is finished", async || {
        let progress = cluster.publisher().get(&format!("/api/fanouts/{id}")).await.expect(200);
        (progress["state"] == "finished").then_some(())
    })
    .await;
}

/// Publishes to team:7 on behalf of its subscriber `actor`; subscribed besides is `a`, a member besides is `member`.
async fn publish_to_team(cluster: &Cluster, access: &str) -> String {
    let admin = cluster.edge().admin();
    admin.put("/api/topic-kinds/team", &json!({"access": access})).await.expect(200);
    let (subscribers, members) = (json!({"add": ["a", "actor"]}), json!({"add": ["member"]}));
    admin.post("/api/topics/team:7/subscribers", &subscribers).await.expect(200);
    admin.post("/api/topics/team:7/members", &members).await.expect(200);
    let body = json!({"topics": ["team:7"], "actor": "actor", "title": "t"});
    let id = cluster.publisher().notify_with(body).await;
    finished(cluster, &id).await;
    id
}

#[tokio::test]
async fn a_caller_who_may_know_of_a_fan_out_gets_the_reason_why_it_did_not_come() {
    let cluster = cluster().start().await;
    let id = publish_to_team(&cluster, "members").await;
    let (edge, path) = (cluster.edge(), format!("/api/notifications/{id}/why"));
    assert_eq!(outcome(&edge.user("a"), &id).await, (true, Value::Null));
    assert_eq!(outcome(&edge.user("actor"), &id).await, (false, json!("actor")));
    assert_eq!(why(&edge.user("actor"), &id).await, []);
    // A caller who may look at the topic may know.
    let covered = edge.caller(&Token::of("covered").claim("topics", json!(["team:*"])));
    for caller in [&edge.user("member"), &covered] {
        assert_eq!(outcome(caller, &id).await, (false, json!("notSubscribed")));
    }
    let asked = edge.admin().get(&format!("{path}?user=stranger")).await.expect(200);
    assert_eq!((&asked["delivered"], &asked["reason"]), (&json!(false), &json!("notSubscribed")));
    // To all others it is as if it did not exist.
    let unknown = edge.user("stranger").get("/api/notifications/00000000-0000-7000-8000-000000000000/why").await;
    let known = edge.user("stranger").get(&path).await;
    assert_eq!(known.problem(404)["detail"], unknown.problem(404)["detail"]);
    edge.user("stranger").get(&format!("{path}?user=a")).await.problem(403);
    for token in [Token::of("a").tenant("other"), Token::of("actor").tenant("other"), Token::admin().tenant("other")] {
        edge.caller(&token).get(&path).await.problem(404);
    }
    edge.admin().put("/api/topic-kinds/team", &json!({"access": "readOnly"})).await.expect(200);
    assert_eq!(outcome(&edge.user("stranger"), &id).await, (false, json!("notSubscribed")));
}

#[tokio::test]
async fn late_and_withheld_notifications_have_their_reason() {
    let cluster = cluster().start().await;
    let off = json!({"kinds": {"system_alert": {"inbox": false}}});
    put(&cluster.user("off"), "*", &off).await.expect(200);
    let id = publish_to_team(&cluster, "open").await;
    let late = cluster.user("late");
    assert_eq!(outcome(&late, &id).await, (false, json!("notSubscribed")));
    late.set("/api/topics/team:7/subscription").await.expect(200);
    assert_eq!(outcome(&late, &id).await, (false, json!("late")));
    let broad = cluster.publisher().notify_with(json!({"everyone": true, "actor": "a", "title": "t"})).await;
    finished(&cluster, &broad).await;
    assert_eq!(outcome(&cluster.user("a"), &broad).await, (false, json!("actor")));
    assert_eq!(outcome(&late, &broad).await, (true, Value::Null));
    assert_eq!(outcome(&cluster.user("new"), &broad).await, (false, json!("late")));
    assert_eq!(outcome(&cluster.user("off"), &broad).await, (false, json!("withheld")));
    assert_eq!(why(&cluster.user("off"), &broad).await.len(), 6, "the channels say which preference it was");
    // A user who was no recipient gets no answer that names its users.
    let direct = cluster.publisher().notify("a", "t").await;
    late.get(&format!("/api/notifications/{direct}/why")).await.problem(404);
}

#[tokio::test]
async fn a_notification_on_its_way_is_pending_until_it_comes_or_expires() {
    let cluster = cluster().start().await;
    let (edge, database) = (cluster.edge(), cluster.postgres.connect().await);
    let many: Vec<_> = (100..700).map(|number| format!("m{number}")).collect();
    for users in many.chunks(500) {
        edge.admin().post("/api/topics/large/subscribers", &json!({"add": users})).await.expect(200);
    }
    edge.user("a").list("").await;
    let mut holder = cluster.postgres.connect().await;
    let held = holder.transaction().await.unwrap();
    // The last in the order of their names: the first chunk is written, the second waits.
    held.execute("select from streams where user_id = 'm699' for update", &[]).await.unwrap();
    let batch = ["first", "second"].map(|title| json!({"topics": ["large"], "everyone": true, "title": title}));
    let results =
        cluster.publisher().post("/api/notifications/batch", &json!(batch)).await.expect(200)["results"].clone();
    let [first, second] = &[0, 1].map(|index| results[index]["id"].as_str().unwrap().to_owned());
    eventually("the first chunks are written", async || {
        let written = "select count(*) from fanouts where delivered = 500";
        (database.query_one(written, &[]).await.unwrap().get::<_, i64>(0) == 2).then_some(())
    })
    .await;
    assert_eq!(outcome(&edge.user("m100"), first).await, (true, Value::Null));
    assert_eq!(outcome(&edge.user("m699"), first).await, (false, json!("pending")));
    // Everyone comes after the subscribers.
    assert_eq!(outcome(&edge.user("a"), first).await, (false, json!("pending")));
    let expire = format!("update notifications set expires_at = now() where id = '{second}'");
    database.batch_execute(&expire).await.unwrap();
    held.rollback().await.unwrap();
    for id in [first, second] {
        finished(&cluster, id).await;
    }
    for user in ["m699", "a"] {
        assert_eq!(outcome(&edge.user(user), first).await, (true, Value::Null), "{user}");
        assert_eq!(outcome(&edge.user(user), second).await, (false, json!("expired")), "{user}");
    }
}

#[tokio::test]
async fn only_the_user_and_administrators_get_the_explanation() {
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
