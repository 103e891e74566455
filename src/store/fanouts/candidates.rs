//! Whom a fan-out may reach next: subscribers of its topics one topic after the other, then everyone. Who of them is reached
//! is decided when their streams are locked, for some may leave before that.

use diesel::{
    QueryableByName,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{CHUNK, Job};
use crate::{
    domain::user::UserId,
    store::schema::{streams, subscriptions},
};

/// The users who come next, some of them twice where several topics lead to them, and whether they are the last. Moves the
/// job behind them.
pub(super) async fn next_candidates(
    conn: &mut AsyncPgConnection,
    job: &mut Job,
    topics: &[String],
) -> QueryResult<(Vec<String>, bool)> {
    let mut candidates = Vec::new();
    while candidates.len() < CHUNK {
        let place = usize::try_from(job.stage).unwrap_or(usize::MAX);
        let topic = topics.get(place.saturating_sub(1));
        if topic.is_none() && !(job.everyone && place == topics.len() + 1) {
            return Ok((candidates, true));
        }
        let wanted = CHUNK - candidates.len();
        let users = next_users(conn, job, topic, wanted as i64).await?;
        match users.last() {
            Some(last) if users.len() == wanted => job.after_user.clone_from(last),
            _ => (job.stage, job.after_user) = (job.stage + 1, String::new()),
        }
        candidates.extend(users);
    }
    Ok((candidates, false))
}

/// The subscribers of a topic, or all users, that follow the last one looked at.
async fn next_users(
    conn: &mut AsyncPgConnection,
    job: &Job,
    topic: Option<&String>,
    most: i64,
) -> QueryResult<Vec<String>> {
    let Some(topic) = topic else {
        let all = streams::table.filter(streams::tenant.eq(&job.tenant)).filter(streams::user_id.gt(&job.after_user));
        return all.select(streams::user_id).order(streams::user_id).limit(most).load(conn).await;
    };
    subscriptions::table
        .filter(subscriptions::tenant.eq(&job.tenant).and(subscriptions::topic.eq(topic)))
        .filter(subscriptions::user_id.gt(&job.after_user))
        .select(subscriptions::user_id)
        .order(subscriptions::user_id)
        .limit(most)
        .load(conn)
        .await
}

/// Those of some users whom the fan-out seems to be for, so that the streams of the others are left alone.
pub(super) async fn candidates_among(
    conn: &mut AsyncPgConnection,
    job: &Job,
    topics: &[String],
    users: &[UserId],
) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Subscriber {
        #[diesel(sql_type = Text)]
        user_id: String,
    }
    let users: Vec<_> = users.iter().map(UserId::as_str).take(CHUNK).collect();
    if job.everyone {
        return Ok(users.into_iter().map(str::to_owned).collect());
    }
    // A join with `limit 1` is one look-up for each row, whatever the planner thinks of the tables' sizes.
    let subscribers: Vec<Subscriber> = sql_query(
        "select asked.user_id from unnest($1::text[]) as asked (user_id) \
         cross join lateral (select from unnest($2::text[]) as named (topic) \
         cross join lateral (select from subscriptions as s where s.tenant = $3 and s.topic = named.topic \
         and s.user_id = asked.user_id limit 1) as found limit 1) as subscribed",
    )
    .bind::<Array<Text>, _>(users)
    .bind::<Array<Text>, _>(topics)
    .bind::<Text, _>(&job.tenant)
    .load(conn)
    .await?;
    Ok(subscribers.into_iter().map(|subscriber| subscriber.user_id).collect())
}
