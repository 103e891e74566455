//! How streams spread over instances.

/// An instance tolerates a tenth more streams than its share, and at least ten: chance alone spreads them unevenly.
const TOLERATED: usize = 10;
const LEAST: usize = 10;
/// Each step ends so small a part of the surplus.
const PART: usize = 30;
/// Most streams that a step ends: a tenth of the pace of a drain.
const MOST: usize = 100;

/// The open streams of all instances that take new ones.
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
    pub fn early_ends(self, own: usize) -> usize {
        let fair = self.streams.div_ceil(self.instances.max(1));
        if own <= fair + (fair / TOLERATED).max(LEAST) {
            return 0;
        }
        (own - fair).div_ceil(PART).min(MOST)
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
