//! Signs of life of a client: for how long it has owed one.

use std::{cell::Cell, time::Duration};

use tokio::time::{Instant, sleep_until};

/// How long a client has owed a sign of life.
pub struct Liveness {
    /// How long it may.
    most: Duration,
    /// Since when it has; none while it owes nothing.
    owed: Cell<Option<Instant>>,
    /// Whether the server is not listening at the moment.
    deaf: Cell<bool>,
}

impl Liveness {
    /// A client that owes nothing yet.
    pub fn new(most: Duration) -> Self {
        Self { most, owed: Cell::new(None), deaf: Cell::new(false) }
    }

    /// It was pinged.
    pub fn ask(&self) {
        self.owed.set(self.owed.get().or_else(|| Some(Instant::now())));
    }

    /// It has given a sign of life; true when it owed one.
    pub fn note(&self) -> bool {
        self.owed.take().is_some()
    }

    /// The server is about to listen again, or to be busy for a while.
    pub fn set_deaf(&self, deaf: bool) {
        self.deaf.set(deaf);
    }

    /// Ends when it has owed one for too long.
    pub async fn silence(&self) {
        loop {
            let now = Instant::now();
            let until = self.until(now);
            if until <= now {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// When its time is up, as far as is known now.
    fn until(&self, now: Instant) -> Instant {
        self.owed.get().filter(|_| !self.deaf.get()).unwrap_or(now) + self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_the_ping_that_is_not_answered() {
        let most = Duration::from_secs(3);
        let liveness = Liveness::new(most);
        let later = Instant::now() + Duration::from_mins(1);
        assert_eq!(liveness.until(later), later + most, "nothing is owed");
        liveness.ask();
        let until = liveness.until(later);
        assert!(until < later);
        liveness.ask();
        assert_eq!(liveness.until(later), until, "a second ping gives no more time");
        liveness.set_deaf(true);
        assert_eq!(liveness.until(later), later + most, "a server that does not listen cannot miss a sign");
        liveness.set_deaf(false);
        assert_eq!(liveness.until(later), until);
        assert!(liveness.note() && !liveness.note());
        assert_eq!(liveness.until(later), later + most);
    }
}
