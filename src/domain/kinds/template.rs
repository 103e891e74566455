//! Texts with placeholders for a message's own values: `Payment of {{data.amount}} from {{data.customer.name}}`.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{
    priority::Priority,
    text::{Malformed, as_text},
};

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}
as_text!(Template);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Kind,
    Category,
    Priority,
    ActionUrl,
    /// The steps from `data` to a value: names, or indexes of a list.
    Data(Vec<String>),
}

/// The values for placeholders.
#[derive(Debug, Clone, Copy, Default)]
pub struct Values<'a> {
    /// The kind's name.
    pub kind: &'a str,
    /// The category in force.
    pub category: Option<&'a str>,
    /// The priority in force.
    pub priority: Priority,
    /// The address that a click opens.
    pub action_url: Option<&'a str>,
    /// The publisher's own data.
    pub data: Option<&'a Value>,
}

impl Template {
    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// How many characters it was written with.
    pub fn chars(&self) -> usize {
        self.source.chars().count()
    }

    /// The text before the first placeholder.
    pub(super) fn leading_text(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(fixed)) => fixed,
            _ => "",
        }
    }

    /// The text with values instead of placeholders; a value that is missing or null leaves nothing.
    pub fn render(&self, values: &Values<'_>) -> String {
        let mut text = String::with_capacity(self.source.len());
        for part in &self.parts {
            text.push_str(&part.text(values).unwrap_or_default());
        }
        text
    }

    /// The address with values instead of placeholders, each percent-encoded; none when one is missing, null or empty.
    pub fn render_url(&self, values: &Values<'_>) -> Option<String> {
        let mut url = String::with_capacity(self.source.len());
        for part in &self.parts {
            match part {
                Part::Text(fixed) => url.push_str(fixed),
                placeholder => {
                    let value = placeholder.text(values).filter(|value| !value.is_empty())?;
                    url.extend(utf8_percent_encode(&value, OUTSIDE_URLS));
                }
            }
        }
        Some(url)
    }
}

/// All but the characters that RFC 3986 calls unreserved.
const OUTSIDE_URLS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Part {
    fn text<'a>(&'a self, values: &Values<'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(fixed) => Some(fixed.into()),
            Self::Kind => Some(values.kind.into()),
            Self::Category => values.category.map(Cow::from),
            Self::Priority => Some(values.priority.as_str().into()),
            Self::ActionUrl => values.action_url.map(Cow::from),
            Self::Data(steps) => match find(values.data?, steps)? {
                Value::Null => None,
                Value::String(text) => Some(text.into()),
                other => Some(other.to_string().into()),
            },
        }
    }
}

fn find<'a>(data: &'a Value, steps: &[String]) -> Option<&'a Value> {
    steps.iter().try_fold(data, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

impl std::str::FromStr for Template {
    type Err = Malformed;

    fn from_str(source: &str) -> Result<Self, Malformed> {
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once("{{") {
            let (placeholder, after) = after.split_once("}}").ok_or(Malformed("a {{ without its }}"))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(parse_placeholder(placeholder.trim())?);
            rest = after;
        }
        if source.contains('\0') {
            return Err(Malformed("the character U+0000 is not allowed"));
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { source: source.to_owned(), parts })
    }
}

fn parse_placeholder(placeholder: &str) -> Result<Part, Malformed> {
    const WRONG: Malformed = Malformed(
        "between {{ and }} stands data.path.to.field, kind, category, priority or actionUrl, and nothing else",
    );
    match placeholder {
        "kind" => Ok(Part::Kind),
        "category" => Ok(Part::Category),
        "priority" => Ok(Part::Priority),
        "actionUrl" => Ok(Part::ActionUrl),
        _ => {
            let steps: Vec<String> =
                placeholder.strip_prefix("data.").ok_or(WRONG)?.split('.').map(str::to_owned).collect();
            let named = steps.iter().all(|step| !step.is_empty() && !step.contains(['{', '}']));
            if named { Ok(Part::Data(steps)) } else { Err(WRONG) }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn render(source: &str) -> String {
        let data =
            json!({"a": {"b": "x"}, "n": 12.5, "yes": true, "none": null, "list": [{"c": "first"}], "{{kind}}": 1});
        let template: Template = source.parse().unwrap();
        template.render(&Values {
            kind: "k",
            category: None,
            priority: Priority::High,
            action_url: Some("/a"),
            data: Some(&data),
        })
    }

    #[test]
    fn placeholders_are_filled_with_values() {
        for (source, text) in [
            ("", ""),
            ("no place", "no place"),
            ("{{data.a.b}} and {{ data.n }}, {{data.yes}}!", "x and 12.5, true!"),
            ("{{data.list.0.c}}{{data.list.1.c}}{{data.list.c}}", "first"),
            ("[{{data.none}}{{data.a.b.c}}{{data.missing}}{{category}}]", "[]"),
            ("{{kind}} {{priority}} {{actionUrl}} {{data.a}}", r#"k high /a {"b":"x"}"#),
            ("} }} {", "} }} {"),
        ] {
            assert_eq!(render(source), text, "{source}");
        }
    }

    #[test]
    fn values_of_an_address_stay_within_their_placeholder() {
        let data = json!({"host": "evil.example/?#", "n": 7, "empty": "", "none": null});
        let values = Values { kind: "k", data: Some(&data), ..Values::default() };
        for (source, url) in [
            ("/plain.png", Some("/plain.png")),
            ("/a/{{data.host}}.png?n={{data.n}}", Some("/a/evil.example%2F%3F%23.png?n=7")),
            ("https://cdn.example/{{kind}}", Some("https://cdn.example/k")),
            ("/{{data.none}}", None),
            ("/{{data.empty}}", None),
            ("/{{data.missing}}{{category}}", None),
        ] {
            let template: Template = source.parse().unwrap();
            assert_eq!(template.render_url(&values).as_deref(), url, "{source}");
        }
    }

    #[test]
    fn a_malformed_placeholder_is_refused() {
        for source in
            ["{{", "{{data.a", "{{}}", "{{data}}", "{{data.}}", "{{data.a..b}}", "{{user}}", "{{{data.a}}}", "\0"]
        {
            assert!(source.parse::<Template>().is_err(), "{source}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(source in "[{}a.data]{0,30}") {
            if let Ok(template) = source.parse::<Template>() {
                prop_assert_eq!(template.as_str(), &source);
            }
        }
    }
}
