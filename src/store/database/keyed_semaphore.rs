//! A semaphore per key, for work that only one transaction can do at a time. A task that would wait for the same lock of the
//! database waits here without a connection, so other tasks do not run out of connections.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::metrics::LIMIT_HITS;
use crate::store::database::unavailable::Unavailable;

/// Longest wait for a permit.
const PATIENCE: Duration = Duration::from_secs(5);

/// Semaphores by key; a key without a holder costs nothing.
pub(crate) struct KeyedSemaphore<K: Hash + Eq + Clone> {
    at_once: usize,
    /// The limit's name, for the metric.
    limit: &'static str,
    queues: Mutex<HashMap<K, Arc<Semaphore>>>,
}

/// A held permit; dropping it releases the key.
pub(crate) struct Permit<'a, K: Hash + Eq + Clone> {
    semaphore: &'a KeyedSemaphore<K>,
    key: K,
    permit: Option<OwnedSemaphorePermit>,
}

impl<K: Hash + Eq + Clone> KeyedSemaphore<K> {
    pub(crate) fn new(limit: &'static str, at_once: usize) -> Self {
        Self { at_once: at_once.max(1), limit, queues: Mutex::default() }
    }

    /// Waits for a permit, five seconds at most.
    pub(crate) async fn acquire(&self, key: &K) -> Result<Permit<'_, K>, Unavailable> {
        // Made before the wait, so that its drop removes the queue of a wait that is given up.
        let mut held = Permit { semaphore: self, key: key.clone(), permit: None };
        let queue = self.queue(key);
        let Ok(Ok(permit)) = timeout(PATIENCE, queue.acquire_owned()).await else {
            ::metrics::counter!(LIMIT_HITS, "limit" => self.limit).increment(1);
            return Err(Unavailable);
        };
        held.permit = Some(permit);
        Ok(held)
    }

    fn queue(&self, key: &K) -> Arc<Semaphore> {
        self.queues().entry(key.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.at_once))).clone()
    }

    /// Queues are whole after every line of code under this lock, even if it panics.
    fn queues(&self) -> MutexGuard<'_, HashMap<K, Arc<Semaphore>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> Drop for Permit<'_, K> {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut queues = self.semaphore.queues();
        // A queue is cloned only under this lock, so a count of one means that no task waits.
        if queues.get(&self.key).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::join_all};

    use super::*;

    #[tokio::test]
    async fn permits_go_out_in_order_and_leave_nothing_behind() {
        let semaphore = KeyedSemaphore::new("test", 1);
        let first = semaphore.acquire(&1).await.unwrap();
        let other = semaphore.acquire(&2).await.unwrap();
        assert!(semaphore.acquire(&1).now_or_never().is_none(), "it is taken");
        let mut second = Box::pin(semaphore.acquire(&1));
        assert!(second.as_mut().now_or_never().is_none());
        drop((first, other));
        assert!(semaphore.acquire(&1).now_or_never().is_none(), "the longest wait is over first");
        drop(second.await);
        let all = join_all((0..100).map(async |_| drop(semaphore.acquire(&3).await.unwrap())));
        all.await;
        assert!(semaphore.queues().is_empty());
    }
}
