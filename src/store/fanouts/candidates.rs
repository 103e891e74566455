//! Whom a fan-out reaches next: subscribers of its topics one topic after the other, then everyone.

use std::collections::HashSet;

use diesel::{
    QueryableByName,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, Bool, Nullable, SmallInt, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{CHUNK, Job};
use crate::{
    notification::UserId,
    store::schema::{streams, subscriptions},
};

/// A user who may be reached, and the place of the topic that leads there, from 1.
#[derive(QueryableByName)]
pub(super) struct Candidate {
    #[diesel(sql_type = Text)]
    pub(super) user_id: String,
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub(super) topic: Option<i16>,
}

/// The users who come next, each once, and whether they are the last. Moves the job behind them.
pub(super) async fn next_candidates(
    conn: &mut AsyncPgConnection,
    job: &mut Job,
    topics: &[String],
) -> QueryResult<(Vec<Candidate>, bool)> {
    let (mut candidates, mut seen, mut looked_at) = (Vec::new(), HashSet::new(), 0);
    while looked_at < CHUNK {
        let place = usize::try_from(job.stage).unwrap_or(usize::MAX);
        let topic = topics.get(place.saturating_sub(1));
        if topic.is_none() && !(job.everyone && place == topics.len() + 1) {
            return Ok((candidates, true));
        }
        let wanted = CHUNK - looked_at;
        let users = next_users(conn, job, topic, wanted as i64).await?;
        looked_at += users.len();
        match users.last() {
            Some(last) if users.len() == wanted => job.after_user.clone_from(last),
            _ => (job.stage, job.after_user) = (job.stage + 1, String::new()),
        }
        let stage = topic.map(|_| i16::try_from(place).unwrap_or(i16::MAX));
        let fresh = users.into_iter().filter(|user| seen.insert(user.clone()));
        candidates.extend(fresh.map(|user_id| Candidate { user_id, topic: stage }));
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

/// Those of some users whom the fan-out is for, each by the first topic that leads there.
pub(super) async fn candidates_among(
    conn: &mut AsyncPgConnection,
    job: &Job,
    topics: &[String],
    users: &[UserId],
) -> QueryResult<Vec<Candidate>> {
    // A join with `limit 1` is one look-up for each row, whatever the planner thinks of the tables' sizes.
    sql_query(
        "select asked.user_id, named.place::smallint as topic from unnest($1::text[]) as asked (user_id) \
         left join lateral (select place from unnest($2::text[]) with ordinality as t (topic, place) \
         cross join lateral (select from subscriptions as s where s.tenant = $3 and s.topic = t.topic \
         and s.user_id = asked.user_id limit 1) as subscribed order by place limit 1) as named on true \
         where named.place is not null or $4",
    )
    .bind::<Array<Text>, _>(users.iter().map(UserId::as_str).take(CHUNK).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(topics)
    .bind::<Text, _>(&job.tenant)
    .bind::<Bool, _>(job.everyone)
    .load(conn)
    .await
}
