//! The texts of a message that leaves them to its kind.

use super::{Message, Problems, check};
use crate::domain::{
    kinds::{Kind, Template, Values},
    text::Malformed,
};

const REQUIRED: &str = "a title of 1 to 500 characters is required, for the kind has no template for it";

/// Title and message, written by the publisher or made by a template.
pub(super) struct Texts {
    pub title: String,
    pub message: Option<String>,
}

/// The texts of a message of the kind with this name.
pub(super) fn texts(message: &Message, name: &str, kind: &Kind) -> Result<Texts, Problems> {
    let values = Values {
        kind: name,
        category: message.category.as_deref().or(kind.category.as_deref()),
        priority: message.priority.or(kind.priority).unwrap_or_default(),
        action_url: message.action_url.as_deref(),
        data: message.data.as_ref(),
    };
    let title = match (&message.title, &kind.title_template) {
        (Some(title), _) => title.clone(),
        (None, Some(template)) => rendered("/title", template, &values, check::title)?,
        (None, None) => return Err(Problems::one("/title", REQUIRED)),
    };
    let text = match (&message.message, &kind.message_template) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(template)) => Some(rendered("/message", template, &values, check::text)?),
        (None, None) => None,
    };
    Ok(Texts { title, message: text })
}

fn rendered(
    pointer: &str,
    template: &Template,
    values: &Values<'_>,
    check: impl Fn(&str) -> Result<(), Malformed>,
) -> Result<String, Problems> {
    let text = template.render(values);
    let wrong = |Malformed(detail)| Problems::one(pointer, format!("what the kind's template makes of data: {detail}"));
    check(&text).map_err(wrong).map(|()| text)
}
