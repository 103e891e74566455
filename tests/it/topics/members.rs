//! Administrators change the members of a topic.

use super::*;

#[tokio::test]
async fn a_removed_member_is_unsubscribed_everywhere_when_the_removal_is_answered() {
    removed_everywhere(cluster().instances(3)).await;
}

#[tokio::test]
async fn a_removed_member_is_unsubscribed_everywhere_when_the_removal_is_answered_over_postgres_too() {
    removed_everywhere(cluster().on_postgres_alone(3)).await;
}

async fn removed_everywhere(plan: Plan) {
    let cluster = plan.set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    let (admin, user) = (cluster.edge().admin(), cluster.user("u1"));
    assert_eq!(user.set(&subscription("team:7")).await.problem(403)["type"], "urn:tidings:problem:may-not-join");
    admin.set("/api/topics/team:7/members/u1").await.expect(204);
    admin.set("/api/topics/team:7/members/u1").await.expect(204);
    user.set(&subscription("team:7")).await.expect(200);
    let mut streams = Vec::new();
    for edge in cluster.edges() {
        let mut stream = edge.user("u1").stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    cluster.instances[1].edge().admin().delete("/api/topics/team:7/members/u1").await.expect(204);
    assert_eq!(rows(&cluster, "subscriptions").await, 0);
    assert_eq!(rows(&cluster, "topic_members").await, 0);
    assert_eq!(joined(&user).await, [""; 0]);
    for stream in &mut streams {
        assert_eq!(told(stream).await["subscribed"], false);
    }
    user.set(&subscription("team:7")).await.problem(403);
    admin.delete("/api/topics/team:7/members/u1").await.expect(204);
}

#[tokio::test]
async fn many_users_are_subscribed_at_once_and_each_gets_the_event() {
    let cluster = cluster().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    let users: Vec<_> = (0..1_000).map(|number| format!("user {number}/é")).collect();
    let mut streams = Vec::new();
    for (index, edge) in [0, 999, 500].into_iter().zip(cluster.edges().iter().cycle()) {
        let mut stream = edge.user(&users[index]).stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    let admin = cluster.edge().admin();
    let path = "/api/topics/team:7/subscribers";
    let twice: Vec<_> = users.iter().rev().chain(&users[..0]).collect();
    let changed = admin.post(path, &json!({"add": twice})).await.expect(200);
    assert_eq!(changed, json!({"added": 1_000, "removed": 0}));
    let changed = admin.post(path, &json!({"add": users[1..], "remove": [users[0], "nobody"]})).await.expect(200);
    assert_eq!(changed, json!({"added": 0, "removed": 1}));
    assert_eq!(told(&mut streams[0]).await["subscribed"], true);
    assert_eq!(told(&mut streams[0]).await["subscribed"], false);
    for stream in &mut streams[1..] {
        assert_eq!(told(stream).await["topic"], "team:7");
    }
    assert_eq!(rows(&cluster, "subscriptions where topic = 'team:7'").await, 999);
    assert_eq!(rows(&cluster, "streams where user_id = 'nobody'").await, 0, "nobody was made up");
}

#[tokio::test]
async fn an_administrator_subscribes_a_user_who_may_not_join() {
    let cluster = cluster().start().await;
    let (admin, user) = (cluster.edge().admin(), cluster.user("a b/c%2F+é"));
    let path = "/api/topics/team:7/subscribers/a%20b%2Fc%252F%2B%C3%A9";
    let mut stream = user.stream().await;
    stream.hello().await;
    admin.set(path).await.expect(204);
    admin.set(path).await.expect(204);
    assert_eq!(told(&mut stream).await["subscribed"], true);
    assert_eq!(joined(&user).await, ["team:7"]);
    user.put(&subscription("team:7"), &json!({"mutedUntil": "forever"})).await.expect(200);
    assert_eq!(told(&mut stream).await["mutedUntil"], "forever");
    admin.delete(path).await.expect(204);
    assert_eq!(told(&mut stream).await["subscribed"], false);
}

#[tokio::test]
async fn members_are_added_removed_and_listed_in_bulk() {
    let cluster = cluster().start().await;
    let admin = cluster.edge().admin();
    let path = "/api/topics/team:7/members";
    let users: Vec<_> = (0..5).map(|number| format!("u{number}")).collect();
    assert_eq!(admin.post(path, &json!({"add": users})).await.expect(200), json!({"added": 5, "removed": 0}));
    cluster.user("u3").set(&subscription("team:7")).await.expect(200);
    let changed = admin.post(path, &json!({"add": ["u4"], "remove": ["u3", "u9"]})).await.expect(200);
    assert_eq!(changed, json!({"added": 0, "removed": 1}));
    assert_eq!(rows(&cluster, "subscriptions").await, 0);
    let first = admin.get(&format!("{path}?limit=3")).await.expect(200);
    let next = admin.get(&format!("{path}?page={}", first["nextPage"].as_str().unwrap())).await.expect(200);
    let names = |page: &Value| page["members"].as_array().unwrap().iter().map(|each| each["user"].clone()).collect();
    let (first, next): (Vec<_>, Vec<_>) = (names(&first), names(&next));
    assert_eq!((first, next), (vec!["u0".into(), "u1".into(), "u2".into()], vec![Value::from("u4")]));
}

#[tokio::test]
async fn a_bulk_change_that_is_wrong_changes_nothing_and_says_where() {
    let cluster = cluster().set("TIDINGS_MAX_SUBSCRIPTIONS", "1").start().await;
    let admin = cluster.edge().admin();
    let path = "/api/topics/team:7/subscribers";
    admin.set("/api/topics/team:1/subscribers/full").await.expect(204);
    let many: Vec<_> = (0..1_001).map(|number| number.to_string()).collect();
    for (body, pointer) in [
        (json!({"add": ["u1", "full"], "remove": ["u2"]}), "/add/1"),
        (json!({"add": many}), "/add"),
        (json!({"remove": many}), "/remove"),
        (json!({"add": ["u1"], "remove": ["u1"]}), "/remove"),
        (json!({"add": ["u1", ""]}), "/add/1"),
        (json!({"users": ["u1"]}), "/users"),
    ] {
        let problem = admin.post(path, &body).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let endless: Vec<_> = (0..1_000_000).map(|number| number.to_string()).collect();
    let problem = admin.post(path, &json!({"add": endless})).await.problem(413);
    let detail = "at most 2097152 bytes, for 1000 users in add and 1000 in remove, are accepted (roll_bytes)";
    assert_eq!(problem["detail"], detail);
    assert_eq!(admin.set("/api/topics/team:7/subscribers/full").await.problem(413)["status"], 413);
    assert_eq!(rows(&cluster, "subscriptions where topic = 'team:7'").await, 0);
    admin.set("/api/topics/team:1/subscribers/full").await.expect(204);
}

#[tokio::test]
async fn a_bulk_change_of_the_longest_names_is_read_however_they_are_written() {
    let cluster = cluster().start().await;
    // Two bytes each, six when escaped as many clients do.
    let name = |number: i32| format!("{number:04}{}", "\\u0434".repeat(126));
    let names =
        |from: i32| (from..from + 1_000).map(|number| format!("\"{}\"", name(number))).collect::<Vec<_>>().join(",");
    let body = format!("{{\"add\":[{}],\"remove\":[{}]}}", names(0), names(1_000));
    let request = cluster.edge().admin().request(reqwest::Method::POST, "/api/topics/team:7/members");
    let answer = Answer::of(request.header("Content-Type", "application/json").body(body)).await;
    assert_eq!(answer.expect(200), json!({"added": 1_000, "removed": 0}));
}

#[tokio::test]
async fn only_administrators_of_the_tenant_decide() {
    let cluster = cluster().start().await;
    cluster.edge().admin().set("/api/topics/team:7/members/u1").await.expect(204);
    for caller in [cluster.user("u1"), cluster.publisher()] {
        for path in ["/api/topics/team:7", "/api/topics/team:7/members/u1", "/api/topics/team:7/subscribers/u1"] {
            caller.set(path).await.problem(403);
        }
        caller.get("/api/topics/team:7/members").await.problem(403);
        caller.get("/api/topic-kinds").await.problem(403);
        caller.put("/api/topic-kinds/team", &json!({"access": "open"})).await.problem(403);
    }
    let foreign = cluster.edge().caller(&Token::admin().tenant("other"));
    foreign.get("/api/topics/team:7/members").await.problem(404);
    foreign.get("/api/topics/team:7").await.problem(404);
    foreign.delete("/api/topics/team:7/members/u1").await.problem(404);
    cluster.user("u1").set(&subscription("team:7")).await.expect(200);
}
