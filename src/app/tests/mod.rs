//! The edge as a client meets it, in front of a database that is away.

mod browsers;
mod callers;
mod leaving;
mod publishing;
mod surface;

use std::{sync::Arc, time::Duration};

use actix_http::Request;
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{Service, ServiceResponse},
    http::StatusCode,
    middleware::from_fn,
    test::{self, TestRequest},
    web::{self, Data},
};
use actix_web_lab::middleware::CatchPanic;
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa::OpenApi as _;

use super::wiring::Instance;
use crate::{
    auth::{self, Grant},
    config::{Origins, Settings, options::Options},
    domain::user::UserKey,
    health::Phase,
    http::{Parts, ROUTES, app, cors, middleware, openapi},
};

const SECRET: &str = "a secret of at least thirty-two bytes";

fn settings(more: &[(&str, &str)]) -> Settings {
    let given = [
        ("TIDINGS_JWT_SECRET", SECRET),
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
        // Requests come without a socket here.
        ("TIDINGS_STREAM_TAKEOVER", "false"),
    ];
    let variables = given.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Options::default().effective(variables).unwrap().1
}

/// The parts of an instance whose database is away.
async fn parts(more: &[(&str, &str)]) -> Data<Parts> {
    let settings = Arc::new(settings(more));
    let instance = Instance::build(&settings, &CancellationToken::new(), &TaskTracker::new()).await.unwrap();
    instance.parts.health.enter(Phase::Serving);
    Data::new(instance.parts)
}

fn token(scope: &str) -> String {
    let key = UserKey { tenant: "acme".parse().unwrap(), user: "u1".parse().unwrap() };
    let grant =
        Grant { key, scope: scope.to_owned(), ttl: Duration::from_mins(10), token_id: None, topics: Vec::new() };
    auth::mint(&SecretString::from(SECRET), &settings(&[]).auth, &grant, chrono::Utc::now()).unwrap()
}

/// The answer that a client got.
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

fn batch(body: String) -> TestRequest {
    bearer(TestRequest::post().uri("/api/notifications/batch"), "publish")
        .insert_header(("Content-Type", "application/json"))
        .set_payload(body)
}
