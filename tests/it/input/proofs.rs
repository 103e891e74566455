//! Requests with several proofs, of which some do not hold.

use jsonwebtoken::EncodingKey;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::keys::KeyPair;
use crate::harness::{socket::request, *};

const CHANGES: &str = "/api/notifications/changes";

/// Calls with these headers and no other proof.
async fn call(edge: &Edge, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = edge.nobody().request(method, path);
    Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

async fn get(edge: &Edge, path: &str, headers: &[(&str, &str)]) -> Answer {
    call(edge, Method::GET, path, headers).await
}

/// A token that does not hold: of another secret.
fn stale(user: &str) -> String {
    let key = EncodingKey::from_secret(b"a secret that was rotated away a long time ago");
    Token::of(user).sign_with(jsonwebtoken::Algorithm::HS256, &key)
}

fn cookies(tokens: &[&str]) -> String {
    let pairs: Vec<_> = tokens.iter().map(|token| format!("tidings_token={token}")).collect();
    format!("theme=dark; {}", pairs.join("; "))
}

#[tokio::test]
async fn a_good_cookie_counts_beside_a_stale_or_empty_one_of_its_name() {
    let cluster = cluster().start().await;
    let (edge, good) = (cluster.edge(), Token::of("u1").sign());
    let expired = Token::of("u1").expires_in(-3600).sign();
    cluster.publisher().notify("u1", "here").await;
    for firsts in [&[stale("u1").as_str()][..], &[""], &["nonsense"], &[&expired], &["", &expired, "a.b.c"]] {
        let tokens: Vec<_> = firsts.iter().copied().chain([good.as_str()]).collect();
        let cookie = cookies(&tokens);
        assert_eq!(
            get(&edge, "/api/notifications", &[("Cookie", &cookie)]).await.expect(200)["total"],
            1,
            "{firsts:?}"
        );
        get(&edge, CHANGES, &[("Cookie", &cookie)]).await.expect(200);
        let origin = ("Origin", edge.base());
        call(&edge, Method::POST, "/api/notifications/read-all", &[("Cookie", &cookie), origin]).await.expect(200);
        call(&edge, Method::POST, "/api/stream-tickets", &[("Cookie", &cookie), origin]).await.expect(200);
        let stream = edge.nobody().request(Method::GET, "/api/notifications/stream").header("Cookie", &cookie);
        Frames::open(stream).await.hello().await;
        let mut socket = request(edge.base(), "");
        socket.headers_mut().insert("Cookie", HeaderValue::from_str(&cookie).unwrap());
        Socket::open(socket).await.unwrap().connected().await;
    }
    let lines = [("Cookie", "tidings_token=stale"), ("Cookie", &format!("tidings_token={good}"))];
    get(&edge, "/api/notifications", &lines).await.expect(200);
}

#[tokio::test]
async fn other_schemes_of_authorization_are_not_ours() {
    let cluster = cluster().set("TIDINGS_QUERY_TOKEN", "true").start().await;
    let (edge, good) = (cluster.edge(), Token::of("u1").sign());
    let cookie = cookies(&[&good]);
    for other in ["Basic dTpw", "Negotiate", "Digest username=\"u\", realm=\"r\"", "ApiKey abc"] {
        let basic = ("Authorization", other);
        get(&edge, "/api/notifications", &[basic, ("Cookie", &cookie)]).await.expect(200);
        get(&edge, "/api/notifications", &[basic, ("Authorization", &format!("Bearer {good}"))]).await.expect(200);
        let alone = get(&edge, "/api/notifications", &[basic]).await;
        assert_eq!(alone.problem(401)["type"], "urn:tidings:problem:no-token", "{other}");
        assert_eq!(alone.header("www-authenticate"), "Bearer");
        let ticket = edge.user("u1").touch("/api/stream-tickets").await.expect(200)["ticket"].clone();
        for query in [format!("?ticket={}", ticket.as_str().unwrap()), format!("?token={good}")] {
            let stream = edge.nobody().request(Method::GET, &format!("/api/notifications/stream{query}"));
            Frames::open(stream.header("Authorization", other)).await.hello().await;
        }
        let mut socket = request(edge.base(), "");
        socket.headers_mut().insert("Authorization", HeaderValue::from_str(other).unwrap());
        let protocol = HeaderValue::from_str(&format!("bearer, {good}")).unwrap();
        socket.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        Socket::open(socket).await.unwrap().connected().await;
    }
}

#[tokio::test]
async fn proofs_are_tried_in_order_and_the_first_that_holds_decides() {
    let cluster = cluster().set("TIDINGS_QUERY_TOKEN", "true").start().await;
    let edge = cluster.edge();
    let of = |user: &str| Token::of(user).sign();
    for user in ["bearer", "query", "cookie"] {
        cluster.publisher().notify(user, user).await;
    }
    let bearer = |token: &str| format!("Bearer {token}");
    let cookie = cookies(&[&of("cookie")]);
    let stream = async |query: String, headers: &[(&str, &str)]| -> String {
        let request = edge.nobody().request(Method::GET, &format!("/api/notifications/stream{query}"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let mut frames = Frames::open(request).await;
        frames.hello().await;
        frames.titles(1).await.remove(0)
    };
    let query = |token: &str| format!("?replay=1&token={token}");
    let (good, bad) = (bearer(&of("bearer")), bearer(&stale("bearer")));
    let cookie = ("Cookie", cookie.as_str());
    assert_eq!(stream(query(&of("query")), &[cookie, ("Authorization", &good)]).await, "bearer");
    assert_eq!(stream(query(&of("query")), &[cookie, ("Authorization", &bad)]).await, "query");
    assert_eq!(stream(query(&stale("query")), &[cookie, ("Authorization", &bad)]).await, "cookie");
    let list = get(&edge, "/api/notifications", &[cookie, ("Authorization", &bad)]).await.expect(200);
    assert_eq!(list["notifications"][0]["title"], "cookie");
    let mut socket = request(edge.base(), &query(&stale("query")));
    let protocol = HeaderValue::from_str(&format!("bearer, {}", stale("protocol"))).unwrap();
    socket.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    socket.headers_mut().insert("Cookie", HeaderValue::from_str(cookie.1).unwrap());
    Socket::open(socket).await.unwrap().connected().await;
}

#[tokio::test]
async fn a_cookie_behind_a_bad_token_still_needs_a_page_of_ours() {
    let cluster = cluster().set("TIDINGS_CORS_ORIGINS", "https://app.example.com").start().await;
    let (edge, good, bad) = (cluster.edge(), Token::of("u1").sign(), stale("u1"));
    let (cookie, bearer) = (cookies(&["stale", &good]), format!("Bearer {bad}"));
    let change = async |headers: &[(&str, &str)]| {
        let headers: Vec<_> = headers.iter().copied().chain([("Cookie", cookie.as_str())]).collect();
        call(&edge, Method::POST, "/api/notifications/read-all", &headers).await
    };
    let (foreign, listed) = (("Origin", "https://evil.example.com"), ("Origin", "https://app.example.com"));
    change(&[foreign]).await.problem(403);
    change(&[foreign, ("Authorization", "Basic dTpw")]).await.problem(403);
    change(&[foreign, ("Authorization", &bearer)]).await.problem(401);
    change(&[("Authorization", &bearer)]).await.problem(401);
    change(&[listed, ("Authorization", &bearer)]).await.expect(200);
    assert_eq!(cluster.user("u1").unread().await, 0);
}

#[tokio::test]
async fn a_refusal_of_several_proofs_says_so_and_repeats_none() {
    let cluster = cluster().start().await;
    let edge = cluster.edge();
    let (expired, forged) = (Token::of("u1").expires_in(-3600).sign(), stale("u1"));
    let bearer = format!("Bearer {expired}");
    let headers = [("Authorization", bearer.as_str()), ("Cookie", &cookies(&["a.b.c", &forged]))];
    let answer = get(&edge, "/api/notifications", &headers).await;
    let problem = answer.problem(401);
    assert_eq!(problem["type"], "urn:tidings:problem:bad-token");
    assert_eq!(
        problem["detail"],
        "none of the 3 tokens of this request holds: the header Authorization: the token has expired; \
         a cookie: the token is malformed; a cookie: the token's signature is not valid"
    );
    assert!(answer.header("www-authenticate").contains("invalid_token"));
    let log = cluster.instances[0].log();
    for secret in [&expired, &forged] {
        assert!(!answer.text.contains(secret.as_str()) && !log.contains(secret.as_str()));
    }
    // Four are tried.
    let good = Token::of("u1").sign();
    let five = cookies(&["a", "b", "c", "d", &good]);
    let problem = get(&edge, "/api/notifications", &[("Cookie", &five)]).await.problem(401);
    assert!(problem["detail"].as_str().unwrap().starts_with("none of the 4 tokens"), "{problem}");
    let told = async |cookie: &str| {
        let mut socket = request(edge.base(), "");
        socket.headers_mut().insert("Cookie", HeaderValue::from_str(cookie).unwrap());
        let (messages, closed) = Socket::open(socket).await.unwrap().rest().await;
        assert!(messages[0]["detail"].as_str().unwrap().starts_with("none of the 2 tokens"), "{messages:?}");
        closed.unwrap()
    };
    assert_eq!(told(&cookies(&[&expired, &forged])).await, 4002);
    let again = Token::of("u2").expires_in(-3600).sign();
    assert_eq!(told(&cookies(&[&expired, &again])).await, 4003);
}

#[tokio::test]
async fn nobody_is_refused_for_good_by_keys_that_are_older_than_the_token() {
    let (old, new) = (KeyPair::ec(), KeyPair::ec());
    let issuer = wiremock::MockServer::start().await;
    let serve = async |answer: wiremock::ResponseTemplate| {
        issuer.reset().await;
        wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&issuer).await;
    };
    let set = |keys: Value| wiremock::ResponseTemplate::new(200).set_body_json(json!({ "keys": keys }));
    // More keys than are tried for a token that names none.
    let many: Vec<_> = (0..100).map(|n| old.jwk(&format!("old-{n}"))).collect();
    serve(set(json!(many))).await;
    let cluster = cluster().set("TIDINGS_JWT_SECRET", "").set("TIDINGS_JWKS_URL", &issuer.uri()).start().await;
    let edge = cluster.edge();
    let of = |pair: &KeyPair, kid: &str| Token::of("u1").key_id(kid).sign_with(pair.algorithm, &pair.private);
    edge.bearer(&of(&old, "old-99")).get("/api/notifications").await.expect(200);

    serve(wiremock::ResponseTemplate::new(500)).await;
    let fresh = of(&new, "new");
    let later = edge.bearer(&fresh).get("/api/notifications").await;
    later.problem(503);
    let wait: u64 = later.header("retry-after").parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    // A stream ends with a delay: an `EventSource` would give up for good on another status.
    let frames = edge.bearer(&fresh).stream().await.rest().await;
    assert!(frames.iter().any(|frame| frame.is("bye")), "{frames:?}");
    edge.bearer(&of(&old, "old-0")).get("/api/notifications").await.expect(200);
    // A cookie that holds needs no keys of the issuer that are missing.
    let cookie = cookies(&[&fresh, &of(&old, "old-7")]);
    get(&edge, "/api/notifications", &[("Cookie", &cookie)]).await.expect(200);

    serve(set(json!([old.jwk("old-0"), new.jwk("new")]))).await;
    eventually("the new key is known, and nobody is refused before", async || {
        let answer = edge.bearer(&fresh).get("/api/notifications").await;
        assert!(matches!(answer.status, 200 | 503), "{answer:?}");
        (answer.status == 200).then_some(())
    })
    .await;
}
