//! One user's connections here, and the ring of the newest frames that they share: a cache of the log's tail.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use smallvec::SmallVec;
use uuid::Uuid;

use super::{
    Subscribed,
    member::Member,
    ringing::ring_all,
    signals::{NEVER, Signals, Unread},
};
use crate::{
    auth::Identity,
    bus::Announcement,
    domain::{
        cursor::{Epoch, Seq},
        lock::lock,
        signal::Signal,
        user::UserKey,
    },
    frame::Frame,
    metrics,
};

/// Where an announcement was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// By this instance.
    Local,
    /// By another, through the bus.
    Remote,
}

/// Most frames that one read takes from the ring: what one gathered write sends.
pub const GATHERED: usize = 16;

/// A frame in the ring, shared by all who send it.
#[derive(Debug)]
pub struct Delivery {
    /// What is sent.
    pub frame: Frame,
    /// When its publish was received, microseconds since 1970; 0 for changes of state.
    pub published_at: u64,
    /// Who announced it.
    pub origin: Origin,
}

/// What a position finds in the ring.
#[derive(Debug, Clone)]
pub enum Read {
    /// Nothing is newer.
    Current,
    /// What follows, without gaps.
    Frames(SmallVec<[Arc<Delivery>; GATHERED]>),
    /// What follows is not in the ring any more: read the log.
    Behind,
    /// The stream began a new life: this position means nothing any more.
    OtherEpoch,
}

pub(super) type Members = Arc<Vec<Arc<Member>>>;

/// A user's connections and newest frames.
pub struct Feed {
    key: UserKey,
    /// None when the bus has confirmed.
    subscribed: Mutex<Option<Subscribed>>,
    most_frames: usize,
    most_bytes: usize,
    signals: Signals,
    state: Mutex<State>,
}

/// Between two uses of the lock, as `State::check` asserts:
///
/// - the ring is empty, or its seqs rise by one and end at the head's;
/// - `ring_bytes` is the length of the ring's texts;
/// - no two members have the same id.
///
/// Within an epoch the head only rises.
#[derive(Default)]
struct State {
    /// None until the first snapshot or announcement.
    head: Option<(Epoch, Seq)>,
    ring: VecDeque<Arc<Delivery>>,
    ring_bytes: usize,
    /// Copied only when a member joins or leaves while the members are being rung.
    members: Members,
}

impl Feed {
    pub(super) fn new(key: UserKey, subscribed: Subscribed, most_frames: usize, most_bytes: usize) -> Self {
        let (signals, state) = Default::default();
        Self { key, subscribed: Mutex::new(Some(subscribed)), most_frames, most_bytes, signals, state }
    }

    pub(super) fn key(&self) -> &UserKey {
        &self.key
    }

    pub(super) async fn subscribed(&self) {
        let subscribed = lock(&self.subscribed).clone();
        if let Some(subscribed) = subscribed {
            subscribed.await;
            *lock(&self.subscribed) = None;
        }
    }

    /// Adds a member unless there are `most` already.
    pub(super) fn add(&self, member: &Arc<Member>, most: usize) -> bool {
        let mut state = lock(&self.state);
        if state.members.len() >= most {
            return false;
        }
        member.move_signals(self.signals.newest());
        Arc::make_mut(&mut state.members).push(member.clone());
        true
    }

    /// Removes a member; true when it was the last.
    pub(super) fn remove(&self, id: Uuid) -> bool {
        let mut state = lock(&self.state);
        Arc::make_mut(&mut state.members).retain(|member| member.id() != id);
        state.members.is_empty()
    }

    pub(super) fn members(&self) -> Members {
        lock(&self.state).members.clone()
    }

    pub(super) fn extend(&self, connection: Uuid, identity: &Identity) -> bool {
        let members = self.members();
        let member = members.iter().find(|member| member.id() == connection);
        member.inspect(|member| member.extend(identity)).is_some()
    }

    /// Tells where a snapshot found the stream. Only the first one counts: later ones may run ahead of announcements
    /// that are still under way, and would tear holes into the ring.
    pub fn observe(&self, epoch: &Epoch, head: Seq) {
        let mut state = lock(&self.state);
        if state.head.is_none() {
            state.head = Some((epoch.clone(), head));
        }
    }

    /// Takes in an announcement and wakes the members if it moves the head.
    pub(super) fn deliver(&self, announcement: Announcement, origin: Origin) {
        let members = {
            let mut state = lock(&self.state);
            if !state.take(announcement, origin) {
                return;
            }
            state.trim(self.most_frames, self.most_bytes);
            state.members.clone()
        };
        ring_all(members, Member::ring);
    }

    /// Takes in a signal, if a member wants any; [`Self::ring_for_signals`] must follow.
    pub(super) fn take_signal(&self, signal: &Arc<Signal>, most: usize) {
        let members = self.members();
        let least = members.iter().map(|member| member.signal_position()).min().unwrap_or(NEVER);
        if least == NEVER {
            return;
        }
        let dropped = self.signals.push(signal.clone(), least, most, self.most_bytes);
        if dropped > 0 {
            ::metrics::counter!(metrics::SIGNALS_DROPPED, "reason" => "slow").increment(dropped as u64);
        }
    }

    /// Wakes the members who have not got all signals.
    pub(super) fn ring_for_signals(&self) {
        let newest = self.signals.newest();
        self.members().iter().filter(|member| member.signal_position() < newest).for_each(|member| member.ring());
    }

    /// The next signals that a member has not got, if any; it has got them then.
    pub(super) fn take_signals(&self, member: &Member, most_bytes: usize) -> Option<Unread> {
        let position = member.signal_position();
        if position >= self.signals.newest() {
            return None;
        }
        let (unread, end) = self.signals.after(position, most_bytes);
        member.move_signals(end);
        Some(unread)
    }

    pub(super) fn is_behind(&self, epoch: &Epoch, seq: Seq) -> bool {
        lock(&self.state).head.as_ref().is_some_and(|(known, head)| known != epoch || *head < seq)
    }

    /// Notes a head whose frames are not known; true when the head moved.
    pub(super) fn reached(&self, epoch: &Epoch, seq: Seq) -> bool {
        let members = {
            let mut state = lock(&self.state);
            if !state.advance(epoch, seq) {
                return false;
            }
            state.clear();
            state.members.clone()
        };
        ring_all(members, Member::ring);
        true
    }

    /// What follows `seq`, up to about `most_bytes` and [`GATHERED`] frames.
    pub fn read(&self, epoch: &Epoch, seq: Seq, most_bytes: usize) -> Read {
        let state = lock(&self.state);
        let Some((known, head)) = &state.head else { return Read::Current };
        if known != epoch {
            return Read::OtherEpoch;
        }
        if seq >= *head {
            return Read::Current;
        }
        let Some(first) = state.ring.front().map(|delivery| delivery.frame.seq).filter(|first| *first <= seq + 1)
        else {
            return Read::Behind;
        };
        let skipped = usize::try_from(seq + 1 - first).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let fits = |delivery: &&Arc<Delivery>| {
            let first = bytes == 0;
            bytes += delivery.frame.blocks.bytes().len();
            first || bytes <= most_bytes
        };
        Read::Frames(state.ring.iter().skip(skipped).take(GATHERED).take_while(fits).cloned().collect())
    }
}

impl State {
    /// Moves the head; false when it stands there already.
    fn advance(&mut self, epoch: &Epoch, seq: Seq) -> bool {
        match &self.head {
            Some((known, head)) if known == epoch && *head >= seq => return false,
            Some((known, _)) if known != epoch => self.clear(),
            _ => {}
        }
        self.head = Some((epoch.clone(), seq));
        true
    }

    fn take(&mut self, announcement: Announcement, origin: Origin) -> bool {
        let Announcement { epoch, head, frames, published_at, .. } = announcement;
        let before = self.head.clone();
        if !self.advance(&epoch, head) {
            return false;
        }
        let old = before.filter(|(known, _)| *known == epoch).map(|(_, seq)| seq);
        let first = frames.first().map_or(head + 1, |frame| frame.seq);
        if old.is_some_and(|old| first > old + 1) {
            if !frames.is_empty() {
                ::metrics::counter!(metrics::HOLES).increment(1);
            }
            self.clear();
        }
        for frame in frames.into_iter().filter(|frame| old.is_none_or(|old| frame.seq > old)) {
            let last = self.ring.back().map(|delivery| delivery.frame.seq);
            debug_assert!(last.is_none_or(|last| last + 1 == frame.seq), "{} follows {last:?}", frame.seq);
            self.ring_bytes += frame.blocks.bytes().len();
            self.ring.push_back(Arc::new(Delivery { frame, published_at, origin }));
        }
        true
    }

    fn trim(&mut self, most_frames: usize, most_bytes: usize) {
        while self.ring.len() > most_frames || self.ring_bytes > most_bytes {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_bytes -= oldest.frame.blocks.bytes().len();
        }
    }

    fn clear(&mut self) {
        self.ring.clear();
        self.ring_bytes = 0;
    }

    #[cfg(test)]
    fn check(&self) {
        let seqs: Vec<Seq> = self.ring.iter().map(|delivery| delivery.frame.seq).collect();
        assert!(seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{seqs:?} has gaps");
        let head = self.head.as_ref().map(|(_, head)| head);
        assert!(seqs.is_empty() || seqs.last() == head, "{seqs:?} ends at another head than {head:?}");
        let bytes: usize = self.ring.iter().map(|delivery| delivery.frame.blocks.bytes().len()).sum();
        assert_eq!(self.ring_bytes, bytes);
        let ids: std::collections::HashSet<_> = self.members.iter().map(|member| member.id()).collect();
        assert_eq!(ids.len(), self.members.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::cursor::Cursor,
        frame::{Blocks, Subject},
    };
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    fn feed() -> Feed {
        let key = UserKey { tenant: "t".parse().unwrap(), user: "u".parse().unwrap() };
        Feed::new(key, std::future::ready(()).boxed().shared(), 4, 10_000)
    }

    fn announcement(feed: &Feed, seqs: std::ops::RangeInclusive<Seq>, carried: bool) -> Announcement {
        let cursor = |seq| Cursor { epoch: Epoch::from("e".to_owned()), seq };
        let frame = |seq| Frame { seq, subject: Subject::State, blocks: Blocks::of_cursor(&cursor(seq)) };
        let frames = if carried { seqs.clone().map(frame).collect() } else { Vec::new() };
        Announcement::new(feed.key.clone(), cursor(*seqs.end()), frames)
    }

    impl Feed {
        fn check(&self) {
            let state = lock(&self.state);
            state.check();
            assert!(state.ring.len() <= self.most_frames && state.ring_bytes <= self.most_bytes);
        }
    }

    proptest! {
        /// However announcements are lost, repeated, cut or mixed up, a position either gets exactly what follows it or
        /// is sent to the log, and nothing announced is overlooked.
        #[test]
        fn the_ring_never_skips_repeats_or_reorders(
            events in prop::collection::vec((1_i64..40, 0_i64..4, any::<bool>()), 0..60),
            positions in prop::collection::vec(0_i64..45, 1..20),
        ) {
            let (feed, epoch) = (feed(), Epoch::from("e".to_owned()));
            feed.observe(&epoch, 0);
            let mut newest = 0;
            for (first, more, carried) in events {
                feed.deliver(announcement(&feed, first..=first + more, carried), Origin::Remote);
                feed.check();
                newest = newest.max(first + more);
                for &position in &positions {
                    match feed.read(&epoch, position, 10_000) {
                        Read::Current => prop_assert!(position >= newest),
                        Read::Behind => prop_assert!(position < newest),
                        Read::Frames(frames) => {
                            let seqs: Vec<_> = frames.iter().map(|delivery| delivery.frame.seq).collect();
                            prop_assert_eq!(seqs, (position + 1..=newest).collect::<Vec<_>>());
                        }
                        Read::OtherEpoch => prop_assert!(false),
                    }
                }
            }
        }
    }

    #[test]
    fn another_epoch_ends_old_positions() {
        let (feed, old) = (feed(), Epoch::from("old".to_owned()));
        feed.observe(&old, 3);
        feed.deliver(announcement(&feed, 1..=1, true), Origin::Local);
        assert!(matches!(feed.read(&old, 3, 100), Read::OtherEpoch));
    }

    fn seqs(feed: &Feed, position: Seq, most_bytes: usize) -> Option<Vec<Seq>> {
        match feed.read(&Epoch::from("e".to_owned()), position, most_bytes) {
            Read::Frames(frames) => Some(frames.iter().map(|delivery| delivery.frame.seq).collect()),
            _ => None,
        }
    }

    #[test]
    fn announcements_that_follow_each_other_or_overlap_are_read_from_the_ring() {
        let feed = feed();
        for range in [1..=1, 2..=2, 2..=3, 1..=4] {
            feed.deliver(announcement(&feed, range, true), Origin::Remote);
        }
        assert_eq!(seqs(&feed, 0, 1_000), Some(vec![1, 2, 3, 4]));
        assert_eq!(seqs(&feed, 3, 1_000), Some(vec![4]));
        assert!(matches!(feed.read(&Epoch::from("e".to_owned()), 4, 1_000), Read::Current));
    }

    #[test]
    fn a_hole_is_filled_from_the_log_and_what_follows_it_is_read_from_the_ring() {
        let feed = feed();
        feed.deliver(announcement(&feed, 1..=1, true), Origin::Remote);
        feed.deliver(announcement(&feed, 3..=3, true), Origin::Remote);
        assert_eq!((seqs(&feed, 0, 1_000), seqs(&feed, 1, 1_000)), (None, None));
        assert_eq!(seqs(&feed, 2, 1_000), Some(vec![3]));
    }

    #[test]
    fn a_read_takes_as_many_bytes_and_frames_as_it_may_and_one_at_least() {
        let key = UserKey { tenant: "t".parse().unwrap(), user: "u".parse().unwrap() };
        let feed = Feed::new(key, std::future::ready(()).boxed().shared(), 99, 10_000);
        // Each of these frames has 9 bytes.
        feed.deliver(announcement(&feed, 1..=9, true), Origin::Remote);
        assert_eq!(seqs(&feed, 0, 27), Some(vec![1, 2, 3]));
        assert_eq!((seqs(&feed, 0, 17), seqs(&feed, 0, 0)), (Some(vec![1]), Some(vec![1])));
        feed.deliver(announcement(&feed, 10..=30, true), Origin::Remote);
        assert_eq!(seqs(&feed, 9, 10_000).unwrap().len(), GATHERED);
    }

    #[test]
    fn the_ring_keeps_the_newest_frames_within_its_bounds() {
        let key = UserKey { tenant: "t".parse().unwrap(), user: "u".parse().unwrap() };
        let feed = Feed::new(key, std::future::ready(()).boxed().shared(), 4, 27);
        feed.deliver(announcement(&feed, 1..=3, true), Origin::Remote);
        assert_eq!(seqs(&feed, 0, 1_000), Some(vec![1, 2, 3]), "as many bytes as it may hold");
        feed.deliver(announcement(&feed, 4..=5, true), Origin::Remote);
        assert_eq!((seqs(&feed, 1, 1_000), seqs(&feed, 2, 1_000)), (None, Some(vec![3, 4, 5])));
        let few = self::feed();
        few.deliver(announcement(&few, 1..=5, true), Origin::Remote);
        assert_eq!((seqs(&few, 0, 1_000), seqs(&few, 1, 1_000)), (None, Some(vec![2, 3, 4, 5])));
    }

    #[test]
    fn only_the_first_snapshot_says_where_the_stream_stands() {
        let (feed, epoch) = (feed(), Epoch::from("e".to_owned()));
        feed.observe(&epoch, 3);
        feed.observe(&epoch, 9);
        assert!(matches!(feed.read(&epoch, 3, 100), Read::Current));
        assert!(matches!(feed.read(&epoch, 2, 100), Read::Behind));
    }

    #[test]
    fn a_head_without_frames_empties_the_ring_and_another_life_does_too() {
        let (feed, other) = (feed(), Epoch::from("other".to_owned()));
        feed.deliver(announcement(&feed, 1..=2, true), Origin::Remote);
        assert!(feed.reached(&Epoch::from("e".to_owned()), 3));
        assert_eq!((seqs(&feed, 0, 1_000), seqs(&feed, 2, 1_000)), (None, None));
        feed.deliver(announcement(&feed, 4..=4, true), Origin::Remote);
        assert_eq!(seqs(&feed, 3, 1_000), Some(vec![4]));
        assert!(feed.reached(&other, 1));
        assert!(matches!(feed.read(&other, 0, 1_000), Read::Behind));
    }
}
