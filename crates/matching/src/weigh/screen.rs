//! Refuses candidate pairs eight at a time: one record of a block beside eight that stand before it.
//!
//! Cost: a few instructions a slot, rule and comparison for eight pairs, no jump that a pair
//! decides, no memory but the panel's.
#![expect(
    unsafe_code,
    reason = "instructions that not every processor has are unsafe to call; this file says why ours may be"
)]

use sameas_graph::LevelPattern;

use super::Weigher;
use super::candidates::{Most, Reach};
use crate::blocking::{Block, Blocking};
use crate::lanes::{BYTES, Bytes, Floats, LANES, Lanes};
use crate::prepared::Exclusive;
use crate::rows::Panel;
use crate::sieve::Sides;
use crate::similarity::Vectors;

/// Questions are answered in as many times sixteen bytes.
const ANSWERS: usize = 4;

/// The most questions that are asked of a pair.
const QUESTIONS_MAX: usize = ANSWERS * BYTES;

const COMPARISONS_MAX: usize = LevelPattern::COMPARISON_COUNT_MAX;

/// What is asked of the pairs of one rule's blocks.
#[derive(Debug)]
pub(super) struct Screen<'w> {
    weigher: &'w Weigher<'w>,
    blocking: &'w Blocking<'w>,
    own: Own,
    /// What pairs agree in that an earlier rule surely makes.
    earlier: Conjunctions,
    /// What those agree in of which only their keys tell that.
    perhaps_earlier: Conjunctions,
    /// What rules ask beside the first values of comparisons.
    questions: Vec<Question>,
    /// How many times sixteen answers there are.
    answers: usize,
    /// The prior and what comparisons weigh whose values are missing, in bits.
    base: f64,
    machine: Vectors,
}

/// What a comparison adds to [`Screen::base`] at most, in bits.
#[derive(Clone, Copy, Debug, Default)]
struct Added {
    equal: f32,
    unequal: f32,
}

/// What is asked of two rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// Whether both have the same number in a slot.
    Slot(usize),
    /// Whether their sets, at a place among the hints, have a bit in common.
    Set(usize),
}

/// What is asked of the pairs of the rule whose blocks they are.
#[derive(Debug)]
struct Own {
    /// What all of them agree in.
    made: Conjunctions,
    /// What those agree in that have all keys in common, where nodes have several.
    shares_all_keys: Conjunctions,
    /// Whether all pairs that agree share the key of the block, unless it was refined.
    decides: bool,
}

/// Some conjunctions of questions.
///
/// Sixteen are answered at once: what eight pairs say to the first question of each is picked from
/// all answers, then what they say to the second, and so on.
#[derive(Debug, Default)]
struct Conjunctions {
    /// Whether one of them asks nothing.
    is_always_so: bool,
    /// How many questions each has, some of them twice.
    len: usize,
    /// For sixteen conjunctions after the other, for each of their questions: where, in each
    /// sixteen answers, it stands.
    places: Vec<[[u8; BYTES]; ANSWERS]>,
}

impl Conjunctions {
    fn new(conjunctions: &[Vec<u8>]) -> Self {
        let len = conjunctions.iter().map(Vec::len).max().unwrap_or(0);
        let mut places = Vec::new();
        for sixteen in conjunctions.chunks(BYTES) {
            for turn in 0..len {
                let mut of_turn = [[Bytes::NOWHERE; BYTES]; ANSWERS];
                for (number, questions) in sixteen.iter().enumerate() {
                    if let Some(question) = questions.get(turn).or(questions.first()) {
                        let (table, place) = (question / BYTES as u8, question % BYTES as u8);
                        of_turn[table as usize][number] = place;
                    }
                }
                places.push(of_turn);
            }
        }
        Self {
            is_always_so: conjunctions.iter().any(Vec::is_empty),
            len,
            places,
        }
    }

    /// Tells which of eight pairs say yes to all questions of any of them.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn any(&self, yes: &[[u8; BYTES]; ANSWERS], answers: usize) -> u8 {
        if self.is_always_so {
            return u8::MAX;
        }
        if self.places.is_empty() {
            return 0;
        }
        let mut any = Bytes::of(&[0; BYTES]);
        for sixteen in self.places.chunks_exact(self.len) {
            let mut all = Bytes::of(&[u8::MAX; BYTES]);
            for places in sixteen {
                let mut picked = Bytes::of(&[0; BYTES]);
                for (yes, places) in yes.iter().zip(places).take(answers) {
                    picked = picked.or(Bytes::of(yes).picked(Bytes::of(places)));
                }
                all = all.and(picked);
            }
            any = any.or(all);
        }
        any.any()
    }
}

/// What eight pairs say to each question: a bit a pair.
#[derive(Debug)]
struct Agreed {
    /// Comparisons' own questions are the first.
    yes: [[u8; BYTES]; ANSWERS],
    /// Where the values of a comparison are present and unequal.
    unequal: [u8; COMPARISONS_MAX],
}

impl Agreed {
    #[inline]
    fn answer(&mut self, question: usize) -> &mut u8 {
        &mut self.yes[question / BYTES % ANSWERS][question % BYTES]
    }

    /// Returns which pairs have equal values of a comparison.
    #[inline]
    fn equal(&self, comparison: usize) -> u8 {
        self.yes[comparison / BYTES % ANSWERS][comparison % BYTES]
    }
}

impl<'w> Screen<'w> {
    /// Returns what is asked of a rule's pairs; none where the processor cannot, or of more slots
    /// than are compared.
    pub(super) fn new(
        weigher: &'w Weigher<'_>,
        blocking: &'w Blocking<'_>,
        rule: usize,
    ) -> Option<Self> {
        let machine = Vectors::at_hand()?;
        let own = 0..weigher.tables.len();
        let mut questions: Vec<Question> = own.clone().map(Question::Slot).collect();
        let mut numbers = |slots: &[usize], sets: &[usize]| {
            let slots = slots.iter().map(|&slot| Question::Slot(slot));
            let asked = slots.chain(sets.iter().map(|&at| Question::Set(at)));
            let numbers = asked.map(|question| {
                let known = questions.iter().position(|known| *known == question);
                known.unwrap_or_else(|| {
                    questions.push(question);
                    questions.len() - 1
                }) as u8
            });
            numbers.collect::<Vec<u8>>()
        };
        let (mut sure, mut unsure) = (Vec::new(), Vec::new());
        for rule in (0..rule).map(|rule| blocking.footprint(rule)) {
            let asked = numbers(rule.slots, rule.sets);
            if rule.decides && rule.is_always_made {
                sure.push(asked);
                continue;
            }
            if let Some(wholes) = rule.wholes.filter(|_| rule.is_always_made) {
                sure.push([&asked[..], &numbers(wholes, &[])].concat());
            }
            unsure.push(asked);
        }
        let rule = blocking.footprint(rule);
        let made = numbers(rule.slots, rule.sets);
        let wholes = rule.wholes.filter(|_| rule.is_always_made);
        let all_keys = wholes.map(|wholes| [&made[..], &numbers(wholes, &[])].concat());
        if questions.len() > QUESTIONS_MAX {
            return None;
        }
        let answers = questions.len().div_ceil(BYTES);
        questions.drain(own);
        let missing = weigher.tables.iter().map(|table| table.most[0]);
        Some(Self {
            weigher,
            blocking,
            own: Own {
                made: Conjunctions::new(&[made]),
                shares_all_keys: Conjunctions::new(all_keys.as_slice()),
                decides: rule.decides,
            },
            earlier: Conjunctions::new(&sure),
            perhaps_earlier: Conjunctions::new(&unsure),
            questions,
            answers,
            base: weigher.prior + missing.sum::<f64>(),
            machine,
        })
    }

    /// Looks at the pairs of one record of a block with each of those before it: returns how many
    /// of them belong to the block, and hands on where those stand that may reach the review
    /// threshold.
    ///
    /// `owns` is asked of the pairs of which agreement does not tell whether they belong to the
    /// block.
    pub(super) fn sift(
        &self,
        (panel, block): (&Panel, &Block<'_>),
        one: usize,
        owns: impl FnMut(usize) -> bool,
        keep: impl FnMut(usize, Reach),
    ) -> u64 {
        // SAFETY: the processor has the features, of which `machine` is the proof.
        unsafe { self.sift_by_eight(self.machine, (panel, block), one, owns, keep) }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn sift_by_eight(
        &self,
        _: Vectors,
        (panel, block): (&Panel, &Block<'_>),
        one: usize,
        mut owns: impl FnMut(usize) -> bool,
        mut keep: impl FnMut(usize, Reach),
    ) -> u64 {
        let weigher = self.weigher;
        let rows = block.all_rows();
        let words = rows.words(block.nodes[one]);
        let group = weigher.exclusive.group(block.nodes[one]);
        let added = self.added(words);
        let asks_keys = !self.own.shares_all_keys.places.is_empty();
        let is_first = asks_keys && self.blocking.is_first_of(block, block.nodes[one]);
        let least = Floats::all((weigher.least - weigher.rounding) as f32);
        let mut agreed = Agreed {
            yes: [[0; BYTES]; ANSWERS],
            unequal: [0; COMPARISONS_MAX],
        };
        let mut most = [Floats::all(0.0); COMPARISONS_MAX];
        let mut pairs = 0;
        for number in 0..one.div_ceil(LANES) {
            let others = number * LANES;
            let sides = Sides {
                one: words,
                others: panel.eight(number),
                hints: rows.first_hint(),
            };
            let mut bits = self.agree(sides, &added, (&mut agreed, &mut most));
            let may_pair = may_pair(sides, group) & first_bits(one - others);
            let (owned, unsure) = self.owned(block, is_first, &agreed);
            let (mut owned, mut unsure) = (may_pair & owned, may_pair & unsure);
            while unsure != 0 {
                let place = unsure.trailing_zeros();
                owned |= u8::from(owns(others + place as usize)) << place;
                unsure &= unsure - 1;
            }
            pairs += u64::from(owned.count_ones());
            let mut left = owned & bits.is_at_least(least).bits();
            for (index, sieve) in &weigher.sieves {
                if left == 0 {
                    break;
                }
                let equal = if sieve.sifts_equal() {
                    agreed.equal(*index)
                } else {
                    0
                };
                if (agreed.unequal[*index] | equal) & left == 0 {
                    continue;
                }
                let asked = asked_of(sides, *index, sieve.sifts_equal());
                let asked = asked.and(Lanes::of_bits(left));
                let missing = Floats::all(weigher.tables[*index].most[0] as f32);
                let others = bits.minus(most[*index]);
                let sieved = sieve.most_of(sides, asked, least.minus(others).plus(missing));
                most[*index] = most[*index].replaced_where(asked, sieved.minus(missing));
                bits = others.plus(most[*index]);
                left &= bits.is_at_least(least).bits();
            }
            if left != 0 {
                self.hand_on(left, (bits, &most), |place, reach| {
                    keep(others + place, reach);
                });
            }
        }
        pairs
    }

    /// Returns what each comparison of a record adds.
    fn added(&self, words: &[u32]) -> [Added; COMPARISONS_MAX] {
        let mut added = [Added::default(); COMPARISONS_MAX];
        for (index, (added, table)) in added.iter_mut().zip(&self.weigher.tables).enumerate() {
            let id = words[index];
            if id != 0 {
                *added = Added {
                    equal: (table.most(id, id) - table.most[0]) as f32,
                    unequal: (table.most[1] - table.most[0]) as f32,
                };
            }
        }
        added
    }

    /// Finds in what eight pairs agree and what comparisons add, and returns the most they weigh.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn agree(
        &self,
        sides: Sides<'_>,
        added: &[Added; COMPARISONS_MAX],
        (agreed, most): (&mut Agreed, &mut [Floats; COMPARISONS_MAX]),
    ) -> Floats {
        let mut bits = Floats::all(self.base as f32);
        for index in 0..self.weigher.tables.len() {
            let id = sides.word(index);
            if id == 0 {
                // As it was for the eight before, and at first.
                continue;
            }
            let ids = Lanes::of(sides.words(index));
            let equal = ids.equals(Lanes::all(id));
            let unequal = Lanes::ones().without(equal.or(ids.is_zero()));
            let unequal_bits = Floats::all(added[index].unequal).only_where(unequal);
            let of_index = unequal_bits.replaced_where(equal, Floats::all(added[index].equal));
            bits = bits.plus(of_index);
            most[index] = of_index;
            *agreed.answer(index) = equal.bits();
            agreed.unequal[index] = unequal.bits();
        }
        for (number, question) in (self.weigher.tables.len()..).zip(&self.questions) {
            *agreed.answer(number) = match *question {
                Question::Slot(slot) => {
                    let id = Lanes::all(sides.word(slot));
                    let ids = Lanes::of(sides.words(slot));
                    ids.equals(id).without(id.is_zero()).bits()
                }
                Question::Set(at) => sides.shares(at).bits(),
            };
        }
        bits
    }

    /// Tells which pairs belong to the block, and of which agreement does not tell it; `is_first`
    /// says whether the block is the first of the rule's in which the one is.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn owned(&self, block: &Block<'_>, is_first: bool, agreed: &Agreed) -> (u8, u8) {
        let says = |to: &Conjunctions| to.any(&agreed.yes, self.answers);
        let made = says(&self.own.made) & !says(&self.earlier);
        let perhaps_earlier = says(&self.perhaps_earlier);
        if block.is_refined {
            return (0, made);
        }
        let (own, unsure) = if self.own.decides {
            (made, 0)
        } else {
            let all_keys = says(&self.own.shares_all_keys);
            (if is_first { made & all_keys } else { 0 }, made & !all_keys)
        };
        (own & !perhaps_earlier, unsure | own & perhaps_earlier)
    }

    /// Hands on the pairs that are left.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn hand_on(
        &self,
        mut left: u8,
        (bits, most): (Floats, &[Floats; COMPARISONS_MAX]),
        mut keep: impl FnMut(usize, Reach),
    ) {
        let tables = &self.weigher.tables;
        let bits = bits.to_array();
        let added = most.map(|most| most.to_array());
        while left != 0 {
            let place = left.trailing_zeros() as usize;
            let mut most: Most = [0.0; _];
            for (index, (most, table)) in most.iter_mut().zip(tables).enumerate() {
                *most = table.most[0] as f32 + added[index][place];
            }
            let bits = f64::from(bits[place]) + self.weigher.rounding;
            keep(
                place,
                Reach {
                    bits,
                    most: Some(most),
                },
            );
            left &= left - 1;
        }
    }
}

/// Tells which of the eight may be one entity with the one.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn may_pair(sides: Sides<'_>, group: u32) -> u8 {
    if group == Exclusive::ANY {
        return u8::MAX;
    }
    let groups = Lanes::of(sides.words(sides.others.len() - 1));
    !groups.equals(Lanes::all(group)).bits()
}

/// Returns the first so many bits, or all eight.
#[inline]
fn first_bits(count: usize) -> u8 {
    u8::MAX >> LANES.saturating_sub(count)
}

/// Tells for which of the eight a comparison's sieve is asked; the one's value is present.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn asked_of(sides: Sides<'_>, index: usize, sifts_equal: bool) -> Lanes {
    let ids = Lanes::of(sides.words(index));
    if sifts_equal {
        return Lanes::ones().without(ids.is_zero());
    }
    let id = Lanes::all(sides.word(index));
    Lanes::ones().without(ids.equals(id).or(ids.is_zero()))
}
