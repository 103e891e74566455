//! The filter scan: items that no index finds, among the newest of an inbox.

use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, Nullable, SmallInt, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::domain::{cursor::Seq, priority::Priority, search_words::Words, user::UserKey};

/// The conditions of a filter; an item must meet all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Of these ids, be they listed or not; none means all that are listed.
    pub ids: Option<Vec<Uuid>>,
    /// Unread, if true.
    pub unread: bool,
    /// Of this category.
    pub category: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this priority.
    pub priority: Option<Priority>,
    /// With these words.
    pub words: Option<Words>,
}

impl Filter {
    /// Whether it says nothing, so that everything matches.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether no index knows the matches.
    pub(crate) fn needs_looking(&self) -> bool {
        let Self { ids, unread: _, category, kind, priority, words } = self;
        ids.is_some() || category.is_some() || kind.is_some() || priority.is_some() || words.is_some()
    }
}

/// The result of a filter scan.
#[derive(QueryableByName)]
pub(crate) struct FilterScan {
    /// The seqs of the matching items, newest first.
    #[diesel(sql_type = Array<BigInt>)]
    pub seqs: Vec<Seq>,
    #[diesel(sql_type = BigInt)]
    looked_through: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    last: Option<Seq>,
}

impl FilterScan {
    /// The seq at which it ended, if it ended because it had examined `most` items.
    pub fn end(&self, most: i64) -> Option<Seq> {
        self.last.filter(|_| self.looked_through >= most)
    }
}

/// Scans at most so many of the newest items that arrived before a seq.
pub(crate) async fn filter_scan(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    filter: &Filter,
    before: Seq,
    most: i64,
) -> QueryResult<FilterScan> {
    sql_query(include_str!("filter_scan.sql"))
        .bind::<Text, _>(key.tenant.as_str())
        .bind::<Text, _>(key.user.as_str())
        .bind::<Bool, _>(filter.unread)
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(most)
        .bind::<Nullable<Text>, _>(filter.kind.as_deref())
        .bind::<Nullable<Text>, _>(filter.category.as_deref())
        .bind::<Nullable<SmallInt>, _>(filter.priority.map(Priority::rank))
        .bind::<Nullable<Array<Text>>, _>(filter.words.as_ref().map(Words::patterns))
        .bind::<Nullable<Array<SqlUuid>>, _>(filter.ids.as_deref())
        .get_result(conn)
        .await
}
