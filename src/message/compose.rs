//! The content of a message: the fields of its publisher, and the defaults and templates of its kind.

use super::{DEFAULT_KIND, Message, Problems, check};
use crate::domain::{
    kinds::{Kind, Template, Values},
    notification::{Content, image_url},
    text::Malformed,
};

const REQUIRED: &str = "a title of 1 to 500 characters is required, for the kind has no template for it";

/// Takes the content out of a message of this kind.
pub(super) fn content(message: &mut Message, kind: &Kind) -> Result<Content, Problems> {
    let name = message.kind.take().unwrap_or_else(|| DEFAULT_KIND.to_owned());
    let category = message.category.take().or_else(|| kind.category.clone());
    let priority = message.priority.or(kind.priority).unwrap_or_default();
    let values = Values {
        kind: &name,
        category: category.as_deref(),
        priority,
        action_url: message.action_url.as_deref(),
        data: message.data.as_ref(),
    };
    let title = match (message.title.take(), &kind.title_template) {
        (Some(title), _) => title,
        (None, Some(template)) => rendered("/title", template, &values, check::title)?,
        (None, None) => return Err(Problems::one("/title", REQUIRED)),
    };
    let text = match (message.message.take(), &kind.message_template) {
        (None, Some(template)) => Some(rendered("/message", template, &values, check::text)?),
        (written, _) => written,
    };
    let image = match (message.image_url.take(), &kind.image_url_template) {
        (None, Some(template)) => {
            let made = template.render_url(&values);
            made.map(|url| checked("/imageUrl", url, image_url)).transpose()?
        }
        (written, _) => written,
    };
    Ok(Content {
        kind: name,
        category,
        priority,
        title,
        message: text,
        data: message.data.take(),
        action_url: message.action_url.take(),
        image_url: image,
        presentation: kind.presentation(),
    })
}

fn rendered(
    pointer: &str,
    template: &Template,
    values: &Values<'_>,
    check: impl Fn(&str) -> Result<(), Malformed>,
) -> Result<String, Problems> {
    checked(pointer, template.render(values), check)
}

fn checked(pointer: &str, text: String, check: impl Fn(&str) -> Result<(), Malformed>) -> Result<String, Problems> {
    let wrong = |Malformed(detail)| Problems::one(pointer, format!("what the kind's template makes of data: {detail}"));
    check(&text).map_err(wrong).map(|()| text)
}
