//! The description of the API, generated from the handlers: `/api/openapi.json`.

use std::{collections::BTreeMap, sync::LazyLock};

use actix_web::HttpResponse;
use actix_web_lab::header::{CacheControl, CacheDirective};
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        self, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder,
        content::ContentBuilder,
        path::Operation,
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    bulk, changes,
    error::{ApiError, FieldError, PROBLEM_JSON, Problem},
    fanouts, health, inbox, kinds, members, metrics_endpoint, preferences, presence, publish, revocations, scheduled,
    signals, states, stream_docs, summary, tickets, topic_kinds, topics, ws,
};
use crate::frame::{self, item_json};

const DESCRIPTION: &str = "A durable inbox with a resumable stream over it.\n\nBackends publish; every notification is \
    stored in the inbox of each of its users, and every open page of such a user sees it at once. Nothing that was \
    accepted is lost, repeated or reordered, and a client can always tell.\n\nA token (JWT) names its user by `sub`, \
    its tenant by `tenant` (`default` when absent) and its rights by `scope`: `publish`, `admin`. Refusals are \
    problems (RFC 9457); `type` is stable, for programs.\n\nA topic that the tenant does not know is a 404 in a path, unless \
    the operation makes it known, a 400 in a query and a 422 in a body, named by its pointer. A caller that may not join a topic gets \
    the same answer whether it is known or not.";

/// All of it.
#[derive(OpenApi)]
#[openapi(
    info(title = "Tidings", description = DESCRIPTION, license(name = "Apache-2.0", identifier = "Apache-2.0")),
    paths(
        publish::one, publish::batch, fanouts::progress,
        scheduled::list, scheduled::get, scheduled::change, scheduled::call_off,
        inbox::list, inbox::unread_count, inbox::get, summary::summary, summary::due_callbacks,
        states::read, states::unread, states::seen, states::archive, states::snooze, states::end_snooze,
        states::acknowledge, states::done, states::delete, bulk::change, bulk::read_all,
        preferences::get, preferences::put, preferences::patch, preferences::why,
        stream_docs::stream, changes::changes, tickets::create, stream_docs::extend, ws::docs::websocket,
        topics::mine, topics::look, topics::subscribe, topics::unsubscribe,
        topics::make, members::change_subscribers, members::add_subscriber, members::remove_subscriber,
        members::list, members::change_members, members::add_member, members::remove_member,
        topic_kinds::list, topic_kinds::get, topic_kinds::put, topic_kinds::remove,
        signals::create, presence::list,
        revocations::create,
        kinds::list, kinds::get, kinds::put, kinds::delete, kinds::defaults, kinds::put_defaults,
        health::report, health::live, health::ready, metrics_endpoint::render, document,
    ),
    components(schemas(
        Problem, FieldError, item_json::Item, frame::Hello, frame::Verdict, frame::ResetReason, frame::EndReason,
        stream_docs::State, stream_docs::SubscriptionChange, stream_docs::SettingsChange, stream_docs::Signal,
        stream_docs::Bye,
    )),
    tags(
        (name = "publishing", description = "For backends, with a token of scope `publish`."),
        (name = "inbox", description = "The token's own user only."),
        (name = "preferences", description = "Which channels notifications take to the token's own user, and why."),
        (name = "stream", description = "Every change of the inbox, at once and in order."),
        (name = "topics", description = "Named rooms that users join, such as `team:7`."),
        (name = "signals", description = "Ephemeral events on topics and users, and the users who are connected."),
        (name = "administration", description = "With a token of scope `admin`, within its tenant."),
        (name = "operations", description = "For load balancers and monitoring, without a token."),
    ),
    modifiers(&Finish),
)]
pub struct Api;

/// This description.
#[utoipa::path(get, path = "/api/openapi.json", tag = "operations", operation_id = "openapi", security(()),
    responses((status = 200, body = Object, description = "OpenAPI 3.1")))]
pub async fn document() -> Result<HttpResponse, ApiError> {
    /// The same for the life of the process.
    static DOCUMENT: LazyLock<Option<String>> = LazyLock::new(|| Api::openapi().to_json().ok());
    let document = DOCUMENT.as_deref().ok_or(ApiError::Internal)?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(CacheControl(vec![CacheDirective::NoCache]))
        .body(document))
}

/// The parts that all operations share.
struct Finish;

impl Modify for Finish {
    fn modify(&self, api: &mut openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A token in the header `Authorization`; a cookie of the configured name works too."));
        let components = api.components.get_or_insert_with(Default::default);
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
        for item in api.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
            operations.into_iter().flatten().filter(|operation| operation.security.is_none()).for_each(secure);
        }
    }
}

/// Marks an operation as one that wants a token, with the refusals that come with it.
fn secure(operation: &mut Operation) {
    let none: [&str; 0] = [];
    operation.security = Some(vec![SecurityRequirement::new("token", none)]);
    operation.responses.responses.extend(Secured::responses());
}

/// A refusal as a response of its own: a name, its status, its meaning, and its header.
macro_rules! refusals {
    ($($name:ident { $($status:literal $meaning:literal $(with $header:literal)?),+ })*) => {$(
        #[doc = concat!("The refusals ", $($status, " "),+)]
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let all = [$(($status, problem($meaning)$(.header($header, text_header()))?)),+];
                all.into_iter().map(|(status, response)| (status.to_owned(), response.build().into())).collect()
            }
        }
    )*};
}

refusals! {
    BadQuery { "400" "A query parameter is unknown or malformed, `errors` names each; or a header is" }
    BadHeader { "400" "A header is malformed; `detail` says how" }
    BadSyntax { "400" "The body is no JSON, or a header is malformed" }
    BadPath { "400" "A part of the path is malformed; `detail` says how" }
    NoSuchTopic { "404" "There is no such topic" }
    NoSuchTopicKind { "404" "The kind is not registered" }
    NoSuchItem { "404" "The caller has no such notification" }
    NotDue { "409" "Nothing about this notification is due" }
    NotConcerned { "403" "It was for the subscribers of a topic, and the user is none any more" }
    NoSuchScheduled { "404" "No scheduled publish has this id or key" }
    NoLongerScheduled { "409" "It was sent or called off already" }
    Changed { "412" "It has changed meanwhile: get it anew" }
    NoCondition { "428" "The header `If-Match` is missing" }
    NoSuchFanout { "404" "There is no such publish, or it goes to no topic and not to everyone" }
    LargeBody { "413" "A bound was exceeded; `detail` names it" }
    BadType { "415" "The body is of another type" }
    BadBody { "422" "The body is not valid; `errors` names each field. Or the idempotency key was used with another body" }
    TooMany { "429" "More than the sender may send; `detail` names the bound" with "Retry-After" }
    Secured {
        "401" "No token, or an invalid one" with "WWW-Authenticate",
        "403" "The token lacks a scope, the topic may not be joined or the caller is not subscribed to it, or a cookie came from a foreign page",
        "500" "The server failed; `instance` finds it in the log",
        "503" "Overloaded, or a part does not answer: try again" with "Retry-After"
    }
}

/// The answer to a caller that has this state already.
pub(super) struct NotModified;

impl IntoResponses for NotModified {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let response = ResponseBuilder::new().description("The caller has it: `If-None-Match` names its state");
        BTreeMap::from([("304".to_owned(), response.header("ETag", text_header()).build().into())])
    }
}

fn problem(meaning: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(meaning).content(PROBLEM_JSON, content)
}

fn text_header() -> openapi::Header {
    HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build()
}
