//! The choice of the items of a list, and of its totals.

use diesel::{prelude::*, result::QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::list::{ListQuery, SCAN_LIMIT};
use crate::{
    domain::{cursor::Seq, user::UserKey},
    store::{
        inbox::filter_scan::filter_scan,
        log::streams::Counts,
        schema::{inbox, inbox_unread},
    },
};

/// The items of a list.
pub(super) struct Choice {
    /// The seqs of its items, newest first.
    pub seqs: Vec<Seq>,
    /// The seq that older items come before, when there may be any.
    pub next: Option<Seq>,
    /// How many match, as far as `total_is_exact` says.
    pub total: i64,
    /// Whether `total` is of the whole inbox.
    pub total_is_exact: bool,
}

/// Chooses the items of a list, in an inbox with these counts.
pub(super) async fn choose(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    query: &ListQuery,
    counts: &Counts,
) -> QueryResult<Choice> {
    if query.filter.needs_looking() {
        return look_through(conn, key, query).await;
    }
    // An index knows the page and the stream the total.
    let total = if query.filter.unread { counts.unread } else { counts.listed };
    let one_more = ListQuery { limit: query.limit + 1, ..query.clone() };
    let (seqs, next) = cut(seqs(conn, key, &one_more).await?, query.limit);
    Ok(Choice { seqs, next, total, total_is_exact: true })
}

async fn look_through(conn: &mut AsyncPgConnection, key: &UserKey, query: &ListQuery) -> QueryResult<Choice> {
    let newest = filter_scan(conn, key, &query.filter, Seq::MAX, SCAN_LIMIT).await?;
    let (total, total_is_exact) = (newest.seqs.len() as i64, newest.end(SCAN_LIMIT).is_none());
    let here = match query.before {
        Some(before) => filter_scan(conn, key, &query.filter, before, SCAN_LIMIT).await?,
        None => newest,
    };
    let end = here.end(SCAN_LIMIT);
    let matching = here.seqs.into_iter().skip(usize::try_from(query.offset).unwrap_or(usize::MAX)).collect();
    let (seqs, next) = cut(matching, query.limit);
    Ok(Choice { seqs, next: next.or(end), total, total_is_exact })
}

/// As many seqs as asked for, and the last of them when there are more.
fn cut(mut seqs: Vec<Seq>, limit: i64) -> (Vec<Seq>, Option<Seq>) {
    debug_assert!(limit >= 0, "the caller bounds the limit");
    let limit = usize::try_from(limit).unwrap_or(0);
    let more = seqs.len() > limit;
    seqs.truncate(limit);
    let next = seqs.last().copied().filter(|_| more);
    (seqs, next)
}

/// The seqs that a list shows whose content does not matter.
pub(super) async fn seqs(conn: &mut AsyncPgConnection, key: &UserKey, query: &ListQuery) -> QueryResult<Vec<Seq>> {
    let (tenant, user, before) = (key.tenant.as_str(), key.user.as_str(), query.before.unwrap_or(Seq::MAX));
    if query.filter.unread {
        let unread = inbox_unread::table
            .filter(inbox_unread::tenant.eq(tenant).and(inbox_unread::user_id.eq(user)))
            .filter(inbox_unread::seq.lt(before))
            .select(inbox_unread::seq)
            .order(inbox_unread::seq.desc());
        return unread.offset(query.offset).limit(query.limit).load(conn).await;
    }
    let listed = inbox::table
        .filter(inbox::tenant.eq(tenant).and(inbox::user_id.eq(user)))
        .filter(inbox::archived_at.is_null().and(inbox::deleted_at.is_null()).and(inbox::snoozed_until.is_null()))
        .filter(inbox::seq.lt(before))
        .select(inbox::seq)
        .order(inbox::seq.desc());
    listed.offset(query.offset).limit(query.limit).load(conn).await
}
