//! Content as the table `notifications` holds it: the only file that names its columns, for both appends and all reads.

use diesel::{
    pg::Pg,
    prelude::*,
    query_builder::{BoxedSqlQuery, SqlQuery},
    result::QueryResult,
    sql_types::{Array, Jsonb, Nullable, SmallInt, Text},
};
use serde_json::Value;

use super::{
    database::stored::{self, unreadable},
    schema::notifications,
};
use crate::domain::notification::{Content, NewNotification, Presentation};

/// The columns, each with the type of the parameter that [`bind`] binds for it, in the same order.
const COLUMNS: [(&str, &str); 9] = [
    ("kind", "text"),
    ("category", "text"),
    ("priority", "smallint"),
    ("title", "text"),
    ("body", "text"),
    ("data", "jsonb"),
    ("action_url", "text"),
    ("image_url", "text"),
    ("presentation", "jsonb"),
];

/// A statement whose own parameters are already bound.
pub(crate) type Statement<'a> = BoxedSqlQuery<'a, Pg, SqlQuery>;

/// The text of a statement with the columns in place of `{content}`, and with their arrays, which follow so many parameters of
/// the statement's own, in place of `{content_arrays}`.
pub(crate) fn statement(text: &str, own: usize) -> String {
    let names = COLUMNS.map(|(name, _)| name).join(", ");
    let arrays = COLUMNS.iter().zip(own + 1..).map(|((_, sql_type), number)| format!("${number}::{sql_type}[]"));
    text.replace("{content_arrays}", &arrays.collect::<Vec<_>>().join(", ")).replace("{content}", &names)
}

/// Binds the content of publishes, column by column.
pub(crate) fn bind<'a>(statement: Statement<'a>, items: &'a [NewNotification]) -> Statement<'a> {
    fn column<'a, T>(items: &'a [NewNotification], value: impl Fn(&'a Content) -> T) -> Vec<T> {
        items.iter().map(|item| value(&item.content)).collect()
    }
    statement
        .bind::<Array<Text>, _>(column(items, |content| content.kind.as_str()))
        .bind::<Array<Nullable<Text>>, _>(column(items, |content| content.category.as_deref()))
        .bind::<Array<SmallInt>, _>(column(items, |content| content.priority.rank()))
        .bind::<Array<Text>, _>(column(items, |content| content.title.as_str()))
        .bind::<Array<Nullable<Text>>, _>(column(items, |content| content.message.as_deref()))
        .bind::<Array<Nullable<Jsonb>>, _>(column(items, |content| content.data.as_ref()))
        .bind::<Array<Nullable<Text>>, _>(column(items, |content| content.action_url.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(items, |content| content.image_url.as_deref()))
        .bind::<Array<Nullable<Jsonb>>, _>(column(items, |content| stored(&content.presentation)))
}

/// Nothing for kinds that have no presentation.
fn stored(presentation: &Presentation) -> Option<Value> {
    // Plain data always serialises.
    if *presentation == Presentation::default() { None } else { serde_json::to_value(presentation).ok() }
}

/// The columns of content in one row.
#[derive(Debug, Clone, Queryable, QueryableByName, Selectable, AsChangeset)]
#[diesel(table_name = notifications, check_for_backend(Pg), treat_none_as_null = true)]
pub(crate) struct ContentRow {
    kind: String,
    category: Option<String>,
    priority: i16,
    title: String,
    body: Option<String>,
    data: Option<Value>,
    action_url: Option<String>,
    image_url: Option<String>,
    presentation: Option<Value>,
}

impl TryFrom<ContentRow> for Content {
    type Error = diesel::result::Error;

    fn try_from(row: ContentRow) -> QueryResult<Self> {
        let presentation = row.presentation.map(serde_json::from_value).transpose();
        Ok(Self {
            kind: row.kind,
            category: row.category,
            priority: stored::priority(row.priority)?,
            title: row.title,
            message: row.body,
            data: row.data,
            action_url: row.action_url,
            image_url: row.image_url,
            presentation: presentation.map_err(unreadable)?.unwrap_or_default(),
        })
    }
}

impl From<Content> for ContentRow {
    fn from(content: Content) -> Self {
        Self {
            presentation: stored(&content.presentation),
            kind: content.kind,
            category: content.category,
            priority: content.priority.rank(),
            title: content.title,
            body: content.message,
            data: content.data,
            action_url: content.action_url,
            image_url: content.image_url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_names_every_column_and_numbers_its_parameter() {
        let text = statement("insert ({content}) from unnest($1, {content_arrays}) where $2", 2);
        assert_eq!(
            text,
            "insert (kind, category, priority, title, body, data, action_url, image_url, presentation) from unnest($1, \
             $3::text[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::jsonb[], $9::text[], $10::text[], $11::jsonb[]) where $2"
        );
    }
}
