//! The way in of a system's messages.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;

use super::system::System;
use crate::{
    clock::micros,
    database::Database,
    load::{
        announcer::{Announcer, redis_publish},
        pace::Pace,
        stored::Stored,
    },
    marker::Marker,
    streams::fleet::Fleet,
};

/// The way in of one system.
pub struct Outlet {
    system: System,
    announcer: Announcer,
    /// The users' names.
    names: Vec<String>,
    /// The notifications that an instance of Tidings would have stored.
    stored: Option<Stored>,
}

/// The messages of a phase whose first has this number.
fn markers(first: u64, pace: Pace) -> impl Iterator<Item = Marker> {
    (0..pace.total).map(move |index| Marker { n: first + index, t: micros(pace.due(index)) })
}

impl Outlet {
    /// Connects.
    ///
    /// # Errors
    /// When no server listens there.
    pub fn connect(system: System, address: SocketAddr) -> anyhow::Result<Self> {
        let announcer = Announcer::connect(address, &system.greeting(), system.connections())?;
        Ok(Self { system, announcer, names: Vec::new(), stored: None })
    }

    /// Takes the users' names, and for Tidings the positions of their logs; writes the rows of all announcements to Tidings.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn prepare(&mut self, fleet: &mut Fleet, phases: &[Pace], database: Option<&str>) -> anyhow::Result<()> {
        self.names = fleet.users.names(0..fleet.users.count);
        if self.system != System::Tidings {
            return Ok(());
        }
        let database = Database::connect(database.context("Tidings' messages need --database-url")?).await?;
        let cursors = fleet.cursors().await?;
        let stored = Stored::new(&fleet.users, cursors, "tidings", 0)?;
        let mut first = 0;
        let all = phases.iter().flat_map(|&pace| {
            first += pace.total;
            markers(first - pace.total, pace)
        });
        stored.store(&database, all).await?;
        database.tidy("notifications, inbox").await?;
        database.checkpoint().await?;
        self.stored = Some(stored);
        Ok(())
    }

    /// Makes the messages of a phase ready, the first of which has this number; a user's all go over the same connection.
    pub fn make_ready(&mut self, first: u64, pace: Pace) {
        let Self { system, announcer, names, stored } = self;
        for marker in markers(first, pace) {
            let user = (marker.n % names.len() as u64) as usize;
            match stored {
                Some(stored) => {
                    let (channel, message) = stored.announcement(marker);
                    announcer.add(user, |out| redis_publish(&channel, &message, out));
                }
                None => announcer.add(user, |out| system.publish(&names[user], marker, out)),
            }
        }
    }

    /// Sends the ready messages: see [`Announcer::send`].
    ///
    /// # Errors
    /// When a connection breaks.
    pub async fn send(self, rate: u64, origin: u64, behind: Duration) -> anyhow::Result<(Self, u64)> {
        let (announcer, sent) = self.announcer.send(rate, origin, behind).await?;
        Ok((Self { announcer, ..self }, sent))
    }
}
