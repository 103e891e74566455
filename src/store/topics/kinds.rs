//! The rules of the topics of a kind: access, presence, the interval of signals.

use std::time::Duration;

use diesel::{dsl::now, prelude::*, result::QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::domain::{
    topic::{Access, Rules, TopicKind},
    user::Tenant,
};
use crate::store::{
    database::{shared::repeat, stored, unavailable::Unavailable},
    handle::Store,
    schema::topic_kinds,
};

impl Store {
    /// The registered kinds of topics, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn topic_kinds(&self, tenant: &Tenant) -> Result<Vec<(String, Rules)>, Unavailable> {
        self.shared.once(async |conn| kinds(conn, tenant).await).await
    }

    /// The rules of a kind of topics; none when it is not registered.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn topic_rules(&self, tenant: &Tenant, kind: &str) -> Result<Option<Rules>, Unavailable> {
        self.shared.once(async |conn| rules(conn, tenant, kind).await).await
    }

    /// Registers a kind of topics; false when the tenant has `most` others already.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe.
    pub async fn put_topic_kind(
        &self,
        tenant: &Tenant,
        kind: &TopicKind,
        rules: &Rules,
        most: i64,
    ) -> Result<bool, Unavailable> {
        repeat!(self.shared, conn => conn.transaction(async |conn| put_kind(conn, tenant, kind, rules, most).await))
            .map_err(|_| Unavailable)
    }

    /// Forgets a kind of topics: the defaults hold for it again.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe.
    pub async fn remove_topic_kind(&self, tenant: &Tenant, kind: &TopicKind) -> Result<(), Unavailable> {
        repeat!(self.shared, conn => remove_kind(conn, tenant, kind)).map_err(|_| Unavailable)
    }
}

pub(crate) type RulesRow = (String, i32, bool);

pub(crate) fn of_row((access, interval, presence): RulesRow) -> QueryResult<Rules> {
    let access = match access.as_str() {
        "open" => Access::Open,
        "members" => Access::Members,
        "readOnly" => Access::ReadOnly,
        _ => return Err(stored::unreadable(format!("{access:?} is no access to topics"))),
    };
    let interval = u64::try_from(interval).map_err(stored::unreadable)?;
    Ok(Rules { access, signal_interval: Duration::from_millis(interval), presence })
}

fn word(access: Access) -> &'static str {
    match access {
        Access::Open => "open",
        Access::Members => "members",
        Access::ReadOnly => "readOnly",
    }
}

/// The rules of a kind of topics; none when it is not registered.
pub(crate) async fn rules(conn: &mut AsyncPgConnection, tenant: &Tenant, kind: &str) -> QueryResult<Option<Rules>> {
    let row = topic_kinds::table
        .find((tenant.as_str(), kind))
        .select((topic_kinds::access, topic_kinds::signal_interval_ms, topic_kinds::presence))
        .first(conn)
        .await
        .optional()?;
    row.map(of_row).transpose()
}

async fn kinds(conn: &mut AsyncPgConnection, tenant: &Tenant) -> QueryResult<Vec<(String, Rules)>> {
    let columns = (topic_kinds::access, topic_kinds::signal_interval_ms, topic_kinds::presence);
    let rows: Vec<(String, RulesRow)> = topic_kinds::table
        .filter(topic_kinds::tenant.eq(tenant.as_str()))
        .select((topic_kinds::kind, columns))
        .order(topic_kinds::kind)
        .load(conn)
        .await?;
    rows.into_iter().map(|(kind, rules)| Ok((kind, of_row(rules)?))).collect()
}

async fn put_kind(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    kind: &TopicKind,
    rules: &Rules,
    most: i64,
) -> QueryResult<bool> {
    let others = topic_kinds::table.filter(topic_kinds::tenant.eq(tenant.as_str()));
    let others: i64 = others.filter(topic_kinds::kind.ne(kind.as_str())).count().get_result(conn).await?;
    if others >= most {
        return Ok(false);
    }
    let interval = i32::try_from(rules.signal_interval.as_millis()).unwrap_or(i32::MAX);
    let values = (
        topic_kinds::access.eq(word(rules.access)),
        topic_kinds::signal_interval_ms.eq(interval),
        topic_kinds::presence.eq(rules.presence),
        topic_kinds::updated_at.eq(now),
    );
    diesel::insert_into(topic_kinds::table)
        .values((topic_kinds::tenant.eq(tenant.as_str()), topic_kinds::kind.eq(kind.as_str()), values))
        .on_conflict((topic_kinds::tenant, topic_kinds::kind))
        .do_update()
        .set(values)
        .execute(conn)
        .await?;
    Ok(true)
}

async fn remove_kind(conn: &mut AsyncPgConnection, tenant: &Tenant, kind: &TopicKind) -> QueryResult<()> {
    diesel::delete(topic_kinds::table.find((tenant.as_str(), kind.as_str()))).execute(conn).await.map(drop)
}
