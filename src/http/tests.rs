//! The edge as a client meets it, in front of a database that is away.

use std::time::Duration;

use actix_http::Request;
use actix_web::{
    body::MessageBody,
    dev::Service,
    http::StatusCode,
    test::{self, TestRequest},
};
use secrecy::SecretString;
use serde_json::Value;
use utoipa::OpenApi as _;

use super::*;
use crate::{
    auth::{self, Grant},
    bus::Incoming,
    config::options::Options,
    health::{Health, Phase},
    notification::UserKey,
};

const SECRET: &str = "a secret of at least thirty-two bytes";

fn settings(more: &[(&str, &str)]) -> Settings {
    let given = [("TIDINGS_JWT_SECRET", SECRET), ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")];
    let variables = given.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Options::default().effective(variables).unwrap().try_into().unwrap()
}

/// The parts of an instance whose database is away.
fn parts(more: &[(&str, &str)]) -> Data<Parts> {
    let settings = Arc::new(settings(more));
    let health = Arc::new(Health::default());
    health.enter(Phase::Serving);
    Data::new(Parts {
        store: Store {},
        publisher: Publisher {},
        inbox: Inbox {},
        authenticator: Authenticator::new(&settings.auth, None).unwrap(),
        bus: Bus::Local(Arc::new(|_: Incoming| {})),
        health,
        metrics: metrics_endpoint::install(),
        settings,
    })
}

fn token(scope: &str) -> String {
    let key = UserKey { tenant: "acme".parse().unwrap(), user: "u1".parse().unwrap() };
    let grant = Grant { key, scope: scope.to_owned(), ttl: Duration::from_secs(600), token_id: None };
    auth::mint(&SecretString::from(SECRET), &settings(&[]).auth, &grant, chrono::Utc::now()).unwrap()
}

/// What a client got.
struct Got {
    status: StatusCode,
    headers: actix_web::http::header::HeaderMap,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The name at the end of the problem's type, which must be a whole problem of this very answer.
    fn problem(&self) -> String {
        let json = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(json["status"], self.status.as_u16());
        let id = self.header("x-request-id").unwrap();
        assert_eq!(json["instance"], format!("urn:tidings:request:{id}"));
        json["type"].as_str().unwrap().strip_prefix("urn:tidings:problem:").unwrap().to_owned()
    }
}

async fn ask(parts: Data<Parts>, request: TestRequest) -> Got {
    let service = test::init_service(app(parts)).await;
    call(&service, request.to_request()).await
}

async fn call<B: MessageBody>(
    service: &impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    request: Request,
) -> Got {
    let (status, headers, body) = match service.call(request).await {
        Ok(response) => (response.status(), response.headers().clone(), test::read_body(response).await),
        Err(error) => {
            let response = error.error_response();
            let headers = response.headers().clone();
            (response.status(), headers, actix_web::body::to_bytes(response.into_body()).await.unwrap())
        }
    };
    Got { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn bearer(request: TestRequest, scope: &str) -> TestRequest {
    request.insert_header(("Authorization", format!("Bearer {}", token(scope))))
}

fn publish(body: impl Into<String>) -> TestRequest {
    bearer(TestRequest::post().uri("/api/notifications"), "publish")
        .insert_header(("Content-Type", "application/json"))
        .set_payload(body.into())
}

#[actix_web::test]
async fn every_route_is_documented_and_every_documented_operation_is_a_route() {
    let mut routed: Vec<String> = ROUTES
        .iter()
        .filter(|(path, _)| !["/", "/docs", "/assets/{file}"].contains(path))
        .flat_map(|(path, methods)| methods.split(", ").map(move |method| format!("{method} {path}")))
        .filter(|operation| !operation.starts_with("HEAD"))
        .collect();
    let api: Value = serde_json::from_str(&openapi::Api::openapi().to_json().unwrap()).unwrap();
    let mut documented: Vec<String> = api["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    routed.sort();
    documented.sort();
    assert_eq!(routed, documented);
}

#[actix_web::test]
async fn no_reference_of_the_description_leads_nowhere() {
    let text = openapi::Api::openapi().to_json().unwrap();
    let api: Value = serde_json::from_str(&text).unwrap();
    let references = text.split(r##""$ref":"#"##).skip(1).filter_map(|rest| rest.split('"').next());
    for pointer in references {
        assert!(api.pointer(pointer).is_some(), "{pointer}");
    }
    let got = ask(parts(&[]), TestRequest::get().uri("/api/openapi.json")).await;
    assert_eq!(got.json(), api);
}

#[actix_web::test]
async fn an_unknown_path_is_a_problem() {
    let request = TestRequest::get().uri("/nowhere?token=secret").insert_header(("X-Request-Id", "abc-1"));
    let got = ask(parts(&[]), request).await;
    insta::assert_snapshot!(got.body, @r#"{"type":"urn:tidings:problem:no-such-path","title":"Not found","status":404,"detail":"there is nothing at this path","instance":"urn:tidings:request:abc-1"}"#);
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    assert_eq!(got.problem(), "no-such-path");
}

#[actix_web::test]
async fn a_strange_request_id_is_replaced() {
    for strange in ["a b", "", &"x".repeat(65), "a\"b"] {
        let request = TestRequest::get().uri("/health/live").insert_header(("X-Request-Id", strange));
        let got = ask(parts(&[]), request).await;
        let id = got.header("x-request-id").unwrap();
        assert_ne!(id, strange);
        assert_eq!(id.len(), 32);
    }
}

#[actix_web::test]
async fn a_wrong_method_is_told_the_right_ones() {
    for (path, allow) in ROUTES.iter().filter(|(_, methods)| !methods.contains("PUT")) {
        let uri = path.replace("{id}", "0192f0c1-d8e7-7c4b-9a3e-5f6071829304").replace("{file}", "app.js");
        let got = ask(parts(&[]), TestRequest::put().uri(&uri)).await;
        assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(got.header("allow"), Some(*allow), "{path}");
        assert_eq!(got.problem(), "wrong-method");
    }
}

#[actix_web::test]
async fn every_api_route_but_the_description_wants_a_token() {
    let service = test::init_service(app(parts(&[]))).await;
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
async fn strange_paths_are_problems() {
    let service = test::init_service(app(parts(&[]))).await;
    for path in ["/api/notifications/%FF", "/api/notifications/%zz", "/api/notifications/%00", "/api/notifications/x"] {
        let got = call(&service, bearer(TestRequest::get().uri(path), "").to_request()).await;
        assert_eq!((got.status, got.problem().as_str()), (StatusCode::NOT_FOUND, "no-such-notification"), "{path}");
    }
    for path in
        ["/%FF", "/assets/%2e%2e%2fCargo.toml", "/assets/..", "/assets/none.js", "/assets/index.html", "/health/"]
    {
        let got = call(&service, TestRequest::get().uri(path).to_request()).await;
        assert_eq!((got.status, got.problem().as_str()), (StatusCode::NOT_FOUND, "no-such-path"), "{path}");
    }
}

#[actix_web::test]
async fn tokens_that_do_not_hold_are_refused_without_being_repeated() {
    let service = test::init_service(app(parts(&[]))).await;
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
async fn scopes_open_what_they_name_and_admin_implies_publish() {
    let service = test::init_service(app(parts(&[]))).await;
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
async fn what_is_wrong_with_a_message_is_named_by_place() {
    let request = publish(r#"{"users":["u1",""],"title":"t"}"#).insert_header(("X-Request-Id", "r"));
    let got = ask(parts(&[]), request).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    insta::assert_snapshot!(got.body, @r#"{"type":"urn:tidings:problem:invalid-body","title":"Invalid body","status":422,"detail":"the body is not valid","instance":"urn:tidings:request:r","errors":[{"pointer":"/users/1","detail":"a user's id is 1 to 256 bytes at line 1 column 18"}]}"#);
}

#[actix_web::test]
async fn only_json_is_read() {
    let service = test::init_service(app(parts(&[]))).await;
    for (header, value, problem) in [
        ("Content-Type", "text/plain", "wrong-content-type"),
        ("Content-Type", "application/x-www-form-urlencoded", "wrong-content-type"),
        ("Content-Type", "application/json; charset=latin1", "wrong-content-type"),
        ("Content-Encoding", "gzip", "wrong-content-type"),
        ("Content-Type", "application/json; charset=UTF-8", "unavailable"),
        ("Content-Type", "application/cloudevents+json", "unavailable"),
        ("Content-Type", "application/cloudevents-batch+json", "wrong-content-type"),
    ] {
        let request = publish(r#"{"users":["u2"],"title":"t"}"#).insert_header((header, value));
        assert_eq!(call(&service, request.to_request()).await.problem(), problem, "{header}: {value}");
    }
    let bare = bearer(TestRequest::post().uri("/api/notifications"), "publish").set_payload("{}");
    assert_eq!(call(&service, bare.to_request()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for text in ["", "{", "{} {}", "{\"users\":[\"\u{7f}\"]", "[1,]"] {
        assert_eq!(call(&service, publish(text).to_request()).await.problem(), "not-json", "{text}");
    }
}

#[actix_web::test]
async fn a_body_past_its_bound_is_told_the_bound() {
    let parts = parts(&[]);
    let most = parts.settings.publish.body_bytes;
    let padded = |bytes: usize| format!(r#"{{"users":["u1"],"title":"t","message":"{}"}}"#, "x".repeat(bytes));
    let got = ask(parts.clone(), publish(padded(most))).await;
    assert_eq!((got.status, got.problem().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too-large"));
    assert!(got.json()["detail"].as_str().unwrap().contains(&format!("{most} bytes")));

    let many = format!("[{}]", vec!["0"; parts.settings.publish.batch_items + 1].join(","));
    let got = ask(parts, batch(many)).await;
    assert_eq!((got.status, got.problem().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too-large"));
    assert!(got.json()["detail"].as_str().unwrap().contains("batch_items"));
}

fn batch(body: String) -> TestRequest {
    bearer(TestRequest::post().uri("/api/notifications/batch"), "publish")
        .insert_header(("Content-Type", "application/json"))
        .set_payload(body)
}

#[actix_web::test]
async fn a_batch_answers_each_item_in_its_place() {
    let service = test::init_service(app(parts(&[]))).await;
    let got = call(&service, batch(r#"[{"users":["u1"]},{"users":[],"title":"t"}]"#.to_owned()).to_request()).await;
    assert_eq!(got.status, StatusCode::OK);
    insta::assert_snapshot!(serde_json::to_string_pretty(&got.json()).unwrap(), @"");
    for (body, problem) in
        [("{}", "invalid-body"), ("[", "not-json"), (r#"[{"users":["u"],"title":"t"}]"#, "unavailable")]
    {
        assert_eq!(call(&service, batch(body.to_owned()).to_request()).await.problem(), problem, "{body}");
    }
    let keyed = batch("[]".to_owned()).insert_header(("Idempotency-Key", "k"));
    assert_eq!(call(&service, keyed.to_request()).await.problem(), "bad-header");
}

#[actix_web::test]
async fn header_and_field_must_not_name_different_keys() {
    let service = test::init_service(app(parts(&[]))).await;
    let body = r#"{"users":["u1"],"title":"t","idempotencyKey":"k1"}"#;
    for (key, problem) in [
        ("k1", "unavailable"),
        ("\"k1\"", "unavailable"),
        ("k2", "keys-differ"),
        ("", "bad-header"),
        (&"k".repeat(201), "bad-header"),
    ] {
        let request = publish(body).insert_header(("Idempotency-Key", key));
        assert_eq!(call(&service, request.to_request()).await.problem(), problem, "{key}");
    }
}

#[actix_web::test]
async fn a_cookie_changes_something_only_from_a_page_that_may() {
    let service = test::init_service(app(parts(&[("TIDINGS_CORS_ORIGINS", "https://app.example.com")]))).await;
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
async fn queries_that_are_not_understood_are_named() {
    let request = bearer(TestRequest::get().uri("/api/notifications?limit=0&user=u2"), "");
    let got = ask(parts(&[]), request.insert_header(("X-Request-Id", "r"))).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(got.body, @r#"{"type":"urn:tidings:problem:bad-query","title":"Bad query","status":400,"detail":"a query parameter is unknown or malformed","instance":"urn:tidings:request:r","errors":[{"parameter":"limit","detail":"must be a whole number from 1 to 100"},{"parameter":"user","detail":"is not known here"}]}"#);
}

#[actix_web::test]
async fn a_database_that_is_away_says_when_to_come_back() {
    let got = ask(parts(&[]), bearer(TestRequest::get().uri("/api/notifications"), "")).await;
    assert_eq!((got.status, got.problem().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    assert_eq!(got.header("retry-after"), Some("2"));
    assert_eq!(got.header("cache-control"), Some("no-store"));
}

#[actix_web::test]
async fn a_revocation_names_a_user_or_a_token() {
    let service = test::init_service(app(parts(&[]))).await;
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
async fn ready_is_red_only_while_starting_or_draining() {
    let parts = parts(&[]);
    let ready = || TestRequest::get().uri("/health/ready");
    parts.health.note_database(false);
    assert_eq!(ask(parts.clone(), ready()).await.status, StatusCode::OK);
    let report = ask(parts.clone(), TestRequest::get().uri("/health")).await.json();
    assert_eq!((&report["status"], &report["parts"]["database"]["up"]), (&"degraded".into(), &false.into()));
    parts.health.enter(Phase::Draining);
    assert_eq!(ask(parts.clone(), ready()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask(parts, TestRequest::get().uri("/health/live")).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn pages_are_kept_by_browsers_and_run_nothing_foreign() {
    let service = test::init_service(app(parts(&[]))).await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/assets/app.js", "text/javascript; charset=utf-8"),
        ("/assets/style.css", "text/css; charset=utf-8"),
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
    let preflight = |origin: &'static str| {
        TestRequest::with_uri("/api/notifications")
            .method(Method::OPTIONS)
            .insert_header(("Origin", origin))
            .insert_header(("Access-Control-Request-Method", "POST"))
            .insert_header(("Access-Control-Request-Headers", "authorization,content-type,idempotency-key"))
    };
    let listed = parts(&[("TIDINGS_CORS_ORIGINS", "https://app.example.com")]);
    let got = ask(listed.clone(), preflight("https://app.example.com")).await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(got.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(got.header("access-control-allow-credentials"), Some("true"));
    let got = ask(listed.clone(), preflight("https://evil.example.com")).await;
    assert_eq!((got.status, got.header("access-control-allow-origin")), (StatusCode::BAD_REQUEST, None));

    // The server's own pages send an Origin too and are no business of these rules.
    let own = bearer(TestRequest::get().uri("/api/notifications"), "").insert_header(("Origin", "http://localhost"));
    assert_eq!(ask(parts(&[]), own).await.problem(), "unavailable");
    // A page that may call may also read refusals.
    let foreign = TestRequest::get().uri("/api/notifications").insert_header(("Origin", "https://app.example.com"));
    let got = ask(listed, foreign).await;
    assert_eq!(
        (got.problem().as_str(), got.header("access-control-allow-origin")),
        ("no-token", Some("https://app.example.com"))
    );

    let got = ask(parts(&[("TIDINGS_CORS_ORIGINS", "*")]), preflight("https://any.example.com")).await;
    assert_eq!(got.header("access-control-allow-origin"), Some("*"));
    assert_eq!(got.header("access-control-allow-credentials"), None);
}

#[actix_web::test]
async fn a_panic_is_an_opaque_problem_that_listed_pages_can_read() {
    async fn panics() -> &'static str {
        panic!("a defect")
    }
    let cors = cors::cors(&["https://app.example.com".to_owned()]);
    let service = App::new().route("/", web::get().to(panics)).wrap(CatchPanic::default()).wrap(cors);
    let service = test::init_service(service.wrap(from_fn(observe::observe))).await;
    let request = TestRequest::get().uri("/").insert_header(("Origin", "https://app.example.com"));
    let got = call(&service, request.to_request()).await;
    assert_eq!((got.status, got.problem().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "internal"));
    assert_eq!(got.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert!(!got.body.contains("a defect"));
}

#[actix_web::test]
async fn metrics_name_routes_and_never_paths() {
    let parts = parts(&[]);
    ask(parts.clone(), bearer(TestRequest::get().uri("/api/notifications/secret-path?q=secret"), "")).await;
    let got = ask(parts, TestRequest::get().uri("/metrics")).await;
    let line =
        r#"tidings_http_request_seconds_bucket{route="/api/notifications/{id}",method="GET",status="404",le="10"}"#;
    assert!(got.body.contains(line), "{}", got.body);
    assert!(!got.body.contains("secret"));
}
