//! Notifications that no instance stored: their rows, and the announcements that an instance would have sent after storing them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tidings::{
    bus::{Announcement, redis},
    domain::{
        audience::Reason,
        channel::Decision,
        cursor::Cursor,
        notification::{Content, Presentation},
        priority::Priority,
        user::UserKey,
    },
    frame::Arrivals,
};
use uuid::Uuid;

use crate::{
    database::{BULK, Common, Database, Rows},
    marker::Marker,
    target::Users,
};

/// How long they stay in the inboxes.
const LIFETIME: TimeDelta = TimeDelta::days(90);

/// The notifications of a run, each for one user.
pub struct Stored {
    users: Vec<UserKey>,
    /// The position of each user's log before them.
    cursors: Vec<Cursor>,
    prefix: String,
    content: Content,
    created_at: DateTime<Utc>,
    /// The bits that all their ids share.
    ids: u128,
}

impl Stored {
    /// Notifications to the run's users, whose logs are at `cursors`, with so much padding; `prefix` is the instances'.
    ///
    /// # Errors
    /// When a user is none.
    pub fn new(users: &Users, cursors: Vec<Cursor>, prefix: &str, padding: usize) -> anyhow::Result<Self> {
        let content = Content {
            kind: "bench".to_owned(),
            category: None,
            priority: Priority::Medium,
            title: String::new(),
            message: None,
            data: (padding > 0).then(|| json!({"padding": "p".repeat(padding)})),
            action_url: None,
            image_url: None,
            presentation: Presentation::default(),
        };
        let users = (0..users.count).map(|user| users.key(user)).collect::<anyhow::Result<_>>()?;
        let (prefix, ids) = (prefix.to_owned(), Uuid::now_v7().as_u128() & !u128::from(u32::MAX));
        Ok(Self { users, cursors, prefix, content, created_at: Utc::now(), ids })
    }

    /// Writes the rows of these notifications.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn store(&self, database: &Database, markers: impl Iterator<Item = Marker>) -> anyhow::Result<()> {
        let common = Common {
            tenant: self.users[0].tenant.to_string(),
            data: self.content.data.as_ref().map(Value::to_string),
            created_at: self.created_at,
            expires_at: self.created_at + LIFETIME,
        };
        let mut rows = Rows::default();
        for marker in markers {
            let (user, _, seq) = self.position(marker.n);
            rows.ids.push(self.id(marker.n).to_string());
            rows.users.push(self.users[user].user.as_str().to_owned());
            rows.seqs.push(seq);
            rows.titles.push(marker.text());
            if rows.ids.len() == BULK {
                database.store_ahead(&common, &std::mem::take(&mut rows)).await?;
            }
        }
        database.store_ahead(&common, &rows).await
    }

    /// The channel and the message of an announcement.
    pub fn announcement(&mut self, marker: Marker) -> (String, Vec<u8>) {
        let (user, before, seq) = self.position(marker.n);
        let epoch = self.cursors[user].epoch.clone();
        self.content.title = marker.text();
        let expires_at = self.created_at + LIFETIME;
        let mut arrivals = Arrivals::of(self.id(marker.n), &self.content, self.created_at, expires_at);
        let frame = arrivals.frame(&Reason::Direct, Decision::PLAIN, &epoch, seq, before + 1);
        let announcement = Announcement {
            key: self.users[user].clone(),
            epoch,
            head: seq,
            frames: vec![frame],
            // The instances measure their own lag from here. The figure is not read; the measuring costs what it always costs.
            published_at: self.created_at.timestamp_micros().unsigned_abs(),
            subscription: None,
        };
        redis::message(&self.prefix, &announcement)
    }

    fn id(&self, n: u64) -> Uuid {
        Uuid::from_u128(self.ids | u128::from(n))
    }

    /// Notification `n`'s user, the number of notifications to that user before it, and its seq.
    fn position(&self, n: u64) -> (usize, i64, i64) {
        let (user, before) = (n % self.users.len() as u64, (n / self.users.len() as u64) as i64);
        (user as usize, before, self.cursors[user as usize].seq + before + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Signing;

    #[test]
    fn an_announcement_takes_the_next_place_in_its_users_log() {
        let signing = Signing { secret: "s".into(), tenant: "default".into(), issuer: None, audience: None };
        let users = Users::new(2, signing);
        let cursors = ["a.4", "b.0"].map(|cursor| cursor.parse().unwrap()).to_vec();
        let mut stored = Stored::new(&users, cursors, "tidings", 0).unwrap();
        let (channel, message) = stored.announcement(Marker { n: 2, t: 77 });
        let message = String::from_utf8(message).unwrap();
        assert_eq!(channel, format!("tidings:{{default:{}}}", users.name(0)));
        assert!(message.contains("id: a.6\nevent: notification\ndata: {"), "{message}");
        assert!(message.contains("\"title\":\"~2~77~\"") && message.contains("\"unread\":2}"), "{message}");
    }
}
