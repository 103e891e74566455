//! The HTTP edge: one file per resource, each a thin layer over the parts that do the work.
//!
//! Nothing below knows of HTTP; nothing here but [`error`] picks the status of a refusal.

mod body;
mod bulk;
mod changes;
pub(crate) mod cors;
pub mod credentials;
pub mod error;
mod etag;
pub mod extract;
mod fanouts;
pub mod foreign_pages;
mod health;
pub mod hijack;
mod inbox;
mod kinds;
mod members;
pub mod metrics_endpoint;
pub(crate) mod middleware;
pub(crate) mod openapi;
mod opening;
mod pages;
mod preferences;
mod presence;
mod problem;
mod publish;
pub mod query;
mod refusals;
mod revocations;
mod scheduled;
mod signals;
pub mod sse;
mod states;
mod stream_docs;
mod summary;
mod tickets;
mod topic_kinds;
mod topics;
mod ws;

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{
    App, Error, HttpResponse,
    body::BoxBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    http::Method,
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};
use actix_web_lab::middleware::CatchPanic;
use metrics_exporter_prometheus::PrometheusHandle;

use self::{error::ApiError, foreign_pages::ForeignPages};
use crate::{
    actions::{
        inbox::Inbox, kinds::KindsRegistry, preferences::PreferencesEditor, presence::Presence, publish::Publisher,
        revocations::Revocations, signals::Signals, topics::Topics,
    },
    auth::Authenticator,
    bus::Bus,
    config::Settings,
    domain::kinds::Kinds,
    live::{hub::Hub, sockets::Sockets},
    store::Store,
};

/// The parts that handlers use; `app::wiring` builds it.
pub struct Parts {
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// Reads, tickets, revocations.
    pub store: Store,
    /// The write path.
    pub publisher: Publisher,
    /// Changes of state.
    pub inbox: Inbox,
    /// The kinds registry.
    pub kinds: Kinds,
    /// Changes of kinds.
    pub kinds_registry: KindsRegistry,
    /// Changes of preferences.
    pub preferences: PreferencesEditor,
    /// Subscribers and members of topics.
    pub topics: Topics,
    /// The way of signals.
    pub signals: Signals,
    /// The presence of users.
    pub presence: Presence,
    /// Verifies tokens, and knows the revocations.
    pub authenticator: Authenticator,
    /// The streams of this instance.
    pub hub: Hub,
    /// The sockets that streams own; none where every stream is a body of the HTTP server.
    pub sockets: Option<Sockets>,
    /// Takes tokens out of service.
    pub revocations: Revocations,
    /// The way to the other instances.
    pub bus: Bus,
    /// How this instance does.
    pub health: Arc<crate::health::Health>,
    /// Pages whose `WebSocket`s were refused.
    pub foreign_pages: ForeignPages,
    /// The process's metrics.
    pub metrics: PrometheusHandle,
}

/// Makes [`routes`] from the table, and [`ROUTES`] for code that reads it.
macro_rules! route_table {
    ($($path:literal => $first:ident $handler:path $(, $verb:ident $other:path)*;)*) => {
        /// Every path with the methods that it answers to, as the `Allow` header lists them.
        pub const ROUTES: &[(&str, &str)] = &[$(($path, concat!(stringify!($first) $(, ", ", stringify!($verb))*))),*];

        /// All resources; another path is a 404, a method not among theirs a 405, both as problems.
        pub fn routes(config: &mut ServiceConfig) {
            $(config.service(
                web::resource($path)
                    .route(web::method(Method::$first).to($handler))
                    $(.route(web::method(Method::$verb).to($other)))*
                    .default_service(web::to(|| wrong_method(concat!(stringify!($first) $(, ", ", stringify!($verb))*)))),
            );)*
            config.default_service(web::to(no_such_path));
        }
    };
}

// The first path that fits wins: fixed paths come before those with a part in braces.
route_table! {
    "/api/notifications"              => GET inbox::list, POST publish::one;
    "/api/notifications/batch"        => POST publish::batch;
    "/api/notifications/stream"       => GET sse::stream;
    "/api/notifications/changes"      => GET changes::changes;
    "/api/notifications/summary"      => GET summary::summary;
    "/api/notifications/due-callbacks" => GET summary::due_callbacks;
    "/api/notifications/unread-count" => GET inbox::unread_count;
    "/api/notifications/read-all"     => POST bulk::read_all;
    "/api/notifications/settings"     => GET preferences::get, PUT preferences::put, PATCH preferences::patch;
    "/api/notifications/bulk"         => POST bulk::change;
    "/api/notifications/{id}"         => GET inbox::get, DELETE states::delete;
    "/api/notifications/{id}/read"    => POST states::read;
    "/api/notifications/{id}/unread"  => POST states::unread;
    "/api/notifications/{id}/seen"    => POST states::seen;
    "/api/notifications/{id}/archive" => POST states::archive;
    "/api/notifications/{id}/snooze"  => POST states::snooze, DELETE states::end_snooze;
    "/api/notifications/{id}/acknowledge" => POST states::acknowledge;
    "/api/notifications/{id}/done"    => POST states::done;
    "/api/notifications/{id}/why"     => GET preferences::why;
    "/api/kinds"                      => GET kinds::list;
    "/api/kinds/{kind}"               => GET kinds::get, PUT kinds::put, DELETE kinds::delete;
    "/api/tenant/settings"            => GET kinds::defaults, PUT kinds::put_defaults;
    "/api/fanouts/{notificationId}"   => GET fanouts::progress;
    "/api/presence"                   => GET presence::list;
    "/api/scheduled"                  => GET scheduled::list;
    "/api/scheduled/{id}"             => GET scheduled::get, PATCH scheduled::change, DELETE scheduled::call_off;
    "/api/signals"                    => POST signals::create;
    "/api/stream-tickets"             => POST tickets::create;
    "/api/streams/{connectionId}/token" => POST sse::extend;
    "/api/topics"                     => GET topics::mine;
    "/api/topics/{topic}"             => GET topics::look, PUT topics::make;
    "/api/topics/{topic}/subscription" => PUT topics::subscribe, DELETE topics::unsubscribe;
    "/api/topics/{topic}/subscribers" => POST members::change_subscribers;
    "/api/topics/{topic}/subscribers/{user}" => PUT members::add_subscriber, DELETE members::remove_subscriber;
    "/api/topics/{topic}/members"     => GET members::list, POST members::change_members;
    "/api/topics/{topic}/members/{user}" => PUT members::add_member, DELETE members::remove_member;
    "/api/topic-kinds"                => GET topic_kinds::list;
    "/api/topic-kinds/{kind}"         => GET topic_kinds::get, PUT topic_kinds::put, DELETE topic_kinds::remove;
    "/api/admin/revocations"          => POST revocations::create;
    "/api/openapi.json"               => GET openapi::document;
    "/ws/notifications"               => GET ws::open;
    "/health"                         => GET health::report, HEAD health::report;
    "/health/live"                    => GET health::live, HEAD health::live;
    "/health/ready"                   => GET health::ready, HEAD health::ready;
    "/metrics"                        => GET metrics_endpoint::render;
    "/"                               => GET pages::index, HEAD pages::index;
    "/docs"                           => GET pages::docs, HEAD pages::docs;
    "/assets/{file:.+}"               => GET pages::asset, HEAD pages::asset;
}

fn wrong_method(allow: &'static str) -> Ready<Result<HttpResponse, ApiError>> {
    ready(Err(ApiError::WrongMethod { allow }))
}

fn no_such_path() -> Ready<Result<HttpResponse, ApiError>> {
    ready(Err(ApiError::NoSuchPath))
}

/// The whole edge, ready to be served: routes and the middleware around them.
pub fn app(
    parts: Data<Parts>,
) -> App<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>,
> {
    let cors = cors::ByOrigins(parts.settings.cors_origins.clone());
    App::new()
        .app_data(parts)
        .configure(routes)
        .wrap(CatchPanic::default())
        .wrap(cors)
        .wrap(from_fn(middleware::observe))
}
