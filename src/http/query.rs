//! Query parameters, read strictly: a 400 names unknown, repeated and malformed ones.

use std::{fmt::Display, str::FromStr};

use percent_encoding::percent_decode_str;

use super::error::{ApiError, FieldError};

/// Most characters of a parameter's name that an answer repeats.
const NAME_CHARS: usize = 64;

/// The parameters of one request that are not read yet, and the faults of those that are.
#[derive(Debug, Default)]
pub struct Params {
    left: Vec<(String, String)>,
    wrong: Vec<FieldError>,
}

impl Params {
    /// Splits and decodes a query string.
    pub fn parse(query: &str) -> Self {
        let mut params = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode(name), decode(value)) {
                (Some(name), Some(value)) => params.add(name, value),
                (Some(name), None) => params.refuse(&name, "is not percent-encoded UTF-8"),
                (None, _) => params.refuse("", "a name is not percent-encoded UTF-8"),
            }
        }
        params
    }

    fn add(&mut self, name: String, value: String) {
        if value.contains('\0') {
            return self.refuse(&name, "holds a NUL");
        }
        if self.left.iter().any(|(known, _)| *known == name) {
            return self.refuse(&name, "is given more than once");
        }
        self.left.push((name, value));
    }

    /// Notes that a parameter is wrong: [`Params::finish`] will say so.
    pub fn refuse(&mut self, name: &str, detail: impl Display) {
        // A name is echoed so that it is found again, not at any length.
        let name: String = name.chars().take(NAME_CHARS).collect();
        self.wrong.push(FieldError::query(name, detail.to_string()));
    }

    /// Takes a parameter as it is; none when it is absent.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let index = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.remove(index).1)
    }

    /// Takes and parses a parameter; none when it is absent, or malformed, which is noted with `wanted`.
    pub fn parsed<T: FromStr>(&mut self, name: &str, wanted: &str) -> Option<T> {
        self.checked(name, wanted, |text| text.parse().ok())
    }

    /// Takes a number within bounds.
    pub fn number(&mut self, name: &str, least: i64, most: i64) -> Option<i64> {
        let within = |number: &i64| (least..=most).contains(number);
        self.checked(name, &format!("must be a whole number from {least} to {most}"), |text| {
            text.parse().ok().filter(within)
        })
    }

    /// Takes a parameter through a parser of its own.
    pub fn checked<T>(&mut self, name: &str, wanted: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.refuse(name, wanted);
        }
        parsed
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When any parameter was wrong, or when parameters are left that were not read.
    pub fn finish(mut self) -> Result<(), ApiError> {
        for (name, _) in std::mem::take(&mut self.left) {
            self.refuse(&name, "is not known here");
        }
        if self.wrong.is_empty() { Ok(()) } else { Err(ApiError::BadQuery(self.wrong)) }
    }
}

/// Decodes as HTML forms encode; none for bytes that are not the encoding of UTF-8.
fn decode(text: &str) -> Option<String> {
    let hex = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    if text.match_indices('%').any(|(at, _)| !hex(at + 1) || !hex(at + 2)) {
        return None;
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrong(params: Params) -> Vec<(String, String)> {
        match params.finish() {
            Err(ApiError::BadQuery(errors)) => {
                errors.into_iter().map(|each| (each.parameter.unwrap_or_default(), each.detail)).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn known_parameters_are_taken_and_decoded() {
        let mut params = Params::parse("kind=a%20b+c&limit=5&&empty=");
        assert_eq!(params.text("kind").as_deref(), Some("a b c"));
        assert_eq!(params.number("limit", 1, 100), Some(5));
        assert_eq!(params.text("empty").as_deref(), Some(""));
        assert_eq!(params.text("absent"), None);
        assert!(params.finish().is_ok());
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let mut params = Params::parse("limit=101&limit=2&kind=%ff&%ff=1&page=%2&surprise=1");
        assert_eq!(params.number("limit", 1, 100), None);
        let names: Vec<_> = wrong(params).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["limit", "kind", "", "page", "limit", "surprise"]);
    }

    proptest! {
        #[test]
        fn no_query_makes_the_parser_panic(query in ".*") {
            let _ = Params::parse(&query).finish();
        }

        #[test]
        fn the_reader_decodes_the_encoding_of_forms(value in "[^\\x00]*") {
            let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("v", &value).finish();
            prop_assert_eq!(Params::parse(&query).text("v"), Some(value));
        }
    }
}
