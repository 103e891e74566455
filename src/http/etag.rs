//! `ETag` names the state of an answer. `If-Match` names the state that a change is meant for.
//!
//! `If-None-Match` names the states that the caller has, so that a poll without news costs a few bytes (RFC 9110, 13.1).

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, http::header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::error::ApiError;
use crate::domain::precondition::Precondition;

const BAD_CONDITION: ApiError = ApiError::BadHeader("If-Match", "must be one ETag of what is to be changed, or *");

const BAD_KNOWN: ApiError = ApiError::BadHeader("If-None-Match", "must be ETags separated by commas, or *");
/// The blanks that may surround the members of a list in a header.
const BLANKS: [char; 2] = [' ', '\t'];

/// A document as it is shown, in the state that this version names.
pub fn answer(version: i64, shown: impl Serialize) -> HttpResponse {
    tagged(&version.to_string()).json(shown)
}

/// An answer that is polled: all of it in the state that `tag` names, or that the caller has it.
pub fn polled(known: &Known, tag: &str, shown: impl Serialize) -> HttpResponse {
    if known.has(tag) { unchanged(tag) } else { tagged(tag).json(shown) }
}

/// The same in the state that the answer's own text names.
///
/// # Errors
/// When it cannot be put into text, which is a defect.
pub fn polled_by_content(known: &Known, shown: &impl Serialize) -> Result<HttpResponse, ApiError> {
    let text = serde_json::to_vec(shown).map_err(|_| ApiError::Internal)?;
    let tag = URL_SAFE_NO_PAD.encode(Sha256::digest(&text));
    if known.has(&tag) {
        return Ok(unchanged(&tag));
    }
    Ok(tagged(&tag).content_type("application/json").body(text))
}

/// The caller has this state already.
pub fn unchanged(tag: &str) -> HttpResponse {
    with_tag(HttpResponse::NotModified(), tag).finish()
}

/// An answer in the state that `tag` names, to be given its body.
pub fn tagged(tag: &str) -> HttpResponseBuilder {
    with_tag(HttpResponse::Ok(), tag)
}

fn with_tag(mut answer: HttpResponseBuilder, tag: &str) -> HttpResponseBuilder {
    answer.insert_header((header::ETAG, format!("\"{tag}\""))).insert_header((header::CACHE_CONTROL, "no-cache"));
    answer
}

/// Which states the caller has already, as `If-None-Match` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Every state.
    Any,
    /// The states of these tags.
    Tags(Vec<String>),
}

impl Known {
    /// Reads the header; weak tags count as strong ones, as this condition asks for.
    ///
    /// # Errors
    /// When it is malformed: a caller that never gets "unchanged" would not notice.
    pub fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let lines = request.headers().get_all(header::IF_NONE_MATCH);
        let text: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        Self::parse(&text.join(",")).ok_or(BAD_KNOWN)
    }

    fn parse(text: &str) -> Option<Self> {
        if text.trim_matches(BLANKS) == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return Some(Self::Tags(tags));
            }
            let (tag, after) = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
            rest = after.trim_start_matches(BLANKS);
            let separated = rest.is_empty() || rest.starts_with(',');
            if !separated || tag.contains(|one: char| one <= ' ' || one == '\x7f') {
                return None;
            }
            tags.push(tag.to_owned());
        }
    }

    /// Whether the caller has anything that could be unchanged.
    pub fn is_something(&self) -> bool {
        *self != Self::Tags(Vec::new())
    }

    /// Whether the caller has this state.
    pub fn has(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|known| known == tag || as_given(known) == tag),
        }
    }
}

/// A tag without the suffix that a compressing proxy adds within its quotes: `-gzip` (Apache), `--gzip` (Jetty),
/// `;gzip`. No tag of ours ends in one of these words.
fn as_given(tag: &str) -> &str {
    match tag.rsplit_once(['-', ';']) {
        Some((given, "gzip" | "br" | "zstd" | "deflate")) => given.strip_suffix('-').unwrap_or(given),
        _ => tag,
    }
}

/// The condition of `If-Match`; none when it is absent. A proxy that compresses marks `ETag`s as weak or adds a suffix, which
/// changes nothing here.
///
/// # Errors
/// When it is malformed.
pub fn condition(request: &HttpRequest) -> Result<Option<Precondition>, ApiError> {
    let mut lines = request.headers().get_all(header::IF_MATCH);
    let Some(line) = lines.next() else { return Ok(None) };
    let text = line.to_str().map_err(|_| BAD_CONDITION)?.trim();
    if lines.next().is_some() {
        return Err(BAD_CONDITION);
    }
    if text == "*" {
        return Ok(Some(Precondition::Any));
    }
    let tag = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let tag = tag.filter(|tag| !tag.contains(['"', ','])).ok_or(BAD_CONDITION)?;
    // A well-formed ETag that was never given names a state that is not the present one.
    Ok(Some(Precondition::Version(as_given(tag).parse().unwrap_or(-1))))
}

/// The same where a change without a condition is refused.
///
/// # Errors
/// When it is absent or malformed.
pub fn required_condition(request: &HttpRequest) -> Result<Precondition, ApiError> {
    condition(request)?.ok_or(ApiError::NoCondition)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_known_states_are_read_from_any_form_of_the_list() {
        for text in [
            r#""a.1""#,
            r#"W/"a.1""#,
            "\"x\", \"a.1\"",
            r#" , "x",W/"a.1" ,, "#,
            "\"x\"\t,\t\"a.1\"",
            r#""p,q","a.1""#,
            r#""a.1-gzip""#,
            r#"W/"a.1-br""#,
            r#""x", "a.1;gzip""#,
            r#""a.1--gzip""#,
            r#""a.1-zstd""#,
            "*",
            " * ",
        ] {
            assert!(Known::parse(text).unwrap().has("a.1"), "{text}");
        }
        for text in ["", " , ", r#""a.2""#, r#""A.1""#, r#""""#, r#""x,a.1""#] {
            assert!(!Known::parse(text).unwrap().has("a.1"), "{text}");
        }
        assert!(!Known::parse(",").unwrap().is_something());
    }

    #[test]
    fn a_header_that_is_no_list_of_tags_is_refused() {
        for text in
            ["a.1", r#""a.1"#, r#"w/"a.1""#, r#""a" "b""#, r#""a"b"#, r#"*, "a""#, r#""a", *"#, r#""a b""#, "W/"]
        {
            assert_eq!(Known::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            Known::parse(&text);
        }
    }
}
