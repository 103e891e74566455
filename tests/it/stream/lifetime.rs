//! When streams end by themselves: the token's end, rotation, and how a fresh token keeps a stream open.

use serde_json::json;

use crate::harness::*;

#[tokio::test]
async fn a_stream_ends_when_its_token_does() {
    let cluster = cluster().set("TIDINGS_JWT_LEEWAY_SECONDS", "0").start().await;
    let mut stream = cluster.edge().caller(&Token::of("u1").expires_in(2)).stream().await;
    stream.hello().await;
    assert!(stream.next().await.is("expiring"), "less than a minute is left");
    let bye = stream.next().await;
    assert!(bye.is("bye"), "{bye:?}");
    assert_eq!(bye.json()["reason"], "expired");
    assert_eq!(stream.next_or_end().await, None);
}

#[tokio::test]
async fn a_fresh_token_extends_the_callers_own_stream_on_another_instance() {
    let cluster = cluster().instances(2).set("TIDINGS_JWT_LEEWAY_SECONDS", "0").start().await;
    let [here, there] = [0, 1].map(|index| cluster.edges().swap_remove(index));
    let mut stream = here.caller(&Token::of("u1").expires_in(3)).stream().await;
    let connection = stream.hello().await["connectionId"].as_str().unwrap().to_owned();
    let mut other = here.caller(&Token::of("u1").expires_in(3)).stream().await;
    let others = other.hello().await["connectionId"].as_str().unwrap().to_owned();
    stream.next_of("expiring").await;
    assert_eq!(there.user("u1").touch(&format!("/api/streams/{connection}/token")).await.status, 202);
    assert_eq!(there.user("u2").touch(&format!("/api/streams/{others}/token")).await.status, 202);
    assert_eq!(other.next_of("bye").await.json()["reason"], "expired");
    cluster.publisher().notify("u1", "still open").await;
    assert_eq!(stream.titles(1).await, ["still open"]);
}

#[tokio::test]
async fn a_fresh_token_of_the_same_user_extends_an_open_stream() {
    let cluster = cluster().set("TIDINGS_JWT_LEEWAY_SECONDS", "0").start().await;
    let mut stream = cluster.edge().caller(&Token::of("u1").expires_in(3)).stream().await;
    let connection = stream.hello().await["connectionId"].as_str().unwrap().to_owned();
    let mut other = cluster.edge().caller(&Token::of("u1").expires_in(3)).stream().await;
    other.hello().await;
    stream.next_of("expiring").await;
    let path = format!("/api/streams/{connection}/token");
    let answer = cluster.user("u1").touch(&path).await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    // The stream that was not extended shows that the old token's end has passed.
    assert_eq!(other.next_of("bye").await.json()["reason"], "expired");
    cluster.publisher().notify("u1", "still open").await;
    assert_eq!(stream.titles(1).await, ["still open"]);
}

/// Opens a stream at one edge, comes back at the other when it is told to, and stays there.
async fn moves(user: String, from: Edge, to: Edge) {
    let mut stream = from.user(&user).stream().await;
    stream.hello().await;
    assert_eq!(stream.next_of("bye").await.json()["reason"], "rotated");
    let mut stream = to.user(&user).stream().await;
    stream.hello().await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn streams_even_out_after_an_instance_has_come_back() {
    // Streams of five seconds and more may end early; by themselves they end after 45.
    let cluster = cluster().on_postgres_alone(2).set("TIDINGS_MAX_LIFETIME_SECONDS", "60").start().await;
    let [full, empty] = [0, 1].map(|index| cluster.edges().swap_remove(index));
    let mut clients = tokio::task::JoinSet::new();
    // An instance without streams may be one that gets none, so it has no share: the evening out begins with its first stream.
    let mut first = empty.user("first").stream().await;
    first.hello().await;
    for index in 0..40 {
        clients.spawn(moves(format!("u{index}"), full.clone(), empty.clone()));
    }
    let open = async |edge: &Edge| edge.nobody().get("/health").await.expect(200)["connections"].as_u64().unwrap();
    eventually("the other instance has its share, within ten", async || (open(&empty).await >= 10).then_some(())).await;
    let early = full.metric("tidings_streams_evened_total", &[]).await;
    assert!((9..=20).contains(&early), "{early} ended early, and no more than are too many");
    assert_eq!(empty.metric("tidings_streams_evened_total", &[]).await, 0);
}

#[tokio::test]
async fn another_user_cannot_extend_a_stream() {
    let cluster = cluster().set("TIDINGS_JWT_LEEWAY_SECONDS", "0").start().await;
    let mut stream = cluster.edge().caller(&Token::of("u1").expires_in(3)).stream().await;
    let connection = stream.hello().await["connectionId"].as_str().unwrap().to_owned();
    let path = format!("/api/streams/{connection}/token");
    cluster.edge().nobody().touch(&path).await.problem(401);
    cluster.edge().caller(&Token::of("u1").expires_in(-3600)).touch(&path).await.problem(401);
    cluster.user("u1").touch("/api/streams/nonsense/token").await.problem(404);
    // Another instance may have a stream of theirs by that name, so the token is passed on.
    assert_eq!(cluster.user("u2").touch(&path).await.status, 202);
    assert_eq!(cluster.edge().caller(&Token::of("u1").tenant("other")).touch(&path).await.status, 202);
    let unknown = "/api/streams/00000000-0000-4000-8000-000000000000/token";
    assert_eq!(cluster.user("u1").touch(unknown).await.status, 202);
    assert_eq!(stream.next_of("bye").await.json()["reason"], "expired");
}

#[tokio::test]
async fn a_stream_is_rotated_at_its_greatest_age_and_resumes() {
    let cluster = cluster().set("TIDINGS_MAX_LIFETIME_SECONDS", "1").start().await;
    let user = cluster.user("u1");
    let mut stream = user.stream().await;
    stream.hello().await;
    let bye = stream.next().await;
    assert_eq!(bye.json()["reason"], "rotated");
    assert!(bye.retry.is_some());
    let cursor = stream.cursor.clone().unwrap();
    assert_eq!(stream.next_or_end().await, None);
    cluster.publisher().notify("u1", "between").await;
    let mut stream = user.resume(&cursor).await;
    assert_eq!(
        (&stream.hello().await["verdict"], stream.titles(1).await),
        (&json!("resumed"), vec!["between".to_owned()])
    );
}
