//! Tokens that must not be accepted, and the rights of scopes.

use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;

use super::keys::KeyPair;
use crate::harness::*;

/// Every kind of request must refuse this token.
async fn refused(edge: &Edge, token: &str, why: &str) {
    let caller = edge.bearer(token);
    let answer = caller.get("/api/notifications").await;
    assert_eq!(answer.status, 401, "{why}: {answer:?}");
    answer.problem(401);
    assert!(answer.header("www-authenticate").starts_with("Bearer"), "{why}");
    caller.get("/api/notifications/stream").await.problem(401);
    caller.publish(&json!({"users": ["u1"], "title": "t"})).await.problem(401);
}

#[tokio::test]
async fn forged_expired_and_malformed_tokens_are_refused() {
    let cluster = cluster().start().await;
    let edge = cluster.edge();
    let good = Token::publisher().sign();
    let parts: Vec<_> = good.split('.').collect();
    let other = Token::of("somebody-else").sign();
    let swapped = format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2]);
    let wrong_key = EncodingKey::from_secret(b"another secret that is also long enough to be one");
    let cases = [
        (String::new(), "empty"),
        ("x".to_owned(), "no token"),
        ("a.b.c".to_owned(), "no parts"),
        (swapped, "another's claims"),
        (format!("{}.{}.", parts[0], parts[1]), "no signature"),
        (Token::publisher().unsigned(), "alg none"),
        (format!("{}{}", Token::publisher().unsigned(), parts[2]), "alg none with a signature"),
        (Token::publisher().sign_with(Algorithm::HS256, &wrong_key), "another secret"),
        (Token::publisher().sign_with(Algorithm::HS256, &EncodingKey::from_secret(b"")), "an empty secret"),
        (Token::publisher().expires_in(-120).sign(), "expired"),
        (Token::publisher().claim("nbf", json!(token::now() + 120)).sign(), "not valid yet"),
        (Token::publisher().without("sub").sign(), "no subject"),
        (Token::of("").sign(), "an empty subject"),
        (Token::of("a\nb").sign(), "a control character in the subject"),
        (Token::of(&"x".repeat(257)).sign(), "a long subject"),
        (Token::publisher().claim("sub", json!(7)).sign(), "a subject that is no text"),
        (Token::publisher().tenant("a:b").sign(), "a tenant with a separator"),
        (Token::publisher().tenant("").sign(), "an empty tenant"),
        (Token::publisher().claim("exp", json!("soon")).sign(), "an end that is no time"),
        ("x".repeat(20_000), "a long one"),
    ];
    for (token, why) in cases {
        refused(&edge, &token, why).await;
    }
    edge.nobody().get("/api/notifications").await.problem(401);
    let basic = edge.nobody().request(reqwest::Method::GET, "/api/notifications").header("Authorization", "Basic eDp5");
    Answer::of(basic).await.problem(401);
}

#[tokio::test]
async fn clocks_may_differ_by_the_leeway_and_no_more() {
    let cluster = cluster().set("TIDINGS_JWT_LEEWAY_SECONDS", "30").start().await;
    let edge = cluster.edge();
    edge.caller(&Token::of("u1").expires_in(-10)).get("/api/notifications").await.expect(200);
    edge.caller(&Token::of("u1").claim("nbf", json!(token::now() + 10))).get("/api/notifications").await.expect(200);
    edge.caller(&Token::of("u1").claim("iat", json!(token::now() + 10))).get("/api/notifications").await.expect(200);
    // A token from the future would outlive a revocation that is given now.
    edge.caller(&Token::of("u1").claim("iat", json!(token::now() + 60))).get("/api/notifications").await.problem(401);
    edge.caller(&Token::of("u1").expires_in(-60)).get("/api/notifications").await.problem(401);
    edge.caller(&Token::of("u1").claim("nbf", json!(token::now() + 60))).get("/api/notifications").await.problem(401);
}

#[tokio::test]
async fn issuer_and_audience_are_required_when_configured() {
    let cluster =
        cluster().set("TIDINGS_JWT_ISSUER", "https://issuer").set("TIDINGS_JWT_AUDIENCE", "tidings").start().await;
    let edge = cluster.edge();
    let right = Token::publisher().claim("iss", json!("https://issuer")).claim("aud", json!(["other", "tidings"]));
    edge.caller(&right).get("/api/notifications").await.expect(200);
    for (token, why) in [
        (Token::publisher(), "neither"),
        (right.clone().without("iss"), "no issuer"),
        (right.clone().without("aud"), "no audience"),
        (right.clone().claim("iss", json!("https://issuer.evil")), "another issuer"),
        (right.clone().claim("aud", json!("other")), "another audience"),
    ] {
        refused(&edge, &token.sign(), why).await;
    }
}

#[tokio::test]
async fn public_keys_verify_and_are_never_taken_for_secrets() {
    for pair in [KeyPair::rsa(), KeyPair::ec(), KeyPair::ed25519()] {
        let cluster =
            cluster().set("TIDINGS_JWT_SECRET", "").set("TIDINGS_JWT_PUBLIC_KEY", &pair.public_pem).start().await;
        let edge = cluster.edge();
        let token = Token::publisher();
        edge.bearer(&token.sign_with(pair.algorithm, &pair.private)).get("/api/notifications").await.expect(200);
        let stranger = KeyPair::like(pair.algorithm);
        refused(&edge, &token.sign_with(pair.algorithm, &stranger.private), "another key").await;
        for text in [pair.public_pem.as_str(), pair.public_pem.trim(), &pair.public_pem.replace('\n', "")] {
            let confused = EncodingKey::from_secret(text.as_bytes());
            refused(&edge, &token.sign_with(Algorithm::HS256, &confused), "HS256 with the public key").await;
        }
        refused(&edge, &token.sign(), "HS256 with any secret").await;
        refused(&edge, &token.unsigned(), "alg none").await;
    }
}

#[tokio::test]
async fn keys_of_a_key_set_rotate_without_a_restart() {
    let (old, new) = (KeyPair::ec(), KeyPair::ed25519());
    let issuer = wiremock::MockServer::start().await;
    let serve = async |keys: serde_json::Value| {
        issuer.reset().await;
        let answer = wiremock::ResponseTemplate::new(200).set_body_json(json!({ "keys": keys }));
        wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&issuer).await;
    };
    serve(json!([old.jwk("old")])).await;
    let cluster = cluster().set("TIDINGS_JWT_SECRET", "").set("TIDINGS_JWKS_URL", &issuer.uri()).start().await;
    let edge = cluster.edge();
    let of_old = Token::of("u1").key_id("old").sign_with(old.algorithm, &old.private);
    let of_new = Token::of("u1").key_id("new").sign_with(new.algorithm, &new.private);
    edge.bearer(&of_old).get("/api/notifications").await.expect(200);
    // The set may be older than this token, and is not fetched again so soon.
    edge.bearer(&of_new).get("/api/notifications").await.problem(503);
    let forged = Token::of("u1").key_id("old").sign_with(old.algorithm, &KeyPair::ec().private);
    edge.bearer(&forged).get("/api/notifications").await.problem(401);

    serve(json!([old.jwk("old"), new.jwk("new")])).await;
    eventually("the new key is known", async || {
        (edge.bearer(&of_new).get("/api/notifications").await.status == 200).then_some(())
    })
    .await;
    edge.bearer(&of_old).get("/api/notifications").await.expect(200);
}

#[tokio::test]
async fn publishing_takes_the_scope_for_it() {
    let cluster = cluster().start().await;
    let body = json!({"users": ["u1"], "title": "t"});
    let edge = cluster.edge();
    let refused = edge.user("u1").publish(&body).await;
    refused.problem(403);
    assert!(refused.header("www-authenticate").contains("insufficient_scope"));
    edge.user("u1").post("/api/notifications/batch", &json!([body])).await.problem(403);
    for scope in ["publisher", "unpublish", "PUBLISH", "pub lish"] {
        edge.caller(&Token::of("u1").scope(scope)).publish(&body).await.problem(403);
    }
    for scope in ["publish", "read publish", "admin"] {
        edge.caller(&Token::of("u1").scope(scope)).publish(&body).await.expect(201);
    }
}
