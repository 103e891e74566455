//! The pages for browsers, and the origins of pages that may call.

use actix_web::http::Method;

use super::*;

#[actix_web::test]
async fn pages_are_kept_by_browsers_and_run_nothing_foreign() {
    let service = test::init_service(app(parts(&[]).await)).await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/assets/client/index.js", "text/javascript; charset=utf-8"),
        ("/assets/docs/style.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let got = call(&service, TestRequest::get().uri(path).to_request()).await;
        assert_eq!((got.status, got.header("content-type")), (StatusCode::OK, Some(content_type)), "{path}");
        assert!(got.header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'self'"));
        assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(got.header("referrer-policy"), Some("no-referrer"));
        let again = TestRequest::get().uri(path).insert_header(("If-None-Match", got.header("etag").unwrap()));
        let again = call(&service, again.to_request()).await;
        assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path}");
    }
}

#[actix_web::test]
async fn pages_of_listed_origins_may_call_and_others_may_not() {
    let ask_first = |origin: &'static str, method: &'static str, headers: &'static str| {
        TestRequest::with_uri("/api/notifications")
            .method(Method::OPTIONS)
            .insert_header(("Origin", origin))
            .insert_header(("Access-Control-Request-Method", method))
            .insert_header(("Access-Control-Request-Headers", headers))
    };
    let preflight = |origin| ask_first(origin, "POST", "authorization,content-type,idempotency-key");
    let listed = parts(&[("TIDINGS_CORS_ORIGINS", "https://app.example.com")]).await;
    let got = ask(listed.clone(), preflight("https://app.example.com")).await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(got.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(got.header("access-control-allow-credentials"), Some("true"));
    let settings = ask_first("https://app.example.com", "PATCH", "authorization,content-type,if-match");
    assert_eq!(ask(listed.clone(), settings).await.status, StatusCode::OK);
    let polls = ask_first("https://app.example.com", "GET", "authorization,if-none-match");
    assert_eq!(ask(listed.clone(), polls).await.status, StatusCode::OK);
    let got = ask(listed.clone(), preflight("https://evil.example.com")).await;
    assert_eq!((got.status, got.header("access-control-allow-origin")), (StatusCode::BAD_REQUEST, None));

    // The server's own pages send an Origin too and are no business of these rules.
    let own = bearer(TestRequest::get().uri("/api/notifications"), "").insert_header(("Origin", "http://localhost"));
    let got = ask(parts(&[]).await, own).await;
    assert_eq!((got.problem().as_str(), got.header("access-control-allow-credentials")), ("unavailable", None));
    // A page that may call may also read refusals.
    let foreign = TestRequest::get().uri("/api/notifications").insert_header(("Origin", "https://app.example.com"));
    let got = ask(listed, foreign).await;
    assert_eq!(
        (got.problem().as_str(), got.header("access-control-allow-origin")),
        ("no-token", Some("https://app.example.com"))
    );
    assert!(got.header("access-control-expose-headers").unwrap().to_lowercase().contains("etag"));

    let got = ask(parts(&[("TIDINGS_CORS_ORIGINS", "*")]).await, preflight("https://any.example.com")).await;
    assert_eq!(got.header("access-control-allow-origin"), Some("*"));
    assert_eq!(got.header("access-control-allow-credentials"), None);
}
