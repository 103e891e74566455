//! The candidates of a fan-out: subscribers of its topics one topic after the other, then everyone. The recipients among them are
//! decided when their streams are locked, for some may leave before that.

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
    store::{
        database::stored,
        schema::{streams, subscriptions},
    },
};

/// The next candidates, some of them twice where several topics lead to them, and whether they are the last. Moves the job
/// behind them.
pub(super) async fn next_candidates(
    conn: &mut AsyncPgConnection,
    job: &mut Job,
    topics: &[String],
) -> QueryResult<(Vec<String>, bool)> {
    let mut candidates = Vec::new();
    while candidates.len() < CHUNK {
        // Stages count from 1; the one after the last topic is everyone.
        let index = stored::index(job.stage)?;
        let topic = topics.get(index);
        if topic.is_none() && !(job.everyone && index == topics.len()) {
            return Ok((candidates, true));
        }
        let wanted = CHUNK - candidates.len();
        let users = next_users(conn, job, topic, wanted as i64).await?;
        debug_assert!(users.as_slice().first().is_none_or(|user| *user > job.after_user), "a fan-out does not go back");
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

/// The candidates among some users, so that the streams of the others are not locked.
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
    // A join with `limit 1` is one look-up for each row, independent of the planner's estimates.
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
