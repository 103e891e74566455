//! One-time tickets, for browsers whose `EventSource` sends no headers.

use reqwest::Method;

use crate::harness::*;

async fn ticket(user: &Caller) -> String {
    user.touch("/api/stream-tickets").await.expect(200)["ticket"].as_str().expect("a ticket").to_owned()
}

#[tokio::test]
async fn a_ticket_opens_one_stream_on_any_instance() {
    let cluster = cluster().instances(2).start().await;
    let ticket = ticket(&cluster.user("u1")).await;
    let elsewhere = cluster.instances[1].edge().nobody();
    let mut stream = elsewhere.stream_with(&format!("?ticket={ticket}"), None).await;
    stream.hello().await;
    cluster.publisher().notify("u1", "by ticket").await;
    assert_eq!(stream.titles(1).await, ["by ticket"]);
    for edge in cluster.edges() {
        edge.nobody().get(&format!("/api/notifications/stream?ticket={ticket}")).await.problem(401);
    }
}

#[tokio::test]
async fn of_many_concurrent_uses_of_a_ticket_one_succeeds() {
    let cluster = cluster().instances(2).start().await;
    let ticket = ticket(&cluster.user("u1")).await;
    let path = format!("/api/notifications/stream?ticket={ticket}");
    let tries = (0..10).map(|index| {
        let nobody = cluster.instances[index % 2].edge().nobody();
        let request = nobody.request(Method::GET, &path);
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let mut statuses = futures_util::future::join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401, 401, 401, 401, 401]);
}

#[tokio::test]
async fn a_ticket_that_waited_too_long_is_refused() {
    let cluster = cluster().start().await;
    let ticket = ticket(&cluster.user("u1")).await;
    let database = cluster.postgres.connect().await;
    let aged =
        database.execute("update stream_tickets set expires_at = now() - interval '1 second'", &[]).await.unwrap();
    assert_eq!(aged, 1);
    cluster.edge().nobody().get(&format!("/api/notifications/stream?ticket={ticket}")).await.problem(401);
}

#[tokio::test]
async fn a_ticket_is_good_for_streams_only() {
    let cluster = cluster().start().await;
    let ticket = ticket(&cluster.user("u1")).await;
    cluster.edge().nobody().get(&format!("/api/notifications?ticket={ticket}")).await.problem(401);
    cluster.edge().bearer(&ticket).get("/api/notifications").await.problem(401);
}

#[tokio::test]
async fn a_token_in_the_query_works_only_when_configured() {
    let path = format!("/api/notifications/stream?token={}", Token::of("u1").sign());
    let closed = cluster().start().await;
    closed.edge().nobody().get(&path).await.problem(401);
    let open = cluster().set("TIDINGS_QUERY_TOKEN", "true").start().await;
    let query = path.split_once('?').unwrap().1;
    open.edge().nobody().stream_with(&format!("?{query}"), None).await.hello().await;
    open.edge().nobody().get(&format!("/api/notifications?{query}")).await.problem(401);
}

#[tokio::test]
async fn a_cookie_may_carry_the_token_but_change_nothing_from_a_foreign_page() {
    let cluster = cluster().start().await;
    let nobody = cluster.edge().nobody();
    let cookie = format!("tidings_token={}", Token::of("u1").sign());
    let request = |method, path| nobody.request(method, path).header("Cookie", &cookie);
    Frames::open(request(Method::GET, "/api/notifications/stream")).await.hello().await;
    Answer::of(request(Method::GET, "/api/notifications")).await.expect(200);
    let read_all = || request(Method::POST, "/api/notifications/read-all");
    Answer::of(read_all()).await.problem(403);
    Answer::of(read_all().header("Origin", "https://evil.example")).await.problem(403);
    Answer::of(read_all().header("Sec-Fetch-Site", "same-origin")).await.expect(200);
    Answer::of(read_all().header("Origin", cluster.edge().base())).await.expect(200);
}
