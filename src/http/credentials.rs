//! The parts of a request that may contain a token, and when a cookie may count.
//!
//! Reads headers and the query only; whether the token holds is for [`crate::auth`]. No value from here is logged.

use actix_web::{
    HttpRequest,
    http::{header, uri::Authority},
};

use super::{error::ApiError, query::Params};
use crate::config::Settings;

/// The subprotocol after which a browser names its token, and with which a WebSocket is accepted then.
pub const BEARER: &str = "bearer";

/// Most tokens of one request that are tried: each may cost a signature.
const MOST_PROOFS: usize = 4;

/// The credential of a caller.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A signed token.
    Token(String),
    /// A one-time ticket, for streams only.
    Ticket(String),
}

/// A credential and the place where the request carries it.
pub struct Proof {
    /// The place, as an answer names it.
    pub place: &'static str,
    /// The credential.
    pub credential: Credential,
}

/// What a request carries, at least one and at most four, in the order in which they are tried.
pub struct Proofs(Vec<Proof>);

impl IntoIterator for Proofs {
    type Item = Proof;
    type IntoIter = std::vec::IntoIter<Proof>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The proofs of an ordinary request: `Authorization`, then cookies.
///
/// # Errors
/// When there is none, when `Authorization` is malformed, or when a cookie comes with a change from a foreign page.
pub fn of_request(request: &HttpRequest, settings: &Settings) -> Result<Proofs, ApiError> {
    let mut found = Found::default();
    found.bearer(request);
    found.cookies_of_request(request, settings);
    found.finish()
}

/// The proofs of a stream: as [`of_request`], but `ticket` and, where configured, `token` may come in the query.
/// Takes both out of `params`.
///
/// # Errors
/// As [`of_request`].
pub fn of_stream(request: &HttpRequest, settings: &Settings, params: &mut Params) -> Result<Proofs, ApiError> {
    let mut found = Found::default();
    if let Some(ticket) = found.said(request, settings, params) {
        return Ok(Proofs(vec![ticket]));
    }
    found.cookies_of_request(request, settings);
    found.finish()
}

/// The proofs of a WebSocket: as [`of_stream`], or the second of the subprotocols [`BEARER`] and the token, for browsers set
/// no headers. A page's origin must be the own one or an allowed one; `*` allows all, but none with a cookie.
///
/// # Errors
/// As [`of_stream`], and for a foreign page.
pub fn of_websocket(request: &HttpRequest, settings: &Settings, params: &mut Params) -> Result<Proofs, ApiError> {
    let origins = &settings.cors_origins;
    let vouched = !request.headers().contains_key(header::ORIGIN) || same_origin(request, &origins.list());
    if !vouched && !origins.are_all() {
        return Err(ApiError::ForeignPage);
    }
    let mut found = Found::default();
    if let Some(ticket) = found.said(request, settings, params) {
        return Ok(Proofs(vec![ticket]));
    }
    if let Some(token) = protocol_token(request) {
        found.token("a subprotocol", token);
    }
    if vouched {
        found.cookies_of_request(request, settings);
    } else {
        found.withhold_cookies(request, settings, ApiError::ForeignPage);
    }
    found.finish()
}

/// The proofs of a request as they are found.
#[derive(Default)]
struct Found {
    proofs: Vec<Proof>,
    /// What is wrong with the request if it carries no proof.
    wrong: Option<ApiError>,
}

impl Found {
    /// Adds a token, unless it is empty, known already or one too many.
    fn token(&mut self, place: &'static str, token: &str) {
        let is_known = |proof: &Proof| matches!(&proof.credential, Credential::Token(known) if known == token);
        if !token.is_empty() && self.proofs.len() < MOST_PROOFS && !self.proofs.iter().any(is_known) {
            self.proofs.push(Proof { place, credential: Credential::Token(token.to_owned()) });
        }
    }

    /// Adds the tokens of `Authorization`. Other schemes are for others, such as a proxy that asks for a password.
    fn bearer(&mut self, request: &HttpRequest) {
        for value in request.headers().get_all(header::AUTHORIZATION) {
            match authorization(value.as_bytes()) {
                Authorization::Bearer(token) => self.token("the header Authorization", token),
                Authorization::Malformed => {
                    let wrong = "the header Authorization must be: Bearer, a space, the token";
                    self.wrong.get_or_insert_with(|| ApiError::BadToken(wrong.to_owned()));
                }
                Authorization::Other => {}
            }
        }
    }

    /// Adds what the client says by itself, unlike a cookie, which browsers send with whatever a page asks for. A ticket is
    /// given back: it is spent by being tried, so it decides alone, and only where `Authorization` brings no token.
    fn said(&mut self, request: &HttpRequest, settings: &Settings, params: &mut Params) -> Option<Proof> {
        let ticket = params.text("ticket");
        let token = if settings.auth.query_token { params.text("token") } else { None };
        self.bearer(request);
        if self.proofs.is_empty()
            && let Some(ticket) = ticket
        {
            return Some(Proof { place: "the ticket", credential: Credential::Ticket(ticket) });
        }
        self.token("the query", &token.unwrap_or_default());
        None
    }

    /// Adds the cookies, unless a page may have caused a change with them that is neither ours nor allowed.
    fn cookies_of_request(&mut self, request: &HttpRequest, settings: &Settings) {
        if request.method().is_safe() || same_origin(request, &settings.cors_origins.list()) {
            cookies(request, &settings.auth.cookie).for_each(|token| self.token("a cookie", token));
        } else {
            self.withhold_cookies(request, settings, ApiError::ForeignOrigin);
        }
    }

    fn withhold_cookies(&mut self, request: &HttpRequest, settings: &Settings, why: ApiError) {
        if cookies(request, &settings.auth.cookie).any(|token| !token.is_empty()) {
            self.wrong.get_or_insert(why);
        }
    }

    fn finish(self) -> Result<Proofs, ApiError> {
        if self.proofs.is_empty() { Err(self.wrong.unwrap_or(ApiError::NoToken)) } else { Ok(Proofs(self.proofs)) }
    }
}

/// Whether the client offers its token among the subprotocols: the answer must take one of those offered.
pub fn offers_bearer(request: &HttpRequest) -> bool {
    protocols(request).any(|protocol| protocol == BEARER)
}

fn protocol_token(request: &HttpRequest) -> Option<&str> {
    protocols(request).skip_while(|protocol| *protocol != BEARER).nth(1)
}

fn protocols(request: &HttpRequest) -> impl Iterator<Item = &str> {
    let lines = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// What a value of `Authorization` is.
#[derive(Debug, PartialEq, Eq)]
enum Authorization<'a> {
    /// A token of ours.
    Bearer(&'a str),
    /// Meant for us, but no token.
    Malformed,
    /// Of another scheme.
    Other,
}

fn authorization(value: &[u8]) -> Authorization<'_> {
    let value = value.trim_ascii();
    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        // Signed tokens have two dots, and no scheme is called so: it was forgotten.
        let is_bare = rest.is_empty() && scheme.split(|byte| *byte == b'.').count() == 3;
        return if is_bare { Authorization::Malformed } else { Authorization::Other };
    }
    match str::from_utf8(rest).map(str::trim_ascii) {
        Ok(token) if !token.is_empty() => Authorization::Bearer(token),
        _ => Authorization::Malformed,
    }
}

fn cookies<'a>(request: &'a HttpRequest, name: &str) -> impl Iterator<Item = &'a str> {
    request.headers().get_all(header::COOKIE).flat_map(move |line| named(line.as_bytes(), name))
}

/// The values of the cookies of this name in one line. Bytes, because other applications' cookies may be no UTF-8.
fn named<'a>(line: &'a [u8], name: &str) -> impl Iterator<Item = &'a str> {
    let pairs = line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let values = pairs.filter_map(move |pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    values.filter_map(|value| str::from_utf8(value).ok()).map(|value| value.trim_matches('"'))
}

/// Whether a browser vouches that the page behind this request is ours or an allowed one. No other site's page can
/// set either header.
fn same_origin(request: &HttpRequest, allowed: &[String]) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if matches!(text("sec-fetch-site"), Some("same-origin" | "none")) {
        return true;
    }
    let Some(origin) = text("origin") else { return false };
    let host = text("host").or_else(|| request.uri().authority().map(Authority::as_str));
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let own = authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host));
    // "*" in the list equals no origin, so it vouches for none.
    own || allowed.iter().any(|each| each == origin)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;
    use crate::config::options::Options;

    fn settings() -> Settings {
        let variables = [("TIDINGS_QUERY_TOKEN", "true"), ("TIDINGS_CORS_ORIGINS", "https://app.example.com")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Options::default().effective(variables).unwrap().1
    }

    fn texts(proofs: Result<Proofs, ApiError>) -> Result<Vec<String>, ApiError> {
        let text = |proof: Proof| match proof.credential {
            Credential::Token(token) => token,
            Credential::Ticket(ticket) => format!("ticket {ticket}"),
        };
        proofs.map(|proofs| proofs.into_iter().map(text).collect())
    }

    fn request(headers: &[(&'static str, &str)]) -> TestRequest {
        headers.iter().fold(TestRequest::default(), |request, header| request.append_header(*header))
    }

    #[test]
    fn all_proofs_are_found_in_their_order_and_four_are_tried() {
        let of = |headers: &[(&'static str, &str)]| texts(of_request(&request(headers).to_http_request(), &settings()));
        let cookies = ("Cookie", "a=1; tidings_token=c1; tidings_token=; tidings_token=\"c2\"; xtidings_token=x");
        assert_eq!(of(&[cookies, ("Authorization", "bEaReR  b1 ")]).unwrap(), ["b1", "c1", "c2"]);
        assert_eq!(of(&[cookies, ("Authorization", "Basic dTpw")]).unwrap(), ["c1", "c2"]);
        assert_eq!(of(&[("Authorization", "Basic dTpw"), ("Authorization", "Bearer b1")]).unwrap(), ["b1"]);
        assert_eq!(of(&[cookies, ("Authorization", "Bearer")]).unwrap(), ["c1", "c2"]);
        assert_eq!(
            of(&[cookies, ("Cookie", "tidings_token=c1"), ("Cookie", "tidings_token=c3")]).unwrap(),
            ["c1", "c2", "c3"]
        );
        let many = ("Cookie", "tidings_token=1;tidings_token=2;tidings_token=3;tidings_token=4;tidings_token=5");
        assert_eq!(of(&[many]).unwrap(), ["1", "2", "3", "4"]);
        for none in [
            &[][..],
            &[("Authorization", "Negotiate")],
            &[("Cookie", "tidings_token=")],
            &[("Authorization", "Digest a=b")],
        ] {
            assert_eq!(of(none), Err(ApiError::NoToken), "{none:?}");
        }
        for malformed in ["Bearer", "Bearer ", "a.b.c"] {
            assert!(matches!(of(&[("Authorization", malformed)]), Err(ApiError::BadToken(_))), "{malformed}");
        }
    }

    #[test]
    fn another_applications_cookie_that_is_no_text_hides_none_of_ours() {
        let line = [&b"other=\xff\xfe; "[..], b"tidings_token=c1"].concat();
        assert_eq!(named(&line, "tidings_token").collect::<Vec<_>>(), ["c1"]);
    }

    #[test]
    fn a_cookie_is_tried_only_where_the_page_may_cause_a_change() {
        let of = |headers: &[(&'static str, &str)]| {
            let request = request(headers).method(actix_web::http::Method::POST).to_http_request();
            texts(of_request(&request, &settings()))
        };
        let (cookie, bearer) = (("Cookie", "tidings_token=c1"), ("Authorization", "Bearer b1"));
        let (foreign, listed) = (("Origin", "https://evil.example.com"), ("Origin", "https://app.example.com"));
        assert_eq!(of(&[bearer, cookie, listed]).unwrap(), ["b1", "c1"]);
        assert_eq!(of(&[bearer, cookie, foreign]).unwrap(), ["b1"]);
        assert_eq!(of(&[bearer, cookie]).unwrap(), ["b1"]);
        assert_eq!(of(&[cookie, foreign]), Err(ApiError::ForeignOrigin));
        assert_eq!(of(&[("Authorization", "Basic dTpw"), cookie, foreign]), Err(ApiError::ForeignOrigin));
        assert_eq!(of(&[("Cookie", "tidings_token="), foreign]), Err(ApiError::NoToken));
    }

    #[test]
    fn a_ticket_decides_alone_and_gives_way_to_a_bearer_token() {
        let of = |query: &str, headers: &[(&'static str, &str)]| {
            let mut params = Params::parse(query);
            let found = texts(of_stream(&request(headers).to_http_request(), &settings(), &mut params));
            params.finish().unwrap();
            found.unwrap()
        };
        let (cookie, bearer) = (("Cookie", "tidings_token=c1"), ("Authorization", "Bearer b1"));
        assert_eq!(of("ticket=t&token=q", &[cookie]), ["ticket t"]);
        assert_eq!(of("ticket=t&token=q", &[cookie, ("Authorization", "Basic dTpw")]), ["ticket t"]);
        assert_eq!(of("ticket=t&token=q", &[cookie, bearer]), ["b1", "q", "c1"]);
        assert_eq!(of("token=", &[cookie]), ["c1"]);
    }

    #[test]
    fn a_websocket_of_a_foreign_page_brings_no_cookie() {
        let any = [("TIDINGS_CORS_ORIGINS".to_owned(), "*".to_owned())];
        let any = Options::default().effective(any).unwrap().1;
        let of = |headers: &[(&'static str, &str)], settings: &Settings| {
            texts(of_websocket(&request(headers).to_http_request(), settings, &mut Params::default()))
        };
        let (cookie, foreign) = (("Cookie", "tidings_token=c1"), ("Origin", "https://evil.example.com"));
        let protocol = ("Sec-WebSocket-Protocol", "chat, bearer, p1");
        assert_eq!(of(&[cookie, protocol], &any).unwrap(), ["p1", "c1"]);
        assert_eq!(of(&[cookie, protocol, foreign], &any).unwrap(), ["p1"]);
        assert_eq!(of(&[cookie, foreign], &any), Err(ApiError::ForeignPage));
        assert_eq!(of(&[cookie, protocol, foreign], &settings()), Err(ApiError::ForeignPage));
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = authorization(&bytes);
            prop_assert!(named(&bytes, "t").all(|value| !value.contains(';')));
        }

        #[test]
        fn a_token_is_found_wherever_its_cookie_stands(
            before in prop::collection::vec("[a-z]{1,6}=[!#-+\\--:<-~]{0,9}", 0..5),
            tokens in prop::collection::vec("[A-Za-z0-9_.-]{1,40}", 0..5),
            after in prop::collection::vec("[a-z]{1,6}(=[\u{80}-\u{ff}]{0,9})?", 0..5),
        ) {
            let ours = tokens.iter().map(|token| format!("tidings_token={token}"));
            let line = before.into_iter().chain(ours).chain(after).collect::<Vec<_>>().join("; ");
            prop_assert_eq!(named(line.as_bytes(), "tidings_token").collect::<Vec<_>>(), tokens);
        }

        #[test]
        fn a_bearer_token_is_read_whatever_the_case_of_its_scheme(token in "[A-Za-z0-9_.-]{1,40}", spaces in " {1,3}") {
            for scheme in ["Bearer", "bearer", "BEARER"] {
                let value = format!("{scheme}{spaces}{token}");
                prop_assert_eq!(authorization(value.as_bytes()), Authorization::Bearer(&token));
            }
            let value = format!("Basic {token}");
            prop_assert_eq!(authorization(value.as_bytes()), Authorization::Other);
        }
    }
}
