//! Paths, methods, ids, problems, health and metrics.

use super::*;

#[actix_web::test]
async fn every_route_is_documented_and_every_documented_operation_is_a_route() {
    let mut routed: Vec<String> = ROUTES
        .iter()
        .filter(|(path, _)| !["/", "/docs", "/assets/{file:.+}"].contains(path))
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
async fn schemas_keep_the_names_by_which_clients_know_them() {
    let api: Value = serde_json::from_str(&openapi::Api::openapi().to_json().unwrap()).unwrap();
    for name in ["Settings", "Why", "ChannelWhy", "SettingsEvent", "Health"] {
        assert!(api["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[actix_web::test]
async fn no_reference_of_the_description_leads_nowhere() {
    let text = openapi::Api::openapi().to_json().unwrap();
    let api: Value = serde_json::from_str(&text).unwrap();
    let references: Vec<_> = text.split(r##""$ref":"#"##).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!references.is_empty());
    for pointer in references {
        assert!(api.pointer(pointer).is_some(), "{pointer}");
    }
    let got = ask(parts(&[]).await, TestRequest::get().uri("/api/openapi.json")).await;
    assert_eq!(got.json(), api);
}

#[actix_web::test]
async fn an_unknown_path_is_a_problem() {
    let request = TestRequest::get().uri("/nowhere?token=secret").insert_header(("X-Request-Id", "abc-1"));
    let got = ask(parts(&[]).await, request).await;
    insta::assert_snapshot!(got.body, @r#"{"type":"urn:tidings:problem:no-such-path","title":"Not found","status":404,"detail":"there is nothing at this path","instance":"urn:tidings:request:abc-1"}"#);
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    assert_eq!(got.problem(), "no-such-path");
}

#[actix_web::test]
async fn a_strange_request_id_is_replaced() {
    for strange in ["a b", "", &"x".repeat(65), "a\"b"] {
        let request = TestRequest::get().uri("/health/live").insert_header(("X-Request-Id", strange));
        let got = ask(parts(&[]).await, request).await;
        let id = got.header("x-request-id").unwrap();
        assert_ne!(id, strange);
        assert_eq!(id.len(), 32);
    }
}

#[actix_web::test]
async fn the_answer_to_a_wrong_method_names_the_right_ones() {
    for (path, allow) in ROUTES.iter().filter(|(_, methods)| !methods.contains("PUT")) {
        let uri = path.replace("{id}", "0192f0c1-d8e7-7c4b-9a3e-5f6071829304").replace("{file}", "app.js");
        let got = ask(parts(&[]).await, TestRequest::put().uri(&uri)).await;
        assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(got.header("allow"), Some(*allow), "{path}");
        assert_eq!(got.problem(), "wrong-method");
    }
}

#[actix_web::test]
async fn strange_paths_are_problems() {
    let service = test::init_service(app(parts(&[]).await)).await;
    for path in ["/api/notifications/%FF", "/api/notifications/%zz", "/api/notifications/%00", "/api/notifications/x"] {
        let got = call(&service, bearer(TestRequest::get().uri(path), "").to_request()).await;
        assert_eq!((got.status, got.problem().as_str()), (StatusCode::NOT_FOUND, "no-such-notification"), "{path}");
    }
    for path in [
        "/%FF",
        "/assets/%2e%2e%2fCargo.toml",
        "/assets/..",
        "/assets/none.js",
        "/assets/demo/index.html",
        "/assets/package.json",
        "/health/",
    ] {
        let got = call(&service, TestRequest::get().uri(path).to_request()).await;
        assert_eq!((got.status, got.problem().as_str()), (StatusCode::NOT_FOUND, "no-such-path"), "{path}");
    }
}

#[actix_web::test]
async fn a_panic_is_an_opaque_problem_that_listed_pages_can_read() {
    async fn panics() -> &'static str {
        panic!("a defect")
    }
    let cors = cors::ByOrigins(Origins::of(vec!["https://app.example.com".to_owned()]));
    let service = App::new().route("/", web::get().to(panics)).wrap(CatchPanic::default()).wrap(cors);
    let service = test::init_service(service.wrap(from_fn(middleware::observe))).await;
    let request = TestRequest::get().uri("/").insert_header(("Origin", "https://app.example.com"));
    let got = call(&service, request.to_request()).await;
    assert_eq!((got.status, got.problem().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "internal"));
    assert_eq!(got.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert!(!got.body.contains("a defect"));
}

#[actix_web::test]
async fn metrics_name_routes_and_never_paths() {
    let parts = parts(&[]).await;
    ask(parts.clone(), bearer(TestRequest::get().uri("/api/notifications/secret-path?q=secret"), "")).await;
    let got = ask(parts, TestRequest::get().uri("/metrics")).await;
    let line =
        r#"tidings_http_request_seconds_bucket{route="/api/notifications/{id}",method="GET",status="404",le="10"}"#;
    assert!(got.body.contains(line), "{}", got.body);
    assert!(!got.body.contains("secret"));
}

#[actix_web::test]
async fn ready_is_red_only_while_starting_or_draining() {
    let parts = parts(&[]).await;
    let ready = || TestRequest::get().uri("/health/ready");
    assert_eq!(ask(parts.clone(), ready()).await.status, StatusCode::OK);
    parts.health.note_database(false);
    let report = ask(parts.clone(), TestRequest::get().uri("/health")).await.json();
    assert_eq!((&report["status"], &report["parts"]["database"]["up"]), (&"degraded".into(), &false.into()));
    parts.health.enter(Phase::Draining);
    assert_eq!(ask(parts.clone(), ready()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask(parts, TestRequest::get().uri("/health/live")).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_database_that_is_away_says_when_to_come_back() {
    let got = ask(parts(&[]).await, bearer(TestRequest::get().uri("/api/notifications"), "")).await;
    assert_eq!((got.status, got.problem().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    assert_eq!(got.header("retry-after"), Some("2"));
    assert_eq!(got.header("cache-control"), Some("no-store"));
}
