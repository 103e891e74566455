//! Which other origins' pages may call. A reload may replace the origins, so each request picks its rules.

use std::rc::Rc;

use actix_cors::Cors;
use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::{Method, header},
};
use futures_util::future::{FutureExt as _, LocalBoxFuture, TryFutureExt as _, try_join};

use crate::config::Origins;

/// How long browsers may remember a preflight's answer, in seconds: Chromium's maximum.
const PREFLIGHT_AGE: usize = 7_200;

/// The rules for the origins in force: a listed one may send cookies; `*` opens the API to all pages, without them.
pub struct ByOrigins(pub Origins);

/// One service, and behind each of the rules.
pub struct Guarded<S, G> {
    origins: Origins,
    unguarded: Rc<S>,
    listed: G,
    all: G,
}

fn rules() -> Cors {
    Cors::default()
        .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .allowed_headers(["Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "X-Request-Id"])
        .expose_headers(["ETag", "X-Request-Id", "Idempotent-Replayed", "Retry-After"])
        .max_age(PREFLIGHT_AGE)
}

impl<S, B> Transform<S, ServiceRequest> for ByOrigins
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type InitError = ();
    type Transform = Guarded<S, <Cors as Transform<Rc<S>, ServiceRequest>>::Transform>;
    type Future = LocalBoxFuture<'static, Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let (origins, listed, unguarded) = (self.0.clone(), self.0.clone(), Rc::new(service));
        let is_listed =
            move |origin: &header::HeaderValue| listed.list().iter().any(|each| each.as_bytes() == origin.as_bytes());
        let listed = rules().allowed_origin_fn(move |origin, _| is_listed(origin)).supports_credentials();
        let all = rules().allow_any_origin().send_wildcard();
        let made = try_join(listed.new_transform(unguarded.clone()), all.new_transform(unguarded.clone()));
        made.map_ok(|(listed, all)| Guarded { origins, unguarded, listed, all }).boxed_local()
    }
}

impl<S, G, B> Service<ServiceRequest> for Guarded<S, G>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    G: Service<ServiceRequest, Response = ServiceResponse<EitherBody<B>>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(unguarded);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        match &*self.origins.list() {
            // Browsers refuse by themselves then, and answers need say nothing.
            [] => self.unguarded.call(request).map_ok(ServiceResponse::map_into_left_body).boxed_local(),
            [any] if any == "*" => self.all.call(request).boxed_local(),
            _ => self.listed.call(request).boxed_local(),
        }
    }
}
