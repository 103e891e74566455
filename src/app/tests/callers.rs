//! Callers: tokens, addresses and bounds of their requests.

use super::*;

#[actix_web::test]
async fn every_api_route_but_the_description_wants_a_token() {
    let service = test::init_service(app(parts(&[]).await)).await;
    for (path, methods) in
        ROUTES.iter().filter(|(path, _)| path.starts_with("/api/") && !path.ends_with("openapi.json"))
    {
        for method in methods.split(", ").filter(|_| !path.contains("stream")) {
            let request = TestRequest::default().method(method.parse().unwrap()).uri(path);
            let got = call(&service, request.to_request()).await;
            assert_eq!(got.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(got.header("www-authenticate"), Some("Bearer"), "{method} {path}");
        }
    }
}

#[actix_web::test]
async fn tokens_that_do_not_hold_are_refused_without_being_repeated() {
    let service = test::init_service(app(parts(&[]).await)).await;
    let forged = format!("{}x", token("publish"));
    for value in ["Bearer", "Basic dTpw", "Bearer ", "Bearer a.b.c", &format!("Bearer {forged}")] {
        let request = TestRequest::get().uri("/api/notifications").insert_header(("Authorization", value));
        let got = call(&service, request.to_request()).await;
        assert_eq!(got.status, StatusCode::UNAUTHORIZED, "{value}");
        assert!(got.header("www-authenticate").is_some_and(|header| header.starts_with("Bearer")));
        assert!(!got.body.contains(&forged) && !got.body.contains("dTpw"));
    }
    // A ticket or a token in the query is for the stream only.
    let uri = format!("/api/notifications?token={}", token(""));
    let got = call(&service, TestRequest::get().uri(&uri).to_request()).await;
    assert_eq!(got.problem(), "no-token");
}

#[actix_web::test]
async fn scopes_open_their_endpoints_and_admin_implies_publish() {
    let service = test::init_service(app(parts(&[]).await)).await;
    let body = r#"{"users":["u2"],"title":"t"}"#;
    for (path, scope, problem) in [
        ("/api/notifications", "", "missing-scope"),
        ("/api/notifications", "publish", "unavailable"),
        ("/api/notifications", "admin", "unavailable"),
        ("/api/notifications/batch", "", "missing-scope"),
        ("/api/admin/revocations", "publish", "missing-scope"),
        ("/api/admin/revocations", "admin", "invalid-body"),
    ] {
        let request = bearer(TestRequest::post().uri(path), scope).insert_header(("Content-Type", "application/json"));
        let got = call(&service, request.set_payload(body).to_request()).await;
        assert_eq!(got.problem(), problem, "{path} {scope}");
    }
}

#[actix_web::test]
async fn a_cookie_changes_something_only_from_a_page_that_may() {
    let service = test::init_service(app(parts(&[("TIDINGS_CORS_ORIGINS", "https://app.example.com")]).await)).await;
    let cookie = format!("other=1; tidings_token={}", token(""));
    for (headers, passes) in [
        (&[][..], false),
        (&[("Origin", "https://evil.example.com")], false),
        (&[("Origin", "null")], false),
        (&[("Sec-Fetch-Site", "cross-site")], false),
        (&[("Sec-Fetch-Site", "same-site")], false),
        (&[("Sec-Fetch-Site", "same-origin")], true),
        (&[("Origin", "https://tidings.example.com")], true),
        (&[("Origin", "https://app.example.com")], true),
    ] {
        let mut request = TestRequest::post()
            .uri("/api/notifications/read-all")
            .insert_header(("Cookie", cookie.clone()))
            .insert_header(("Host", "tidings.example.com"));
        for header in headers {
            request = request.insert_header(*header);
        }
        let problem = call(&service, request.to_request()).await.problem();
        assert_eq!(problem, if passes { "unavailable" } else { "foreign-origin" }, "{headers:?}");
    }
    let safe = TestRequest::get().uri("/api/notifications").insert_header(("Cookie", cookie));
    assert_eq!(call(&service, safe.to_request()).await.problem(), "unavailable");
}

#[actix_web::test]
async fn a_revocation_names_a_user_or_a_token() {
    let service = test::init_service(app(parts(&[]).await)).await;
    for (body, problem) in [
        (r#"{"user":"u1"}"#, "unavailable"),
        (r#"{"jti":"t1","expiresAt":"2030-01-01T00:00:00Z"}"#, "unavailable"),
        ("{}", "invalid-body"),
        (r#"{"user":"u1","jti":"t1"}"#, "invalid-body"),
        (r#"{"user":""}"#, "invalid-body"),
        (r#"{"jti":""}"#, "invalid-body"),
        (r#"{"user":"u1","tenant":"other"}"#, "invalid-body"),
    ] {
        let request = bearer(TestRequest::post().uri("/api/admin/revocations"), "admin")
            .insert_header(("Content-Type", "application/json"))
            .set_payload(body);
        assert_eq!(call(&service, request.to_request()).await.problem(), problem, "{body}");
    }
}

#[actix_web::test]
async fn queries_that_are_not_understood_are_named() {
    let request = bearer(TestRequest::get().uri("/api/notifications?limit=0&user=u2"), "");
    let got = ask(parts(&[]).await, request.insert_header(("X-Request-Id", "r"))).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(got.body, @r#"{"type":"urn:tidings:problem:bad-query","title":"Bad query","status":400,"detail":"a query parameter is unknown or malformed","instance":"urn:tidings:request:r","errors":[{"parameter":"limit","detail":"must be a whole number from 1 to 100"},{"parameter":"user","detail":"is not known here"}]}"#);
}
