//! Nothing crosses from one tenant to another.

use serde_json::json;

use crate::harness::*;

#[tokio::test]
async fn the_same_user_id_in_two_tenants_is_two_users() {
    let cluster = cluster().instances(2).start().await;
    let other = cluster.instances[1].edge();
    let (a, b) = (Token::of("u1").tenant("a"), Token::of("u1").tenant("b"));
    let (mut in_a, mut in_b) = (other.caller(&a).stream().await, other.caller(&b).stream().await);
    in_a.hello().await;
    in_b.hello().await;
    for tenant in ["a", "b"] {
        let publisher = cluster.edge().caller(&Token::publisher().tenant(tenant));
        publisher.notify("u1", &format!("for {tenant}")).await;
    }
    assert_eq!(in_a.titles(1).await, ["for a"]);
    assert_eq!(in_b.titles(1).await, ["for b"]);
    for (token, title) in [(&a, "for a"), (&b, "for b")] {
        let list = other.caller(token).list("").await;
        assert_eq!((&list["total"], &list["notifications"][0]["title"]), (&json!(1), &json!(title)));
    }
}

#[tokio::test]
async fn another_tenants_notification_cannot_be_seen_or_changed() {
    let cluster = cluster().start().await;
    let edge = cluster.edge();
    let id = edge.caller(&Token::publisher().tenant("a")).notify("u1", "private").await;
    let path = format!("/api/notifications/{id}");
    for token in [Token::of("u1").tenant("b"), Token::of("u1"), Token::admin().tenant("b")] {
        let stranger = edge.caller(&token);
        stranger.get(&path).await.problem(404);
        stranger.touch(&format!("{path}/read")).await.problem(404);
        stranger.delete(&path).await.problem(404);
        assert_eq!(stranger.list("").await["total"], 0);
    }
    assert_eq!(edge.caller(&Token::of("u1").tenant("a")).unread().await, 1);
}

#[tokio::test]
async fn another_tenants_cursor_is_a_reset_and_says_nothing() {
    let cluster = cluster().start().await;
    let edge = cluster.edge();
    edge.caller(&Token::publisher().tenant("a")).notify("u1", "private").await;
    let cursor = edge.caller(&Token::of("u1").tenant("a")).list("").await["cursor"].as_str().unwrap().to_owned();
    let mut stream = edge.caller(&Token::of("u1").tenant("b")).resume(&cursor).await;
    let hello = stream.hello().await;
    assert_eq!((&hello["verdict"], &hello["reason"], &hello["unread"]), (&json!("reset"), &json!("epoch"), &json!(0)));
}

#[tokio::test]
async fn idempotency_keys_of_two_tenants_are_two_keys() {
    let cluster = cluster().start().await;
    let edge = cluster.edge();
    let mut ids = Vec::new();
    for tenant in ["a", "b"] {
        let body = json!({"users": ["u1"], "title": tenant, "idempotencyKey": "same"});
        ids.push(edge.caller(&Token::publisher().tenant(tenant)).notify_with(body).await);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn names_that_look_alike_once_joined_are_kept_apart() {
    let cluster = cluster().with_redis().start().await;
    let edge = cluster.edge();
    // Joined by any of these, tenant and user would read the same.
    for (left, right) in [(("a", "b_c"), ("a_b", "c")), (("a", "b-c"), ("a-b", "c"))] {
        let mut stream = edge.caller(&Token::of(left.1).tenant(left.0)).stream().await;
        stream.hello().await;
        edge.caller(&Token::publisher().tenant(right.0)).notify(right.1, "wrong").await;
        edge.caller(&Token::publisher().tenant(left.0)).notify(left.1, "right").await;
        assert_eq!(stream.titles(1).await, ["right"]);
    }
}
