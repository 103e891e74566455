//! The caller's own inbox: list, look at, count. No parameter names another user.

use std::slice;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Parts,
    error::ApiError,
    etag::{self, Known},
    extract::{Caller, ItemId},
    openapi::{BadHeader, BadQuery, NoSuchItem, NotModified},
    query::Params,
};
use crate::{
    domain::{
        cursor::{Cursor, Seq},
        search_words::Words,
        text::KIND_BYTES,
        user::UserKey,
    },
    frame::item_json::Item,
    store::{Filter, ListQuery},
};

/// Items of one page, unless the caller says how many.
pub(super) const DEFAULT_LIMIT: i64 = 20;
/// Most items of one page.
pub(super) const MOST_ITEMS: i64 = 100;
/// Skipping costs as much as reading: further back than this only pages lead.
pub(super) const MOST_SKIPPED: i64 = 10_000;

/// One page of an inbox.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<'a> {
    /// Newest first, without archived, deleted and snoozed ones.
    pub notifications: Vec<Item<'a>>,
    /// All items that match the filter; see `totalIsExact`.
    #[schema(example = 42)]
    pub total: i64,
    /// False when `total` counts matches among the newest 1,000 items of a larger inbox only, as it does with a filter by
    /// category, kind, priority or words.
    pub total_is_exact: bool,
    /// All unread items, with every filter.
    #[schema(example = 7)]
    pub unread: i64,
    /// Whether older items follow, or may follow: see the filters.
    pub has_more: bool,
    /// The `page` of the next older items; stable while newer ones arrive.
    #[schema(required, example = "AAAAAAAABBE")]
    pub next_page: Option<String>,
    /// The stream's position of this answer: open the stream with it and nothing is missed or seen twice.
    #[schema(example = "k3f9.1042")]
    pub cursor: String,
    /// The server's time of this answer: a client whose clock is wrong counts by it.
    pub timestamp: DateTime<Utc>,
}

/// How many items are unread.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnreadCount {
    /// All unread items.
    #[schema(example = 7)]
    pub unread: i64,
}

/// List the inbox.
///
/// Newest first. Walk back with `page` (stable while newer items arrive) or jump with `offset`.
///
/// With a filter by category, kind, priority or words one answer examines 1,000 items at most. So it may hold fewer than `limit`,
/// even none. `nextPage` continues from its end.
///
/// A word is found anywhere in the title or the message, in upper and lower case. The locale of the database decides which letters
/// have a case; with the locale `C` these are only A to Z.
#[utoipa::path(get, path = "/api/notifications", tag = "inbox", operation_id = "list",
    params(
        ("limit" = Option<i64>, Query, description = "Most items of this answer; 20 when absent", minimum = 1, maximum = 100),
        ("page" = Option<String>, Query, description = "`nextPage` of an earlier answer; not together with `offset`"),
        ("offset" = Option<i64>, Query, description = "How many of the newest items to skip", minimum = 0, maximum = 10_000),
        ("unreadOnly" = Option<bool>, Query, description = "Only unread items"),
        ("category" = Option<String>, Query, description = "Only this category", max_length = 64),
        ("kind" = Option<String>, Query, description = "Only this kind", max_length = 64),
        ("priority" = Option<crate::domain::priority::Priority>, Query, description = "Only this priority"),
        ("q" = Option<String>, Query, description = "Only with all of these words: 1 to 8, separated by blanks", min_length = 1, max_length = 100),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of an earlier answer to the same question", example = "\"k3f9.1042\"")),
    responses((status = 200, body = Page, description = "One page", headers(
        ("ETag" = String, description = "The stream's position"))), NotModified, BadQuery))]
pub async fn list(Caller(caller): Caller, request: HttpRequest, parts: Data<Parts>) -> Result<HttpResponse, ApiError> {
    let query = list_query(request.query_string())?;
    let known = Known::of(&request)?;
    if let Some(tag) = position_if_known(&parts, &caller.key, &known).await? {
        return Ok(etag::unchanged(&tag));
    }
    let page = parts.store.list(&caller.key, &query).await?;
    let cursor = page.cursor.to_string();
    let shown = Page {
        notifications: page.items.iter().map(Item::from).collect(),
        total: page.total,
        total_is_exact: page.total_is_exact,
        unread: page.unread,
        has_more: page.next.is_some(),
        next_page: page.next.map(page_token),
        cursor: cursor.clone(),
        timestamp: page.time,
    };
    Ok(etag::polled(&known, &cursor, shown))
}

/// The stream's position, if the caller has the state of that position: a look at one row answers most polls.
async fn position_if_known(parts: &Parts, key: &UserKey, known: &Known) -> Result<Option<String>, ApiError> {
    if !known.is_something() {
        return Ok(None);
    }
    let heads = parts.store.heads(slice::from_ref(key)).await?;
    let position = heads.into_iter().next().map(|head| Cursor { epoch: head.epoch, seq: head.seq }.to_string());
    Ok(position.filter(|tag| known.has(tag)))
}

/// Look at one notification.
#[utoipa::path(get, path = "/api/notifications/{id}", tag = "inbox", operation_id = "get",
    params(("id" = uuid::Uuid, Path, description = "The notification's id")),
    responses((status = 200, body = Item, description = "The notification"), NoSuchItem))]
pub async fn get(Caller(caller): Caller, ItemId(id): ItemId, parts: Data<Parts>) -> Result<HttpResponse, ApiError> {
    let item = parts.store.item(&caller.key, id).await?.ok_or(ApiError::NoSuchItem)?;
    Ok(HttpResponse::Ok().json(Item::from(&item)))
}

/// Count unread items.
#[utoipa::path(get, path = "/api/notifications/unread-count", tag = "inbox", operation_id = "unreadCount",
    params(("If-None-Match" = Option<String>, Header, description = "The ETag of an earlier answer", example = "\"7\"")),
    responses((status = 200, body = UnreadCount, description = "The count", headers(
        ("ETag" = String, description = "Names this count"))), NotModified, BadHeader))]
pub async fn unread_count(
    Caller(caller): Caller,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let known = Known::of(&request)?;
    let unread = parts.store.unread(&caller.key).await?;
    Ok(etag::polled(&known, &unread.to_string(), UnreadCount { unread }))
}

fn list_query(text: &str) -> Result<ListQuery, ApiError> {
    let mut params = Params::parse(text);
    let word = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty() && text.len() <= KIND_BYTES);
    let query = ListQuery {
        limit: params.number("limit", 1, MOST_ITEMS).unwrap_or(DEFAULT_LIMIT),
        before: params.checked("page", "must be nextPage of an earlier answer", parse_page_token),
        offset: params.number("offset", 0, MOST_SKIPPED).unwrap_or(0),
        filter: Filter {
            ids: None,
            unread: params.parsed("unreadOnly", "must be true or false").unwrap_or(false),
            category: params.checked("category", "must be 1 to 64 bytes", word),
            kind: params.checked("kind", "must be 1 to 64 bytes", word),
            priority: params.parsed("priority", "must be one of low, medium, high, critical"),
            words: params.parsed("q", Words::WANTED),
        },
    };
    if query.before.is_some() && query.offset > 0 {
        params.refuse("offset", "cannot be combined with page");
    }
    params.finish().map(|()| query)
}

/// A page token names the seq that all items of the page come before.
fn page_token(before: Seq) -> String {
    URL_SAFE_NO_PAD.encode(before.to_be_bytes())
}

fn parse_page_token(text: &str) -> Option<Seq> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(Seq::from_be_bytes(bytes.try_into().ok()?)).filter(|before| *before > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_page_token_names_the_place_it_was_made_for(seq in 1_i64..) {
            prop_assert_eq!(parse_page_token(&page_token(seq)), Some(seq));
        }

        #[test]
        fn no_text_makes_the_page_parser_panic(text in ".*") {
            prop_assert!(parse_page_token(&text).is_none_or(|before| before > 0));
        }
    }

    #[test]
    fn a_list_without_parameters_is_the_newest_twenty() {
        let query = list_query("").unwrap();
        assert_eq!((query.limit, query.offset, query.before, query.filter.unread), (20, 0, None, false));
    }

    #[test]
    fn every_filter_reaches_the_query() {
        let text = format!("limit=5&page={}&unreadOnly=true&category=c&kind=k&priority=high&q=a+b", page_token(9));
        let query = list_query(&text).unwrap();
        assert_eq!((query.limit, query.before, query.filter.unread), (5, Some(9), true));
        let Filter { category, kind, priority, words, .. } = query.filter;
        assert_eq!((category.as_deref(), kind.as_deref()), (Some("c"), Some("k")));
        assert_eq!(priority, Some(crate::domain::priority::Priority::High));
        assert_eq!(words.unwrap().patterns(), ["%a%", "%b%"]);
    }

    #[test]
    fn a_query_that_is_not_understood_is_refused_by_name() {
        for (text, name) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=x", "limit"),
            ("offset=-1", "offset"),
            ("page=!", "page"),
            ("page=AAAA", "page"),
            ("unreadOnly=yes", "unreadOnly"),
            ("kind=", "kind"),
            ("priority=urgent", "priority"),
            ("q=", "q"),
            ("q=+", "q"),
            ("q=1+2+3+4+5+6+7+8+9", "q"),
            ("user=u2", "user"),
            ("kind=%ff", "kind"),
            (&format!("offset=3&page={}", page_token(9)), "offset"),
        ] {
            let Err(ApiError::BadQuery(errors)) = list_query(text) else { panic!("{text} was taken") };
            assert_eq!(errors.len(), 1, "{text}");
            assert_eq!(errors[0].parameter.as_deref(), Some(name), "{text}");
        }
    }
}
