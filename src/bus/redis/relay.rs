//! Announcements made ready beforehand and sent at the sender's own pace, without a queue that may drop them: what
//! `tidings bench` loads a bus with.

use anyhow::Context as _;

use super::{connection::Connection, names::Names, servers::Servers, wire};
use crate::{bus::Announcement, config::RedisSettings};

/// An announcement as it goes to Redis: the channel and the message.
pub type Ready = (String, Vec<u8>);

/// A connection that sends announcements and listens to nothing.
pub struct Relay {
    names: Names,
    connection: Connection,
}

impl Relay {
    /// Connects.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub async fn connect(settings: &RedisSettings, prefix: &str) -> anyhow::Result<Self> {
        let servers = Servers::new(settings)?;
        let connection = servers.pooled().await.context("cannot connect to Redis")?;
        Ok(Self { names: Names::new(prefix, "relay", servers.is_cluster()), connection })
    }

    /// Makes an announcement ready.
    pub fn prepare(&self, announcement: &Announcement) -> Ready {
        (self.names.user(&announcement.key), wire::announcement(announcement))
    }

    /// Sends announcements in one round trip.
    ///
    /// # Errors
    /// When Redis does not take them.
    pub async fn send(&mut self, ready: &[Ready]) -> anyhow::Result<()> {
        self.connection.publish(ready).await.context("Redis takes no message")
    }
}
