//! Everything with a time: scheduled publishes, due items, and items that others become part of.
//!
//! Tests move the database's time rather than wait for it.

mod clock;
mod due;
mod faults;
mod folding;
mod scheduled;
mod story;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Client;

use crate::harness::*;

/// The database's time, moved by so many seconds.
pub async fn at(database: &Client, seconds: f64) -> String {
    let text = "select to_char((clock_time() + make_interval(secs => $1)) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
    database.query_one(text, &[&seconds]).await.unwrap().get(0)
}

/// Lets so many seconds pass at once, for the whole server.
pub async fn pass(database: &Client, seconds: f64) {
    let passed = "update clock set shift = shift + make_interval(secs => $1)";
    database.execute(passed, &[&seconds]).await.unwrap();
}

/// A time of an answer.
pub fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("{value} is no time")).parse().unwrap()
}

/// Makes a topic of the default tenant with these subscribers.
pub async fn subscribe(database: &Client, topic: &str, users: &[&str]) {
    let made = "insert into topics (tenant, topic) values ('default', $1) on conflict do nothing";
    database.execute(made, &[&topic]).await.unwrap();
    let subscribed = "insert into subscriptions (tenant, topic, user_id) select 'default', $1, unnest($2::text[])";
    database.execute(subscribed, &[&topic, &users]).await.unwrap();
}

/// The next event of a stream about items, without presence and heartbeats.
pub async fn next(stream: &mut Frames) -> (String, Value) {
    let frame = stream.next().await;
    (frame.event.clone().unwrap_or_default(), frame.json())
}

/// The titles of a list, in its order.
pub async fn titles(user: &Caller, query: &str) -> Vec<String> {
    let list = user.list(query).await;
    let items = list["notifications"].as_array().unwrap();
    items.iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
}

/// The one item of a user's list.
pub async fn only(user: &Caller) -> Value {
    let list = user.list("").await;
    assert_eq!(list["total"], 1, "{list}");
    list["notifications"][0].clone()
}

/// Counts, tables and indexes agree for every stream.
pub async fn is_sound(database: &Client) {
    let wrong = "select count(*) from streams as s where \
        listed <> (select count(*) from inbox as i where i.tenant = s.tenant and i.user_id = s.user_id \
            and archived_at is null and deleted_at is null and snoozed_until is null) \
        or unread <> (select count(*) from inbox as i where i.tenant = s.tenant and i.user_id = s.user_id \
            and archived_at is null and deleted_at is null and snoozed_until is null and read_at is null) \
        or unread <> (select count(*) from inbox_unread as u join inbox as i using (tenant, user_id, seq) \
            where u.tenant = s.tenant and u.user_id = s.user_id) \
        or unread <> (select count(*) from inbox_unread as u where u.tenant = s.tenant and u.user_id = s.user_id) \
        or head_seq < (select max(changed_seq) from inbox as i where i.tenant = s.tenant and i.user_id = s.user_id) \
        or (select count(*) from inbox as i where i.tenant = s.tenant and i.user_id = s.user_id and changed_seq > seq) \
            <> (select count(*) from inbox_changes as c where c.tenant = s.tenant and c.user_id = s.user_id)";
    assert_eq!(database.query_one(wrong, &[]).await.unwrap().get::<_, i64>(0), 0);
}
