//! The newest frames of one user: a cache of the log's tail.

use std::{collections::VecDeque, sync::Arc};

use smallvec::SmallVec;

use crate::{
    bus::Announcement,
    domain::cursor::{Epoch, Seq},
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
    /// The instance that announced it.
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

/// The head of a stream and the frames before it. After every call, as `Ring::check` asserts:
///
/// - there are no frames, or their seqs rise by one and end at the head's;
/// - `bytes` is the length of the frames' texts;
/// - frames and bytes are within their bounds.
///
/// Within an epoch the head only rises.
pub(super) struct Ring {
    /// None until the first snapshot or announcement.
    head: Option<(Epoch, Seq)>,
    frames: VecDeque<Arc<Delivery>>,
    bytes: usize,
    most_frames: usize,
    pub(super) most_bytes: usize,
}

impl Ring {
    pub(super) fn new(most_frames: usize, most_bytes: usize) -> Self {
        Self { head: None, frames: VecDeque::new(), bytes: 0, most_frames, most_bytes }
    }

    /// Notes where a snapshot found the stream; true when it found another epoch. Within an epoch only the first one counts: later ones
    /// may run ahead of announcements that are still under way, and would tear holes into the ring.
    pub(super) fn observe(&mut self, epoch: &Epoch, head: Seq) -> bool {
        let Some((known, _)) = &self.head else {
            self.head = Some((epoch.clone(), head));
            return false;
        };
        known != epoch && self.reached(epoch, head)
    }

    pub(super) fn head(&self) -> Option<(Epoch, Seq)> {
        self.head.clone()
    }

    pub(super) fn is_behind(&self, epoch: &Epoch, seq: Seq) -> bool {
        self.head.as_ref().is_some_and(|(known, head)| known != epoch || *head < seq)
    }

    /// Notes a head whose frames are not known; true when the head moved.
    pub(super) fn reached(&mut self, epoch: &Epoch, seq: Seq) -> bool {
        let moved = self.advance(epoch, seq);
        if moved {
            self.clear();
        }
        moved
    }

    /// Takes in an announcement; true when it moved the head.
    pub(super) fn take(&mut self, announcement: Announcement, origin: Origin) -> bool {
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
            let last = self.frames.back().map(|delivery| delivery.frame.seq);
            debug_assert!(last.is_none_or(|last| last + 1 == frame.seq), "{} follows {last:?}", frame.seq);
            self.bytes += frame.blocks.bytes().len();
            self.frames.push_back(Arc::new(Delivery { frame, published_at, origin }));
        }
        self.trim();
        true
    }

    /// What follows `seq`, up to about `most_bytes` and [`GATHERED`] frames.
    pub(super) fn read(&self, epoch: &Epoch, seq: Seq, most_bytes: usize) -> Read {
        let Some((known, head)) = &self.head else { return Read::Current };
        if known != epoch {
            return Read::OtherEpoch;
        }
        if seq >= *head {
            return Read::Current;
        }
        let Some(first) = self.frames.front().map(|delivery| delivery.frame.seq).filter(|first| *first <= seq + 1)
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
        Read::Frames(self.frames.iter().skip(skipped).take(GATHERED).take_while(fits).cloned().collect())
    }

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

    fn trim(&mut self) {
        while self.frames.len() > self.most_frames || self.bytes > self.most_bytes {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.frame.blocks.bytes().len();
        }
    }

    fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let seqs: Vec<Seq> = self.frames.iter().map(|delivery| delivery.frame.seq).collect();
        assert!(seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{seqs:?} has gaps");
        let head = self.head.as_ref().map(|(_, head)| head);
        assert!(seqs.is_empty() || seqs.last() == head, "{seqs:?} ends at another head than {head:?}");
        let bytes: usize = self.frames.iter().map(|delivery| delivery.frame.blocks.bytes().len()).sum();
        assert_eq!(self.bytes, bytes);
        assert!(self.frames.len() <= self.most_frames && self.bytes <= self.most_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{cursor::Cursor, user::UserKey},
        frame::{Blocks, Subject},
    };
    use proptest::prelude::*;

    fn ring() -> Ring {
        Ring::new(4, 10_000)
    }

    fn announcement(seqs: std::ops::RangeInclusive<Seq>, carried: bool) -> Announcement {
        let key = UserKey { tenant: "t".parse().unwrap(), user: "u".parse().unwrap() };
        let cursor = |seq| Cursor { epoch: Epoch::from("e".to_owned()), seq };
        let frame = |seq| Frame { seq, subject: Subject::State, blocks: Blocks::of_cursor(&cursor(seq)) };
        let frames = if carried { seqs.clone().map(frame).collect() } else { Vec::new() };
        Announcement::new(key, cursor(*seqs.end()), frames)
    }

    proptest! {
        /// However announcements are lost, repeated, cut or mixed up, a position either gets exactly what follows it or
        /// is sent to the log, and nothing announced is overlooked.
        #[test]
        fn the_ring_never_skips_repeats_or_reorders(
            events in prop::collection::vec((1_i64..40, 0_i64..4, any::<bool>()), 0..60),
            positions in prop::collection::vec(0_i64..45, 1..20),
        ) {
            let (mut ring, epoch) = (ring(), Epoch::from("e".to_owned()));
            ring.observe(&epoch, 0);
            let mut newest = 0;
            for (first, more, carried) in events {
                ring.take(announcement(first..=first + more, carried), Origin::Remote);
                ring.check();
                newest = newest.max(first + more);
                for &position in &positions {
                    match ring.read(&epoch, position, 10_000) {
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
        let (mut ring, old) = (ring(), Epoch::from("old".to_owned()));
        ring.observe(&old, 3);
        ring.take(announcement(1..=1, true), Origin::Local);
        assert!(matches!(ring.read(&old, 3, 100), Read::OtherEpoch));
    }

    fn seqs(ring: &Ring, position: Seq, most_bytes: usize) -> Option<Vec<Seq>> {
        match ring.read(&Epoch::from("e".to_owned()), position, most_bytes) {
            Read::Frames(frames) => Some(frames.iter().map(|delivery| delivery.frame.seq).collect()),
            _ => None,
        }
    }

    #[test]
    fn announcements_that_follow_each_other_or_overlap_are_read_from_the_ring() {
        let mut ring = ring();
        for range in [1..=1, 2..=2, 2..=3, 1..=4] {
            ring.take(announcement(range, true), Origin::Remote);
        }
        assert_eq!(seqs(&ring, 0, 1_000), Some(vec![1, 2, 3, 4]));
        assert_eq!(seqs(&ring, 3, 1_000), Some(vec![4]));
        assert!(matches!(ring.read(&Epoch::from("e".to_owned()), 4, 1_000), Read::Current));
    }

    #[test]
    fn a_hole_is_filled_from_the_log_and_what_follows_it_is_read_from_the_ring() {
        let mut ring = ring();
        ring.take(announcement(1..=1, true), Origin::Remote);
        ring.take(announcement(3..=3, true), Origin::Remote);
        assert_eq!((seqs(&ring, 0, 1_000), seqs(&ring, 1, 1_000)), (None, None));
        assert_eq!(seqs(&ring, 2, 1_000), Some(vec![3]));
    }

    #[test]
    fn a_read_takes_as_many_bytes_and_frames_as_it_may_and_one_at_least() {
        let mut ring = Ring::new(99, 10_000);
        // Each of these frames has 9 bytes.
        ring.take(announcement(1..=9, true), Origin::Remote);
        assert_eq!(seqs(&ring, 0, 27), Some(vec![1, 2, 3]));
        assert_eq!((seqs(&ring, 0, 17), seqs(&ring, 0, 0)), (Some(vec![1]), Some(vec![1])));
        ring.take(announcement(10..=30, true), Origin::Remote);
        assert_eq!(seqs(&ring, 9, 10_000).unwrap().len(), GATHERED);
    }

    #[test]
    fn the_ring_keeps_the_newest_frames_within_its_bounds() {
        let mut ring = Ring::new(4, 27);
        ring.take(announcement(1..=3, true), Origin::Remote);
        assert_eq!(seqs(&ring, 0, 1_000), Some(vec![1, 2, 3]), "as many bytes as it may hold");
        ring.take(announcement(4..=5, true), Origin::Remote);
        assert_eq!((seqs(&ring, 1, 1_000), seqs(&ring, 2, 1_000)), (None, Some(vec![3, 4, 5])));
        let mut few = self::ring();
        few.take(announcement(1..=5, true), Origin::Remote);
        assert_eq!((seqs(&few, 0, 1_000), seqs(&few, 1, 1_000)), (None, Some(vec![2, 3, 4, 5])));
    }

    #[test]
    fn only_the_first_snapshot_of_an_epoch_says_where_the_stream_stands() {
        let (mut ring, epoch) = (ring(), Epoch::from("e".to_owned()));
        ring.observe(&epoch, 3);
        assert!(!ring.observe(&epoch, 9));
        assert!(matches!(ring.read(&epoch, 3, 100), Read::Current));
        assert!(matches!(ring.read(&epoch, 2, 100), Read::Behind));
        let other = Epoch::from("other".to_owned());
        assert!(ring.observe(&other, 2));
        assert!(matches!(ring.read(&epoch, 3, 100), Read::OtherEpoch));
        assert!(matches!(ring.read(&other, 2, 100), Read::Current));
    }

    #[test]
    fn a_head_without_frames_empties_the_ring_and_another_life_does_too() {
        let (mut ring, other) = (ring(), Epoch::from("other".to_owned()));
        ring.take(announcement(1..=2, true), Origin::Remote);
        assert!(ring.reached(&Epoch::from("e".to_owned()), 3));
        assert_eq!((seqs(&ring, 0, 1_000), seqs(&ring, 2, 1_000)), (None, None));
        ring.take(announcement(4..=4, true), Origin::Remote);
        assert_eq!(seqs(&ring, 3, 1_000), Some(vec![4]));
        assert!(ring.reached(&other, 1));
        assert!(matches!(ring.read(&other, 0, 1_000), Read::Behind));
    }
}
