//! A stream in the run: its user, its server, and the record of its events.

use std::sync::Mutex;

use tokio::sync::Notify;

use super::{
    protocol::{Job, Spread},
    track::Track,
};

/// A stream in the run and its record.
pub struct Member {
    /// The user's number.
    pub user: usize,
    /// Its own within the run.
    pub number: usize,
    /// Its server's.
    pub target: usize,
    /// The path of its request.
    pub path: String,
    /// Lines of the head of its request.
    pub headers: String,
    /// Asks the stream to drop its connection and come back.
    pub leave: Notify,
    /// The record of its events.
    pub track: Mutex<Track>,
}

impl Member {
    /// Stream `number` of the run, closed: it is of user `number % users`.
    ///
    /// # Errors
    /// When no token can be signed.
    pub fn new(job: &Job, number: usize) -> anyhow::Result<Self> {
        let users = job.users.count;
        let user = number % users;
        Ok(Self {
            user,
            number,
            target: server_of(job.spread, number, users, job.targets.len()),
            path: job.system.path(&job.users.name(user)),
            headers: job.system.headers(&job.users, user)?,
            leave: Notify::new(),
            track: Mutex::new(Track::new(user, users, job.order)),
        })
    }
}

/// The server of a stream.
fn server_of(spread: Spread, number: usize, users: usize, targets: usize) -> usize {
    match spread {
        Spread::Even => (number / users + number % users) % targets,
        Spread::First(count) if number < count => 0,
        Spread::First(_) => elsewhere(number, targets),
    }
}

/// The server of a stream that does not belong to the first one.
pub fn elsewhere(number: usize, targets: usize) -> usize {
    1 + number % (targets - 1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(spread: Spread, streams: usize, users: usize, targets: usize) -> Vec<usize> {
        (0..streams).map(|number| server_of(spread, number, users, targets)).collect()
    }

    #[test]
    fn a_users_streams_are_spread_over_the_servers() {
        assert_eq!(servers(Spread::Even, 5, 2, 2), [0, 1, 1, 0, 0]);
    }

    #[test]
    fn the_first_server_has_the_streams_that_it_is_to_have() {
        assert_eq!(servers(Spread::First(2), 6, 6, 3), [0, 0, 1, 2, 1, 2]);
        assert_eq!(servers(Spread::First(1), 3, 3, 2), [0, 1, 1]);
    }
}
