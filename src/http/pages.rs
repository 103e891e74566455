//! The pages and scripts for browsers, embedded in the binary: the demo at `/`, the API's documentation at `/docs`, the client
//! library, the elements, their assets.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, ETag, EntityTag, Header as _, IfNoneMatch},
    web::Path,
};
use actix_web_lab::header::{CacheControl, CacheDirective};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::error::ApiError;

/// Nothing but this server's own files and the images named, no inline code, no text that becomes markup, no frames, no forms.
macro_rules! policy {
    ($images:literal) => {
        concat!(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src ",
            $images,
            "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
             trusted-types 'none'"
        )
    };
}

const POLICY: &str = policy!("'self' data:");
/// Notifications bring images of other servers along.
const POLICY_WITH_IMAGES: &str = policy!("'self' data: https:");

#[derive(RustEmbed)]
#[folder = "web/"]
#[include = "*.html"]
#[include = "*.js"]
#[include = "*.css"]
#[include = "*.svg"]
struct Web;

/// The demo: one's own inbox beside a publisher.
///
/// # Errors
/// When the page is not part of this build.
pub async fn index(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    serve(&request, "demo/index.html", "text/html; charset=utf-8", POLICY_WITH_IMAGES)
}

/// The page that shows the API's description.
///
/// # Errors
/// When the page is not part of this build.
pub async fn docs(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    serve(&request, "docs/index.html", "text/html; charset=utf-8", POLICY)
}

/// A script, a style sheet or an image of these pages.
///
/// # Errors
/// When there is none of that name.
pub async fn asset(request: HttpRequest, name: Path<String>) -> Result<HttpResponse, ApiError> {
    let content_type = match name.rsplit_once('.') {
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => return Err(ApiError::NoSuchPath),
    };
    serve(&request, &name, content_type, POLICY)
}

fn serve(
    request: &HttpRequest,
    name: &str,
    content_type: &'static str,
    policy: &'static str,
) -> Result<HttpResponse, ApiError> {
    let file = Web::get(name).ok_or(ApiError::NoSuchPath)?;
    let tag = tag(&file);
    let mut response = if known(request, &tag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(ETag(tag.clone()))
        .insert_header(CacheControl(vec![CacheDirective::NoCache]))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    if known(request, &tag) {
        return Ok(response.finish());
    }
    Ok(response.content_type(content_type).body(file.data))
}

/// Names the content: browsers may keep it and must ask whether it still holds.
fn tag(file: &EmbeddedFile) -> EntityTag {
    EntityTag::new_strong(hex::encode(&file.metadata.sha256_hash()[..16]))
}

fn known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|each| each.weak_eq(tag)),
        Err(_) => false,
    }
}
