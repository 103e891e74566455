//! One timer for all connections: a hashed wheel of weak handles. A tick rings the connections whose time has come; a connection
//! finds out itself which step is due.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::member::Member;
use crate::domain::lock::lock;

const TICK: Duration = Duration::from_millis(250);
/// About four minutes; a member whose time is later is rung at this horizon and scheduled again.
const SLOTS: u64 = 1024;

/// The slot of the tick that was rung last is empty, as `Wheel::check` asserts: it is a whole turn away, and a member in it would
/// be rung that much too late. Only a `schedule` that runs during a turn may leave a member there, and it then rings the member itself.
pub(super) struct Wheel {
    start: Instant,
    /// The last tick whose slot was rung; only rises.
    turned: AtomicU64,
    slots: Vec<Mutex<Vec<Weak<Member>>>>,
}

impl Wheel {
    pub(super) fn new() -> Self {
        let slots = (0..SLOTS).map(|_| Mutex::default()).collect();
        Self { start: Instant::now(), turned: AtomicU64::new(0), slots }
    }

    /// Rings `member` at `at` or up to a tick later, at the horizon at the latest.
    pub(super) fn schedule(&self, member: &Arc<Member>, at: Instant) {
        let next = self.turned.load(Ordering::Acquire) + 1;
        // One slot stays free, so that the slot of the last tick is not taken for that of a tick to come.
        let tick = self.tick_of(at).clamp(next, next + SLOTS - 2);
        lock(self.slot(tick)).push(Arc::downgrade(member));
        // The wheel may have passed the slot between the choice of the tick and the push. The wheel stores its tick before it empties
        // the slot. So either it found the member, or this sees the new tick. A ring too many does no harm.
        if self.turned.load(Ordering::Acquire) >= tick {
            member.ring();
        }
    }

    /// Turns until `stop`.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut clock = tokio::time::interval(TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(clock.tick()).await.is_some() {
            self.turn(Instant::now());
        }
    }

    fn turn(&self, now: Instant) {
        // The tick that `now` is in has not passed yet.
        let until = self.tick_of(now).saturating_sub(1);
        for tick in self.turned.load(Ordering::Acquire) + 1..=until {
            // Before the slot is emptied: see `schedule`.
            self.turned.store(tick, Ordering::Release);
            let due = std::mem::take(&mut *lock(self.slot(tick)));
            due.iter().filter_map(Weak::upgrade).for_each(|member| member.ring());
        }
    }

    /// The first tick at or after which `at` has passed.
    fn tick_of(&self, at: Instant) -> u64 {
        let ticks = at.saturating_duration_since(self.start).as_millis().div_ceil(TICK.as_millis());
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    fn slot(&self, tick: u64) -> &Mutex<Vec<Weak<Member>>> {
        &self.slots[(tick % SLOTS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use futures_util::FutureExt as _;
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{auth::Identity, domain::user::UserKey};

    impl Wheel {
        fn check(&self) {
            let turned = self.turned.load(Ordering::Acquire);
            assert!(lock(self.slot(turned)).is_empty(), "the slot of tick {turned} is a whole turn away");
            assert_eq!(self.slots.len() as u64, SLOTS);
        }
    }

    fn member() -> Arc<Member> {
        let key = UserKey { tenant: "t".parse().unwrap(), user: "u".parse().unwrap() };
        Arc::new(Member::new(Identity {
            key,
            publish: false,
            admin: false,
            expires_at: Utc::now(),
            issued_at: None,
            token_id: None,
            topics: Vec::new(),
        }))
    }

    /// A moment within the tick that follows this one: the tick has passed.
    fn past(wheel: &Wheel, tick: u64) -> Instant {
        wheel.start + TICK * u32::try_from(tick).unwrap() + Duration::from_millis(1)
    }

    #[test]
    fn a_member_is_rung_once_when_its_time_has_passed_and_not_before() {
        let (wheel, member) = (Wheel::new(), member());
        wheel.schedule(&member, past(&wheel, 2));
        wheel.turn(past(&wheel, 2));
        assert!(!member.is_unheard());
        wheel.turn(past(&wheel, 3));
        assert!(member.rung().now_or_never().is_some());
        wheel.turn(past(&wheel, 3 + SLOTS));
        assert!(!member.is_unheard(), "a slot is rung once");
    }

    #[test]
    fn a_time_beyond_the_horizon_is_rung_at_the_horizon() {
        let (wheel, member) = (Wheel::new(), member());
        wheel.turn(past(&wheel, 7));
        wheel.schedule(&member, past(&wheel, 3 * SLOTS));
        wheel.turn(past(&wheel, 7 + SLOTS - 2));
        assert!(!member.is_unheard());
        wheel.turn(past(&wheel, 7 + SLOTS - 1));
        assert!(member.is_unheard());
    }

    #[test]
    fn a_time_in_the_past_is_rung_at_the_next_tick() {
        let (wheel, member) = (Wheel::new(), member());
        wheel.turn(past(&wheel, 7));
        wheel.schedule(&member, wheel.start);
        assert!(!member.is_unheard());
        wheel.turn(past(&wheel, 8));
        assert!(member.is_unheard());
    }

    proptest! {
        /// For all times of members and turns: a member is rung once its time has passed by a tick, and before its
        /// time only at the horizon.
        #[test]
        fn a_member_is_rung_within_a_tick_of_its_time(
            steps in vec((prop::option::of(0_u64..400_000), 0_u64..60_000), 1..60),
        ) {
            let wheel = Wheel::new();
            let (mut now, mut waiting) = (wheel.start, Vec::new());
            let horizon = TICK * (SLOTS as u32 - 2);
            for (ahead, pause) in steps {
                if let Some(ahead) = ahead {
                    let (member, at) = (member(), now + Duration::from_millis(ahead));
                    wheel.schedule(&member, at);
                    waiting.push((member, at, now + horizon));
                    wheel.check();
                }
                now += Duration::from_millis(pause);
                wheel.turn(now);
                wheel.check();
                waiting.retain(|(member, at, horizon)| {
                    let rung = member.listen(std::task::Waker::noop());
                    assert!(!rung || now >= (*at).min(*horizon), "too early");
                    assert!(rung || now <= *at + 2 * TICK, "too late");
                    !rung
                });
            }
        }
    }
}
