//! The queue of signals: of each subject the newest, and one tenant after the other.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use crate::domain::{signal::Subject, user::Tenant};

/// The queued signals, by tenant. No lane is empty, and each tenant with a lane is in the rotation once.
pub(super) struct Queue<V> {
    most: usize,
    waiting: usize,
    lanes: HashMap<Tenant, Lane<V>>,
    rotation: VecDeque<Tenant>,
}

/// A tenant's share: its subjects as they came.
struct Lane<V> {
    order: VecDeque<Subject>,
    newest: HashMap<Subject, V>,
}

/// The signal that was dropped for a new one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// The older one of its subject, which the new one replaces.
    Older,
    /// One of another subject: there is no more room.
    Other,
}

impl<V> Queue<V> {
    /// Holds so many.
    pub(super) fn new(most: usize) -> Self {
        Self { most, waiting: 0, lanes: HashMap::new(), rotation: VecDeque::new() }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Takes one in. When there are too many, the tenant with the most loses its oldest.
    pub(super) fn put(&mut self, subject: Subject, value: V) -> Option<Gone> {
        let tenant = subject.to.tenant();
        if !self.lanes.contains_key(tenant) {
            self.rotation.push_back(tenant.clone());
        }
        let lane = self.lanes.entry(tenant.clone()).or_default();
        if lane.newest.insert(subject.clone(), value).is_some() {
            return Some(Gone::Older);
        }
        lane.order.push_back(subject);
        self.waiting += 1;
        (self.waiting > self.most).then(|| {
            self.drop_one();
            Gone::Other
        })
    }

    /// Takes one in that was taken out and not sent, behind its tenant's others. Answers that it is gone if a newer one of its subject
    /// waits, or if there is no room.
    pub(super) fn put_back(&mut self, subject: Subject, value: V) -> Option<Gone> {
        let tenant = subject.to.tenant();
        let is_replaced = self.lanes.get(tenant).is_some_and(|lane| lane.newest.contains_key(&subject));
        if is_replaced {
            return Some(Gone::Older);
        }
        if self.waiting >= self.most {
            return Some(Gone::Other);
        }
        if !self.lanes.contains_key(tenant) {
            self.rotation.push_back(tenant.clone());
        }
        let lane = self.lanes.entry(tenant.clone()).or_default();
        lane.newest.insert(subject.clone(), value);
        lane.order.push_back(subject);
        self.waiting += 1;
        None
    }

    /// Takes up to `most`, one of each tenant in rotation that `admit` lets through; otherwise answers how long until it lets one
    /// through.
    pub(super) fn take(
        &mut self,
        most: usize,
        admit: impl Fn(&Tenant) -> Result<(), Duration>,
    ) -> Result<Vec<V>, Option<Duration>> {
        let (mut taken, mut wait, mut refused) = (Vec::new(), None, 0);
        while taken.len() < most && refused < self.rotation.len() {
            let Some(tenant) = self.rotation.front().cloned() else { break };
            match admit(&tenant) {
                Ok(()) => {
                    refused = 0;
                    taken.extend(self.pop(&tenant));
                }
                Err(left) => {
                    refused += 1;
                    wait = Some(wait.map_or(left, |wait: Duration| wait.min(left)));
                }
            }
            if self.rotation.front() == Some(&tenant) {
                self.rotation.rotate_left(1);
            }
        }
        if taken.is_empty() { Err(wait) } else { Ok(taken) }
    }

    /// The tenant's oldest; removes the lane and the tenant from the rotation if the lane is now empty.
    fn pop(&mut self, tenant: &Tenant) -> Option<V> {
        let lane = self.lanes.get_mut(tenant)?;
        let value = lane.order.pop_front().and_then(|subject| lane.newest.remove(&subject));
        self.waiting -= 1;
        if lane.order.is_empty() {
            self.lanes.remove(tenant);
            let index = self.rotation.iter().position(|other| other == tenant);
            index.and_then(|index| self.rotation.remove(index));
        }
        value
    }

    fn drop_one(&mut self) {
        let longest = self.lanes.iter().max_by_key(|(_, lane)| lane.order.len()).map(|(tenant, _)| tenant.clone());
        longest.and_then(|tenant| self.pop(&tenant));
    }
}

impl<V> Default for Lane<V> {
    fn default() -> Self {
        Self { order: VecDeque::new(), newest: HashMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{signal::Address, user::UserKey};

    fn subject(tenant: u8, key: u8) -> Subject {
        let user = UserKey { tenant: format!("t{tenant}").parse().unwrap(), user: "u".parse().unwrap() };
        Subject { to: Address::User(user), kind: "k".into(), key: key.to_string().into() }
    }

    /// Takes as many as there are of those that may all go.
    fn take<V>(queue: &mut Queue<V>, most: usize) -> Vec<V> {
        queue.take(most, |_| Ok(())).unwrap_or_default()
    }

    #[test]
    fn one_that_was_not_sent_comes_first_again_unless_a_newer_one_waits() {
        let mut queue = Queue::new(3);
        for key in 0..3 {
            queue.put(subject(0, key), key);
        }
        assert_eq!(take(&mut queue, 2), [0, 1]);
        queue.put(subject(0, 0), 10);
        assert_eq!(queue.put_back(subject(0, 1), 1), None);
        assert_eq!(queue.put_back(subject(0, 0), 0), Some(Gone::Older), "a newer one of its subject waits");
        assert_eq!(queue.put_back(subject(0, 7), 7), Some(Gone::Other), "there is no room");
        assert_eq!((take(&mut queue, 9), queue.len()), (vec![2, 10, 1], 0));
    }

    proptest! {
        /// In every order of arrivals and departures, the newest of each subject that was not dropped comes out, in rising order, and
        /// the queue keeps its bound.
        #[test]
        fn the_newest_of_every_subject_comes_out_unless_there_is_no_room(
            steps in prop::collection::vec((0_u8..3, 0_u8..6, 0_usize..3), 1..200), most in 1_usize..12,
        ) {
            let mut queue = Queue::new(most);
            let (mut sent, mut out, mut dropped) = (HashMap::new(), HashMap::new(), 0);
            let note = |out: &mut HashMap<_, _>, taken: Vec<(Subject, usize)>| for (subject, value) in taken {
                assert!(out.insert(subject, value).is_none_or(|before| before < value));
            };
            for (value, (tenant, key, count)) in steps.into_iter().enumerate() {
                let subject = subject(tenant, key);
                sent.insert(subject.clone(), value);
                dropped += usize::from(queue.put(subject.clone(), (subject, value)) == Some(Gone::Other));
                prop_assert!(queue.waiting <= most);
                prop_assert_eq!(queue.rotation.len(), queue.lanes.len());
                if count > 0 {
                    note(&mut out, take(&mut queue, count));
                }
            }
            note(&mut out, take(&mut queue, usize::MAX));
            prop_assert_eq!((queue.waiting, queue.lanes.len(), queue.rotation.len()), (0, 0, 0));
            prop_assert!(sent.iter().filter(|(subject, value)| out.get(subject) != Some(value)).count() <= dropped);
        }
    }

    #[test]
    fn tenants_rotate_and_the_tenant_with_the_most_makes_room() {
        let mut queue = Queue::new(5);
        for key in 0..4 {
            assert_eq!(queue.put(subject(1, key), (1, key)), None);
        }
        assert_eq!(queue.put(subject(2, 0), (2, 0)), None);
        assert_eq!(queue.put(subject(2, 1), (2, 1)), Some(Gone::Other), "the first tenant's oldest made room");
        assert_eq!(queue.put(subject(1, 2), (1, 9)), Some(Gone::Older));
        assert_eq!(take(&mut queue, 3), [(1, 1), (2, 0), (1, 9)]);
        assert_eq!(take(&mut queue, 3), [(2, 1), (1, 3)]);
        assert_eq!(queue.take(3, |_| Ok(())), Err(None));
    }

    #[test]
    fn a_tenant_at_its_limit_keeps_its_signals_and_lets_others_pass() {
        let mut queue = Queue::new(5);
        for (tenant, key) in [(1, 0), (1, 1), (2, 0), (2, 1)] {
            queue.put(subject(tenant, key), (tenant, key));
        }
        let wait = Duration::from_millis(5);
        let left = RefCell::new(HashMap::from([("t1", 1), ("t2", 0)]));
        let admit = |tenant: &Tenant| {
            let mut left = left.borrow_mut();
            let left = left.get_mut(tenant.as_str()).unwrap();
            *left = i32::checked_sub(*left, 1).filter(|left| *left >= 0).ok_or(wait)?;
            Ok(())
        };
        assert_eq!(queue.take(4, admit).unwrap(), [(1, 0)]);
        assert_eq!(queue.take(4, admit), Err(Some(wait)));
        left.borrow_mut().insert("t2", 2);
        assert_eq!(queue.take(4, admit).unwrap(), [(2, 0), (2, 1)]);
    }
}
