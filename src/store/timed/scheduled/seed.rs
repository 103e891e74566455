//! Publishes that wait, in bulk, and what came of those whose time has come: what `tidings bench` fills the table with and counts.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    domain::user::Tenant,
    store::{database::unavailable::Unavailable, handle::Store},
};

/// What users have in their inboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Tally {
    /// Items.
    #[diesel(sql_type = BigInt)]
    pub items: i64,
    /// Notifications that they show, each counted once for each user.
    #[diesel(sql_type = BigInt)]
    pub notifications: i64,
    /// Items that are overdue.
    #[diesel(sql_type = BigInt)]
    pub overdue: i64,
    /// Changes of their inboxes.
    #[diesel(sql_type = BigInt)]
    pub changes: i64,
}

impl Store {
    /// Has a publish wait for each of these users, the first until `from`, each for a tenth of a second longer than the one before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn seed_scheduled(
        &self,
        tenant: &Tenant,
        users: &[String],
        from: DateTime<Utc>,
    ) -> Result<(), Unavailable> {
        self.shared.once(async |conn| seed(conn, tenant, users, from).await).await
    }

    /// Does at once what the database would do on its own behalf some time after many rows were added.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tidy_scheduled(&self) -> Result<(), Unavailable> {
        let tidy = "vacuum (analyze) notifications, scheduled";
        self.shared.once(async |conn| sql_query(tidy).execute(conn).await.map(drop)).await
    }

    /// Counts what users have in their inboxes; those never heard of have nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tally(&self, tenant: &Tenant, users: &[String]) -> Result<Tally, Unavailable> {
        self.shared.once(async |conn| tally(conn, tenant, users).await).await
    }
}

async fn seed(conn: &mut AsyncPgConnection, tenant: &Tenant, users: &[String], from: DateTime<Utc>) -> QueryResult<()> {
    sql_query(
        "with made as (insert into notifications (id, tenant, kind, priority, title, source, fingerprint, recipients, \
         deliver_at, expires_at) select id, $1, 'bench', 1, 'Waiting', 'http', '', 1, at, at + interval '90 days' \
         from unnest($2::uuid[]) with ordinality as asked (id, place) \
         cross join lateral (select $4 + place * interval '0.1 seconds' as at) as time returning id, deliver_at) \
         insert into scheduled (notification_id, tenant, deliver_at, users, topics, everyone, fixed_expiry) \
         select made.id, $1, deliver_at, array[user_id], '{}', false, false \
         from made join unnest($2::uuid[], $3::text[]) as asked (id, user_id) using (id)",
    )
    .bind::<Text, _>(tenant.as_str())
    .bind::<Array<SqlUuid>, _>(users.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(users)
    .bind::<Timestamptz, _>(from)
    .execute(conn)
    .await
    .map(drop)
}

async fn tally(conn: &mut AsyncPgConnection, tenant: &Tenant, users: &[String]) -> QueryResult<Tally> {
    sql_query(
        "select coalesce(sum(held.items), 0)::bigint as items, coalesce(sum(held.notifications), 0)::bigint as notifications, \
         coalesce(sum(held.overdue), 0)::bigint as overdue, coalesce(sum(stream.head_seq), 0)::bigint as changes \
         from unnest($2::text[]) as asked (user_id) \
         cross join lateral (select head_seq from streams as s where s.tenant = $1 and s.user_id = asked.user_id limit 1) as stream \
         cross join lateral (select count(*) as items, count(distinct notification_id) as notifications, \
         count(*) filter (where due_state = 2) as overdue from inbox as i \
         where i.tenant = $1 and i.user_id = asked.user_id) as held",
    )
    .bind::<Text, _>(tenant.as_str())
    .bind::<Array<Text>, _>(users)
    .get_result(conn)
    .await
}
