//! One sketch beside eight.

use super::{BOUNDED_LEN_MAX, LEN_UNKNOWN, SKETCH_LEN};
use crate::lanes::{Floats, LANES, Lanes};
use crate::similarity::jaro::{BOOST_THRESHOLD, PREFIX_SCALE};

/// Covers what a bound in numbers of 24 bits rounds away.
const ROUNDING: f32 = 1e-5;

/// What one sketch and eight others have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SketchLanes {
    len: Lanes,
    lens: Lanes,
    /// First characters that differ, eight bits each; and ends, sixteen each.
    heads: Lanes,
    ends: Lanes,
    /// The characters that one side alone has.
    alone: (Lanes, Lanes),
}

impl SketchLanes {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn new(one: [u32; SKETCH_LEN], others: [&[u32; LANES]; SKETCH_LEN]) -> Self {
        let [mask, head, ends] = one.map(|word| Lanes::all(word));
        let [masks, heads, other_ends] = others.map(|words| Lanes::of(words));
        let len_bits = Lanes::all(LEN_UNKNOWN);
        Self {
            len: head.and(len_bits),
            lens: heads.and(len_bits),
            heads: head.xor(heads).shifted_right::<8>(),
            ends: ends.xor(other_ends),
            alone: (mask.without(masks), masks.without(mask)),
        }
    }

    /// Tells whether values may be so few edits apart, exchanges of neighbours included.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn may_be_within(&self, limit: u32) -> Lanes {
        let longer = self.len.greater(self.lens);
        let is_unknown = longer.equals(Lanes::all(LEN_UNKNOWN));
        let mut may_be = Lanes::ones();
        if limit <= 1 {
            // One edit touches at most two neighbours, so it leaves one end alone.
            let same_lens = end_lens(self.len).equals(end_lens(self.lens));
            let same_start = self.ends.and(Lanes::all(0xffff)).is_zero();
            let same_end = self.ends.shifted_right::<16>().is_zero();
            may_be = may_be.without(same_lens.without(same_start.or(same_end)));
            if may_be.or(is_unknown).bits() == 0 {
                return is_unknown;
            }
        }
        let apart = longer.minus(self.len.smaller(self.lens));
        let surplus = self.alone.0.count_ones().greater(self.alone.1.count_ones());
        let few = apart.greater(surplus).is_at_most(Lanes::all(limit));
        may_be.and(few).or(is_unknown)
    }

    /// Returns what the Jaro-Winkler similarity of values is at most; 2 where no bound is known.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn most_alike(&self) -> Floats {
        let matched = self.len.minus(self.alone.0.count_ones());
        let matched = matched.smaller(self.lens.minus(self.alone.1.count_ones()));
        let matched = matched.as_floats();
        let one = Floats::all(1.0);
        let (len, lens) = (self.len.as_floats(), self.lens.as_floats());
        let shares = matched.times(len.plus(lens)).over(len.times(lens));
        let jaro = shares.plus(one).times(Floats::all(1.0 / 3.0));
        let jaro = jaro.plus(Floats::all(ROUNDING));
        // The fourth character is not in the sketch, so it counts as common if the others are.
        let starts = |bits: u32, more: f32| {
            let is_common = self.heads.and(Lanes::all(bits)).is_zero();
            Floats::all(more).only_where(is_common)
        };
        let prefix = starts(0xff, 1.0).plus(starts(0xffff, 1.0));
        let prefix = prefix.plus(starts(0xff_ffff, 2.0));
        let bonus = prefix
            .times(Floats::all(PREFIX_SCALE as f32))
            .times(one.minus(jaro));
        let has_bonus = jaro.is_over(Floats::all(BOOST_THRESHOLD as f32));
        let most = jaro.plus(bonus.only_where(has_bonus));
        let most = most.plus(Floats::all(ROUNDING));
        let is_none = Lanes::ones().without(matched.is_over(Floats::all(0.0)));
        let most = most.replaced_where(is_none, Floats::all(ROUNDING));
        let bounded = self.len.greater(self.lens);
        let bounded = bounded.is_at_most(Lanes::all(BOUNDED_LEN_MAX as u32));
        Floats::all(2.0).replaced_where(bounded, most)
    }

    /// Tells whether one value may be the initial of the other.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn may_be_initial(&self) -> Lanes {
        let one = Lanes::all(1);
        let is_initial = self.len.equals(one).or(self.lens.equals(one));
        is_initial.and(self.heads.and(Lanes::all(0xff)).is_zero())
    }
}

/// Numbers the lengths that an end can have.
#[inline]
#[target_feature(enable = "avx2")]
fn end_lens(lens: Lanes) -> Lanes {
    let is_short = lens.is_at_most(Lanes::all(4));
    let is_middling = lens.is_at_most(Lanes::all(8));
    is_short.plus(is_middling)
}

/// Returns what one sketch and eight others say: within one and two edits, an initial, alike.
#[cfg(test)]
#[target_feature(enable = "avx2")]
pub(in crate::similarity) fn answers(
    _: crate::similarity::Vectors,
    one: [u32; SKETCH_LEN],
    others: [[u32; SKETCH_LEN]; LANES],
    threshold: f32,
) -> [u8; 4] {
    let words: [[u32; LANES]; SKETCH_LEN] =
        std::array::from_fn(|word| others.map(|sketch| sketch[word]));
    let sketches = SketchLanes::new(one, words.each_ref());
    [
        sketches.may_be_within(1).bits(),
        sketches.may_be_within(2).bits(),
        sketches.may_be_initial().bits(),
        sketches
            .most_alike()
            .is_at_least(Floats::all(threshold))
            .bits(),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::similarity::sketch::{Alphabet, Reach, may_be_initial, may_be_within};
    use crate::similarity::vectors::Vectors;

    fn sketch(value: &str) -> [u32; SKETCH_LEN] {
        crate::similarity::sketch(value, Alphabet::Letters)
    }

    const VALUE: &str = "[a-cA-Céö中 ]{1,12}|[a-e]{1,40}|[ab]{250,260}";

    proptest! {
        #[test]
        fn eight_sketches_say_what_each_says(
            one in VALUE,
            others in vec(VALUE, LANES),
            threshold in 0.0..1.0_f64,
        ) {
            let others: [String; LANES] = others.try_into().expect("there are eight");
            let Some(vectors) = Vectors::at_hand() else {
                return Ok(());
            };
            let sketches = others.each_ref().map(|other| sketch(other));
            let [one_edit, two_edits, initial, reached] =
                vectors.answers_of_sketches(sketch(&one), sketches, threshold as f32);
            for (lane, other) in others.iter().enumerate() {
                let says = |bits: u8| bits >> lane & 1 == 1;
                let (a, b) = (sketch(&one), sketch(other));
                prop_assert_eq!(says(one_edit), may_be_within(&a, &b, 1), "{}", other);
                prop_assert_eq!(says(two_edits), may_be_within(&a, &b, 2), "{}", other);
                prop_assert_eq!(says(initial), may_be_initial(&a, &b), "{}", other);
                // Numbers of 24 bits may let a little more through, and nothing less.
                let reaches = |threshold| Reach::of(threshold).may_reach(&a, &b);
                prop_assert!(says(reached) || !reaches(threshold), "{}", other);
                prop_assert!(!says(reached) || reaches(threshold - 1e-4), "{}", other);
            }
        }
    }
}
