//! Problems as a body carries them (RFC 9457).

use serde::Serialize;
use utoipa::ToSchema;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One thing that is wrong with a request, by its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body; empty for the body as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/title")]
    pub pointer: Option<String>,
    /// Name of a query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What is wrong there.
    #[schema(example = "must be 1 to 500 characters")]
    pub detail: String,
}

impl FieldError {
    /// Something wrong in the body.
    pub fn body(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), parameter: None, detail: detail.into() }
    }

    /// Something wrong in the query.
    pub fn query(parameter: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: None, parameter: Some(parameter.into()), detail: detail.into() }
    }
}

/// An RFC 9457 problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Which problem it is: stable, for programs.
    #[schema(example = "urn:tidings:problem:invalid-body")]
    pub r#type: String,
    /// Which problem it is, for people.
    #[schema(example = "Invalid body")]
    pub title: &'static str,
    /// The status of the answer.
    #[schema(example = 422)]
    pub status: u16,
    /// What went wrong this time.
    #[schema(example = "the body is not valid")]
    pub detail: String,
    /// This very request: ends with its id, which is also in `X-Request-Id` and in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "urn:tidings:request:0192f0c1d8e77c4b9a3e5f6071829304")]
    pub instance: Option<String>,
    /// What is wrong, by place: all of it, or the first thing that cannot be read at all.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: Vec<FieldError>,
}
