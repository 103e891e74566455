//! The facts about topics for signals: the subscriptions of users, and the rules of a topic.

use std::collections::HashMap;

use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, Integer, Nullable, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::kinds;
use crate::domain::{
    signal::TopicKey,
    topic::Rules,
    user::{UserId, UserKey},
};
use crate::store::{
    database::{stored, unavailable::Unavailable},
    handle::Store,
};

/// Most topics of one user that bring signals.
const TOPICS: i64 = 1_000;

/// The facts about a topic, and about a user's part in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// It was created, or has been joined.
    pub known: bool,
    /// The user is subscribed to it.
    pub subscribed: bool,
    /// The rules of its kind.
    pub rules: Rules,
}

#[derive(QueryableByName)]
struct FactsRow {
    #[diesel(sql_type = Bool)]
    known: bool,
    #[diesel(sql_type = Bool)]
    subscribed: bool,
    #[diesel(sql_type = Nullable<Text>)]
    access: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    signal_interval_ms: Option<i32>,
    #[diesel(sql_type = Nullable<Bool>)]
    presence: Option<bool>,
}

impl Store {
    /// The topics that each of the users is subscribed to; a user without subscriptions is left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn topics_of(&self, keys: &[UserKey]) -> Result<HashMap<UserKey, Vec<TopicKey>>, Unavailable> {
        self.shared.once(async |conn| topics_of(conn, keys).await).await
    }

    /// The facts about a topic, and about the user's part in it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn topic_facts(&self, topic: &TopicKey, user: Option<&UserId>) -> Result<Facts, Unavailable> {
        self.shared.once(async |conn| topic_facts(conn, topic, user).await).await
    }
}

async fn topics_of(conn: &mut AsyncPgConnection, keys: &[UserKey]) -> QueryResult<HashMap<UserKey, Vec<TopicKey>>> {
    #[derive(QueryableByName)]
    struct Subscribed {
        #[diesel(sql_type = BigInt)]
        index: i64,
        #[diesel(sql_type = Text)]
        topic: String,
    }
    let rows: Vec<Subscribed> = sql_query(include_str!("topics_of.sql"))
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.tenant.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.user.as_str()).collect::<Vec<_>>())
        .bind::<BigInt, _>(TOPICS)
        .load(conn)
        .await?;
    let mut found: HashMap<UserKey, Vec<TopicKey>> = HashMap::new();
    for row in rows {
        let key = stored::nth(keys, row.index)?;
        let topic = TopicKey { tenant: key.tenant.clone(), topic: stored::parse(&row.topic)? };
        found.entry(key.clone()).or_default().push(topic);
    }
    Ok(found)
}

async fn topic_facts(conn: &mut AsyncPgConnection, topic: &TopicKey, user: Option<&UserId>) -> QueryResult<Facts> {
    let row: FactsRow = sql_query(
        "select exists (select from topics where tenant = $1 and topic = $2) as known, \
         exists (select from subscriptions where tenant = $1 and topic = $2 and user_id = $4) as subscribed, \
         kind.access, kind.signal_interval_ms, kind.presence from (select) as one left join topic_kinds as kind \
         on kind.tenant = $1 and kind.kind = $3",
    )
    .bind::<Text, _>(topic.tenant.as_str())
    .bind::<Text, _>(topic.topic.as_str())
    .bind::<Text, _>(topic.topic.kind())
    .bind::<Nullable<Text>, _>(user.map(UserId::as_str))
    .get_result(conn)
    .await?;
    let rules = match (row.access, row.signal_interval_ms, row.presence) {
        (Some(access), Some(interval), Some(presence)) => kinds::of_row((access, interval, presence))?,
        _ => Rules::default(),
    };
    Ok(Facts { known: row.known, subscribed: row.subscribed, rules })
}
