//! The edge as a client meets it, in front of a database that is away.

mod browsers;
mod callers;
mod publishing;
mod surface;

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
use tokio_util::task::TaskTracker;
use utoipa::OpenApi as _;

use super::*;
use crate::{
    auth::{self, Grant},
    bus::Incoming,
    config::options::Options,
    domain::user::UserKey,
    health::{Health, Phase},
    live::announce::Announcer,
};

const SECRET: &str = "a secret of at least thirty-two bytes";

fn settings(more: &[(&str, &str)]) -> Settings {
    let given = [("TIDINGS_JWT_SECRET", SECRET), ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")];
    let variables = given.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Options::default().effective(variables).unwrap().1
}

/// The parts of an instance whose database is away.
async fn parts(more: &[(&str, &str)]) -> Data<Parts> {
    let settings = Arc::new(settings(more));
    let health = Arc::new(Health::default());
    health.enter(Phase::Serving);
    let store = Store::open(&settings).await.unwrap();
    let bus = Bus::local(Arc::new(|_: Incoming| {}));
    let hub = Hub::new(bus.clone(), settings.stream.clone());
    let announcer = Announcer::new(hub.clone(), bus.clone());
    let tracker = TaskTracker::new();
    let signals = Signals::new(store.clone(), bus.clone(), settings.signals.clone());
    let presence = Presence::new(store.clone(), hub.clone(), signals.clone(), settings.presence_grace);
    let authenticator = Authenticator::new(&settings.auth, None).unwrap();
    let kinds = Kinds::new(settings.kinds.clone());
    let known = authenticator.revocations().clone();
    Data::new(Parts {
        publisher: Publisher::start(store.clone(), announcer.clone(), &settings.publish, &tracker),
        inbox: Inbox::new(store.clone(), announcer.clone(), tracker.clone()),
        kinds_registry: KindsRegistry::new(store.clone(), bus.clone(), kinds.clone(), std::time::Duration::MAX),
        preferences: Preferences::new(store.clone(), announcer.clone(), kinds.clone(), tracker.clone()),
        kinds,
        topics: Topics::new(store.clone(), announcer, bus.clone(), presence.clone(), tracker, settings.subscriptions),
        revocations: Revocations::new(store.clone(), hub.clone(), bus.clone(), known, std::time::Duration::MAX),
        presence,
        signals,
        store,
        hub,
        sockets: None,
        authenticator,
        bus,
        health,
        metrics: metrics_endpoint::install(),
        settings,
    })
}

fn token(scope: &str) -> String {
    let key = UserKey { tenant: "acme".parse().unwrap(), user: "u1".parse().unwrap() };
    let grant =
        Grant { key, scope: scope.to_owned(), ttl: Duration::from_mins(10), token_id: None, topics: Vec::new() };
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

fn batch(body: String) -> TestRequest {
    bearer(TestRequest::post().uri("/api/notifications/batch"), "publish")
        .insert_header(("Content-Type", "application/json"))
        .set_payload(body)
}
