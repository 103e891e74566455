//! How streams spread over instances, and when an instance with too many ends some early.

/// An instance tolerates a tenth more streams than its share, and at least ten: chance alone spreads them unevenly.
const TOLERATED: usize = 10;
const LEAST: usize = 10;
/// Each step ends so small a part of the surplus.
const PART: usize = 30;
/// Most streams that a step ends: a tenth of the pace of a drain.
const MOST: usize = 100;

/// Steps that end streams without the others getting any, before an instance stops, beside the time in which a client comes back.
const VAIN: usize = 5;

/// The open streams of the instances that take new ones and have had one. An instance that gets no streams has no share: clients that
/// reconnect would not reach it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// How many instances there are.
    pub instances: usize,
    /// How many streams they have.
    pub streams: usize,
}

impl Share {
    /// How many streams an instance with `own` ends early in a step, so that their clients spread again. A balancer sends some of them to
    /// other instances, so the surplus falls at each step and nothing is ended once it is tolerable.
    fn early_ends(self, own: usize) -> usize {
        let fair = self.streams.div_ceil(self.instances.max(1));
        if own <= fair + (fair / TOLERATED).max(LEAST) {
            return 0;
        }
        (own - fair).div_ceil(PART).min(MOST)
    }
}

/// The effect of one instance's steps so far.
#[derive(Debug, Default)]
pub struct Evening {
    /// How many instances there were at the last step.
    instances: usize,
    /// The streams of the others when the steps in vain began.
    others: usize,
    /// Steps that have ended streams since.
    steps: usize,
    in_vain: bool,
}

impl Evening {
    /// How many streams an instance with `own` ends early in this step: none once it was in vain, until there are more instances or fewer.
    pub fn early_ends(&mut self, share: Share, own: usize) -> usize {
        let others = share.streams.saturating_sub(own);
        if share.instances != self.instances {
            *self = Self { instances: share.instances, others, ..Self::default() };
        }
        let ends = share.early_ends(own);
        if ends == 0 || others > self.others {
            (self.others, self.steps) = (others, 0);
        }
        if self.in_vain { 0 } else { ends }
    }

    /// Notes how many streams a step has really ended. True once it was in vain: a balancer sends each client always to the same instance,
    /// or sends none to the others. A client comes back within `returns` steps.
    pub fn is_in_vain(&mut self, ended: usize, returns: usize) -> bool {
        self.steps += usize::from(ended > 0);
        self.in_vain = self.steps >= VAIN + returns;
        self.in_vain && ended > 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn share(counts: &[usize]) -> Share {
        Share { instances: counts.len(), streams: counts.iter().sum() }
    }

    #[test]
    fn a_surplus_within_the_tolerance_is_left_alone() {
        assert_eq!(share(&[110, 90]).early_ends(110), 0);
        assert_eq!(share(&[111, 89]).early_ends(111), 1);
        assert_eq!(share(&[10, 0]).early_ends(10), 0);
        assert_eq!(share(&[40, 0]).early_ends(40), 1);
        assert_eq!(share(&[20_000, 0]).early_ends(20_000), MOST);
        assert_eq!(share(&[20_000]).early_ends(20_000), 0);
        assert_eq!(Share::default().early_ends(5), 0);
    }

    /// Steps of an instance with 1,000 streams beside one whose streams are `others`, until it ends none.
    fn steps(evening: &mut Evening, instances: usize, others: impl Fn(usize) -> usize) -> usize {
        let mut steps = 0;
        loop {
            let share = Share { instances, streams: 1_000 + others(steps) };
            let ended = evening.early_ends(share, 1_000);
            if ended == 0 || steps == 1_000 {
                return steps;
            }
            steps += 1;
            let last = evening.is_in_vain(ended, 4);
            assert!(!last || evening.early_ends(share, 1_000) == 0);
        }
    }

    #[test]
    fn an_instance_stops_when_the_others_get_nothing_until_their_number_changes() {
        let mut evening = Evening::default();
        assert_eq!(steps(&mut evening, 2, |_| 7), VAIN + 4);
        assert_eq!(steps(&mut evening, 2, |_| 500), 0, "it stays so");
        assert_eq!(steps(&mut evening, 3, |_| 7), VAIN + 4);
        assert_eq!(steps(&mut Evening::default(), 2, |step| step / 8), 1_000, "each stream that moves is a success");
        assert_eq!(
            steps(&mut Evening::default(), 2, |step| 100 - step.min(20)),
            VAIN + 4,
            "streams that leave are none"
        );
    }

    #[test]
    fn each_surplus_is_measured_from_its_own_beginning() {
        let mut evening = Evening::default();
        assert_eq!(evening.early_ends(share(&[1_000, 1_000]), 1_000), 0);
        assert_eq!(evening.early_ends(share(&[100, 100]), 100), 0, "most clients have left");
        let until_even = steps(&mut Evening::default(), 2, |step| 150 + step);
        assert!(until_even > VAIN + 4);
        assert_eq!(
            steps(&mut evening, 2, |step| 150 + step),
            until_even,
            "although the others have fewer than at first"
        );
    }

    #[test]
    fn a_step_that_finds_no_stream_old_enough_is_not_in_vain() {
        let (mut evening, share) = (Evening::default(), share(&[1_000, 0]));
        for _ in 0..100 {
            assert!(evening.early_ends(share, 1_000) > 0);
            assert!(!evening.is_in_vain(0, 4));
        }
    }

    proptest! {
        /// A balancer that knows nothing of the counts is enough: wherever the streams are at first, they even out, and then none is ended.
        #[test]
        fn streams_even_out_and_stay(mut counts in vec(0_usize..20_000, 1..8), mut chance in any::<u64>()) {
            let total: usize = counts.iter().sum();
            let mut steps = 0;
            loop {
                let share = share(&counts);
                let ends: Vec<_> = counts.iter().map(|own| share.early_ends(*own)).collect();
                if ends.iter().all(|ends| *ends == 0) {
                    break;
                }
                for (own, ends) in counts.iter_mut().zip(&ends) {
                    prop_assert!(*ends <= MOST && *ends <= *own);
                    *own -= ends;
                }
                for _ in 0..ends.iter().sum() {
                    chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let place = (chance >> 33) as usize % counts.len();
                    counts[place] += 1;
                }
                steps += 1;
                prop_assert!(steps < 2_000, "{counts:?}");
            }
            prop_assert_eq!(counts.iter().sum::<usize>(), total);
        }
    }
}
