//! Revocation closes streams at once, on every instance, and refuses the token from then on.

use serde_json::json;

use crate::harness::*;

async fn revoke(edge: &Edge, body: serde_json::Value) {
    let answer = edge.admin().post("/api/admin/revocations", &body).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

async fn ends_revoked(stream: &mut Frames) {
    let bye = stream.next().await;
    assert_eq!(bye.json()["reason"], "revoked");
    assert_eq!(stream.next_or_end().await, None);
}

#[tokio::test]
async fn a_revoked_user_is_cut_off_on_every_instance() {
    // Nothing but the order on the bus is to reach the other instance.
    let cluster = cluster().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    let other = cluster.instances[1].edge();
    let old = Token::of("u1").claim("iat", json!(token::now() - 5));
    let mut streams = vec![cluster.edge().caller(&old).stream().await, other.caller(&old).stream().await];
    let mut bystander = other.user("u2").stream().await;
    bystander.hello().await;
    for stream in &mut streams {
        stream.hello().await;
    }
    revoke(&cluster.edge(), json!({"user": "u1"})).await;
    for stream in &mut streams {
        ends_revoked(stream).await;
    }
    for edge in cluster.edges() {
        edge.caller(&old).get("/api/notifications").await.problem(401);
        edge.caller(&old).get("/api/notifications/stream").await.problem(401);
    }
    let new = Token::of("u1").claim("iat", json!(token::now() + 2));
    other.caller(&new).stream().await.hello().await;
    cluster.publisher().notify("u2", "untouched").await;
    assert_eq!(bystander.titles(1).await, ["untouched"]);
}

#[tokio::test]
async fn a_revoked_token_is_cut_off_and_another_of_the_same_user_is_not() {
    let cluster = cluster().instances(2).start().await;
    let other = cluster.instances[1].edge();
    let (lost, kept) = (Token::of("u1").claim("jti", json!("lost")), Token::of("u1").claim("jti", json!("kept")));
    let (mut of_lost, mut of_kept) = (other.caller(&lost).stream().await, other.caller(&kept).stream().await);
    of_lost.hello().await;
    of_kept.hello().await;
    revoke(&cluster.edge(), json!({"jti": "lost"})).await;
    ends_revoked(&mut of_lost).await;
    other.caller(&lost).get("/api/notifications").await.problem(401);
    cluster.publisher().notify("u1", "kept").await;
    assert_eq!(of_kept.titles(1).await, ["kept"]);
}

#[tokio::test]
async fn a_revocation_outlives_a_restart_and_a_lost_redis() {
    let mut cluster = cluster().instances(2).start().await;
    let token = Token::of("u1").claim("jti", json!("gone")).claim("iat", json!(token::now() - 5));
    let mut stream = cluster.instances[1].edge().caller(&token).stream().await;
    stream.hello().await;
    cluster.redis().kill();
    revoke(&cluster.edge(), json!({"jti": "gone"})).await;
    ends_revoked(&mut stream).await;
    cluster.instances[1].kill();
    cluster.instances[1].restart().await;
    cluster.instances[1].edge().caller(&token).get("/api/notifications").await.problem(401);
}

#[tokio::test]
async fn only_an_administrator_of_the_tenant_revokes() {
    let cluster = cluster().start().await;
    let path = "/api/admin/revocations";
    let body = json!({"user": "u1"});
    cluster.user("u1").post(path, &body).await.problem(403);
    cluster.publisher().post(path, &body).await.problem(403);
    cluster.edge().nobody().post(path, &body).await.problem(401);
    for wrong in [json!({}), json!({"user": "u1", "jti": "x"}), json!({"user": ""}), json!({"usr": "u1"})] {
        cluster.edge().admin().post(path, &wrong).await.problem(422);
    }
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    let foreign = cluster.edge().caller(&Token::admin().tenant("other"));
    assert_eq!(foreign.post(path, &body).await.status, 204);
    cluster.publisher().notify("u1", "untouched").await;
    assert_eq!(stream.titles(1).await, ["untouched"]);
}

#[tokio::test]
async fn a_ticket_of_a_revoked_token_opens_nothing() {
    let cluster = cluster().start().await;
    let user = cluster.edge().caller(&Token::of("u1").claim("iat", json!(token::now() - 5)));
    let ticket = user.touch("/api/stream-tickets").await.expect(200)["ticket"].as_str().unwrap().to_owned();
    revoke(&cluster.edge(), json!({"user": "u1"})).await;
    cluster.edge().nobody().get(&format!("/api/notifications/stream?ticket={ticket}")).await.problem(401);
}
