//! The users who may join, by the topic's kind, by the token and by membership; and the refusals.

use super::*;

#[tokio::test]
async fn the_kind_the_token_or_a_membership_lets_a_user_join() {
    let cluster = cluster().start().await;
    let edge = cluster.edge();
    kind(&edge, "lobby", "open").await;
    kind(&edge, "news", "readOnly").await;
    kind(&edge, "team", "members").await;
    edge.admin().set("/api/topics/team:1/members/u1").await.expect(204);
    let covered = edge.caller(&Token::of("u2").claim("topics", json!(["team:2", "queue:*"])));
    for (caller, topic, may) in [
        (edge.user("u1"), "lobby:a", true),
        (edge.user("u1"), "lobby", true),
        (edge.user("u1"), "news:a", true),
        (edge.user("u1"), "team:1", true),
        (edge.user("u1"), "team:2", false),
        (edge.user("u1"), "other:1", false),
        (covered.clone(), "team:2", true),
        (covered.clone(), "team:1", false),
        (covered.clone(), "team:22", false),
        (covered.clone(), "queue:9", true),
        (covered, "queue", false),
    ] {
        let status = if may { 200 } else { 403 };
        caller.set(&subscription(topic)).await.expect(status);
        let looked = caller.get(&format!("/api/topics/{topic}")).await;
        assert_eq!(looked.status, status, "{topic}");
    }
}

#[tokio::test]
async fn a_user_who_may_not_join_cannot_find_out_which_topics_exist() {
    let cluster = cluster().start().await;
    let edge = cluster.edge();
    edge.admin().set("/api/topics/team:1").await.expect(204);
    let stranger = edge.user("stranger");
    let strip = |answer: &Answer| {
        let mut problem = answer.problem(403);
        problem.as_object_mut().unwrap().remove("instance");
        problem
    };
    for path in ["", "/subscription"] {
        let (known, unknown) = (format!("/api/topics/team:1{path}"), format!("/api/topics/team:2{path}"));
        let asked = if path.is_empty() {
            (stranger.get(&known).await, stranger.get(&unknown).await)
        } else {
            (stranger.set(&known).await, stranger.set(&unknown).await)
        };
        assert_eq!(strip(&asked.0), strip(&asked.1));
    }
    let left = stranger.delete(&subscription("team:1")).await.expect(200);
    assert_eq!(left["subscribed"], stranger.delete(&subscription("team:2")).await.expect(200)["subscribed"]);
    let covered = edge.caller(&Token::of("u1").claim("topics", json!(["team:*"])));
    covered.get("/api/topics/team:2").await.problem(404);
    let seen = covered.get("/api/topics/team:1").await.expect(200);
    assert_eq!((&seen["access"], &seen["subscribed"]), (&"members".into(), &false.into()));
    assert_eq!(rows(&cluster, "topics").await, 1, "no question made a topic");
}

#[tokio::test]
async fn an_unknown_topic_is_named_by_its_pointer_and_is_not_made() {
    let cluster = cluster().start().await;
    let edge = cluster.edge();
    edge.caller(&Token::admin().tenant("other")).set("/api/topics/team:1").await.expect(204);
    let (admin, covered) = (edge.admin(), edge.caller(&Token::of("u1").claim("topics", json!(["team:*"]))));
    let path = |rest: &str| format!("/api/topics/team:1{rest}");
    let (nobody, removal) = (json!({}), json!({"remove": ["u1"]}));
    for unknown in [
        admin.get(&path("")).await,
        covered.get(&path("")).await,
        covered.delete(&path("/subscription")).await,
        admin.delete(&path("/subscribers/u1")).await,
        admin.delete(&path("/members/u1")).await,
        admin.get(&path("/members")).await,
        admin.post(&path("/members"), &removal).await,
        admin.post(&path("/members"), &nobody).await,
        admin.post(&path("/subscribers"), &removal).await,
        admin.post(&path("/subscribers"), &nobody).await,
    ] {
        assert_eq!(unknown.problem(404)["type"], "urn:tidings:problem:no-such-topic");
    }
    let signal = admin.post("/api/signals", &json!({"topic": "team:1", "kind": "typing"})).await.problem(422);
    assert_eq!(signal["errors"][0]["pointer"], "/topic", "{signal}");
    let publish = admin.publish(&json!({"topics": ["team:1"], "title": "t"})).await.problem(422);
    assert_eq!(publish["errors"][0]["pointer"], "/topics/0", "{publish}");
    let presence = admin.get("/api/presence?topic=team:1").await.problem(400);
    assert_eq!(presence["errors"][0]["parameter"], "topic", "{presence}");
    assert_eq!(rows(&cluster, "topics where tenant = 'default'").await, 0, "no question made a topic");
}

#[tokio::test]
async fn an_empty_removal_from_a_known_topic_succeeds() {
    let cluster = cluster().start().await;
    let admin = cluster.edge().admin();
    for (maker, body) in
        [("members", json!({"add": ["u1"], "remove": ["u2"]})), ("subscribers", json!({"add": ["u1"]}))]
    {
        admin.post(&format!("/api/topics/{maker}:1/{maker}"), &body).await.expect(200);
        admin.post(&format!("/api/topics/{maker}:1/{maker}"), &json!({"remove": ["u3"]})).await.expect(200);
        for path in ["members/u3", "subscribers/u3"] {
            admin.delete(&format!("/api/topics/{maker}:1/{path}")).await.expect(204);
        }
        assert_eq!(admin.delete(&subscription(&format!("{maker}:1"))).await.expect(200)["subscribed"], false);
    }
}

#[tokio::test]
async fn kinds_are_registered_looked_at_and_forgotten() {
    let cluster = cluster().start().await;
    let admin = cluster.edge().admin();
    let given = json!({"access": "readOnly", "signalIntervalMs": 250, "presence": true});
    let mut named = given.clone();
    named["kind"] = "queue".into();
    assert_eq!(admin.put("/api/topic-kinds/queue", &given).await.expect(200), named);
    assert_eq!(admin.get("/api/topic-kinds/queue").await.expect(200), named);
    kind(&cluster.edge(), "queue", "open").await;
    let open = json!({"kind": "queue", "access": "open", "signalIntervalMs": 0, "presence": false});
    assert_eq!(admin.get("/api/topic-kinds").await.expect(200), json!({"kinds": [open]}));
    let user = cluster.user("u1");
    user.set(&subscription("queue:1")).await.expect(200);
    admin.delete("/api/topic-kinds/queue").await.expect(204);
    admin.delete("/api/topic-kinds/queue").await.expect(204);
    admin.get("/api/topic-kinds/queue").await.problem(404);
    user.set(&subscription("queue:2")).await.problem(403);
    user.set(&subscription("queue:1")).await.expect(200);
}

#[tokio::test]
async fn malformed_names_and_rules_are_refused() {
    let cluster = cluster().start().await;
    let (admin, user) = (cluster.edge().admin(), cluster.user("u1"));
    for name in ["team:*", "-a", "a%20b", "a%2Fb", "%00", "%FF", &"t".repeat(201)] {
        let problem = user.set(&subscription(name)).await.problem(400);
        assert!(problem["detail"].as_str().unwrap().contains("topic"), "{problem}");
    }
    admin.set(&format!("/api/topics/team:7/members/{}", "u".repeat(257))).await.problem(400);
    admin.set("/api/topics/team:7/members/a%0Ab").await.problem(400);
    admin.put("/api/topic-kinds/team:7", &json!({"access": "open"})).await.problem(400);
    for (body, pointer) in [
        (json!({"access": "closed"}), "/access"),
        (json!({"presence": true}), ""),
        (json!({"access": "open", "signalIntervalMs": 60_001}), "/signalIntervalMs"),
        (json!({"access": "open", "signalIntervalMs": -1}), "/signalIntervalMs"),
        (json!({"access": "open", "color": "red"}), "/color"),
    ] {
        let problem = admin.put("/api/topic-kinds/team", &body).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    kind(&cluster.edge(), "team", "open").await;
    for muted in [json!("tomorrow"), json!(7), json!(""), json!("2027-02-30T00:00:00Z")] {
        let problem = user.put(&subscription("team:7"), &json!({"mutedUntil": muted})).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], "/mutedUntil", "{problem}");
    }
    let text = user.request(reqwest::Method::PUT, &subscription("team:7")).body("forever");
    Answer::of(text).await.problem(415);
    assert_eq!(joined(&user).await, [""; 0]);
}
