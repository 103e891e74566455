//! Subscribers in bulk, without an account change for each: what `tidings bench` fills a topic with.

use diesel::{
    result::QueryResult,
    sql_query,
    sql_types::{Array, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    domain::{topic::Topic, user::Tenant},
    store::{database::unavailable::Unavailable, handle::Store},
};

impl Store {
    /// Makes these users subscribers of a topic, made if missing, without an announcement.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn seed_subscribers(&self, tenant: &Tenant, topic: &Topic, users: &[String]) -> Result<(), Unavailable> {
        self.shared.once(async |conn| seed(conn, tenant, topic, users).await).await
    }
}

async fn seed(conn: &mut AsyncPgConnection, tenant: &Tenant, topic: &Topic, users: &[String]) -> QueryResult<()> {
    sql_query(
        "with made as (insert into topics (tenant, topic) values ($1, $2) on conflict do nothing) \
         insert into subscriptions (tenant, topic, user_id) select $1, $2, unnest($3::text[]) on conflict do nothing",
    )
    .bind::<Text, _>(tenant.as_str())
    .bind::<Text, _>(topic.as_str())
    .bind::<Array<Text>, _>(users)
    .execute(conn)
    .await
    .map(drop)
}
