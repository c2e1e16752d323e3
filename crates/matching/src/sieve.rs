//! The best level that two values can still have, from the rows at hand.
//!
//! Cost: a few words of two rows a level, no other memory. The sieve lets through what it cannot
//! tell and never refuses a level that the pair has.

#[cfg(target_arch = "x86_64")]
mod lanes;

use sameas_record::Form;

#[cfg(target_arch = "x86_64")]
pub(crate) use self::lanes::Sides;
use crate::language::Test;
use crate::plan::{Comparison, FieldTest};
use crate::prepared::{NOT_A_DAY, Prepared};
use crate::rows::{Hint, NodeRow};
use crate::similarity::{Reach, may_be_initial, may_be_within};

/// What must hold for one clause of a level to hold, as rows show it.
#[derive(Debug)]
pub(crate) enum Mesh {
    /// Nothing that rows show.
    Any,
    /// The numbers in a slot are equal, and there are any.
    Equal(usize),
    /// Each side's number of the other field is the other side's value in that slot.
    Crossed(usize, usize),
    /// The sets of derived values have a bit in common.
    Shares(usize),
    /// Equal in the slot, or alike enough by sketch.
    Reaches(usize, usize, Reach),
    /// Equal in the slot, or few enough edits apart by sketch.
    Within(usize, usize, u32),
    /// One is the initial of the other by sketch.
    Initial(usize),
    /// The days of one are the exchanged days of the other.
    Transposed(usize),
    /// At most so many days apart.
    Days(usize, f64),
}

impl Mesh {
    /// Puts at hand what rows say about a clause.
    pub(crate) fn of(prepared: &Prepared<'_>, test: &FieldTest) -> Self {
        let column = prepared.field(test.field).column;
        let rows = prepared.rows();
        let form = |form| rows.hint(Hint::Set(test.field, form)).map(Self::Shares);
        let days = |most| {
            rows.hint(Hint::Days(test.field))
                .map(|at| Self::Days(at, most))
        };
        let sketch = |mesh: &dyn Fn(usize, usize) -> Self| {
            let slot = rows.slot(test.field, Form::Whole)?;
            Some(mesh(slot, rows.hint(Hint::Sketch(test.field))?))
        };
        if column.is_multi_valued() {
            return Self::Any;
        }
        let mesh = match test.test {
            Test::Exact => rows.slot(test.field, Form::Whole).map(Self::Equal),
            Test::Same(of) => match rows.slot(test.field, of).filter(|_| of != Form::Whole) {
                Some(slot) => Some(Self::Equal(slot)),
                None => form(of),
            },
            Test::Jaccard(least) | Test::Overlap(least) if least > 0.0 => form(Form::Tokens),
            Test::JaroWinkler(least) => {
                sketch(&|slot, at| Self::Reaches(slot, at, Reach::of(least)))
            }
            Test::Levenshtein(most) | Test::Damerau(most) => {
                sketch(&|slot, at| Self::Within(slot, at, most))
            }
            Test::Initial => sketch(&|_, at| Self::Initial(at)),
            Test::TfIdf(least) if least > 0.0 => {
                rows.hint(Hint::Words(test.field)).map(Self::Shares)
            }
            Test::Transposed => rows.hint(Hint::Days(test.field)).map(Self::Transposed),
            Test::Days(most) => days(f64::from(most)),
            Test::Months(most) => days(f64::from(most) * 30.44),
            Test::Years(most) => days(f64::from(most) * 365.25),
            Test::Swapped if !prepared.field(test.other).column.is_multi_valued() => rows
                .hint(Hint::Crossed(test.field, test.other))
                .and_then(|at| Some(Self::Crossed(at, rows.slot(test.other, Form::Whole)?))),
            _ => None,
        };
        mesh.unwrap_or(Self::Any)
    }

    /// Tells whether the clause may hold for two nodes.
    #[inline]
    pub(crate) fn lets_through(&self, a: NodeRow<'_>, b: NodeRow<'_>) -> bool {
        // Equal values are as alike as can be; a missing one is like no other.
        let decided = |slot: usize| {
            let (x, y) = (a.id(slot), b.id(slot));
            (x == y || x == 0 || y == 0).then_some(x == y && x != 0)
        };
        match self {
            Self::Any => true,
            Self::Equal(slot) => decided(*slot) == Some(true),
            Self::Crossed(at, other) => {
                let (of_a, of_b) = (a.hints(*at)[0], b.hints(*at)[0]);
                of_a != 0 && of_a == b.id(*other) && of_b != 0 && of_b == a.id(*other)
            }
            Self::Shares(at) => a.hints(*at)[0] & b.hints(*at)[0] != 0,
            Self::Reaches(slot, at, reach) => {
                decided(*slot).unwrap_or_else(|| reach.may_reach(a.hints(*at), b.hints(*at)))
            }
            Self::Within(slot, at, most) => {
                decided(*slot).unwrap_or_else(|| may_be_within(a.hints(*at), b.hints(*at), *most))
            }
            Self::Initial(at) => may_be_initial(a.hints(*at), b.hints(*at)),
            Self::Transposed(at) => {
                let exchanged = a.hints(*at)[1];
                exchanged == b.hints(*at)[0] && exchanged as i32 != NOT_A_DAY
            }
            Self::Days(at, most) => {
                let (x, y) = (a.hints(*at)[0] as i32, b.hints(*at)[0] as i32);
                x != NOT_A_DAY && y != NOT_A_DAY && f64::from(x.abs_diff(y)) <= *most
            }
        }
    }
}

/// The levels of one comparison that are not told by the equality of its values, heaviest first.
#[derive(Debug)]
pub(crate) struct Sieve {
    levels: Vec<(f64, Vec<Mesh>)>,
    else_bits: f64,
    sifts_equal: bool,
}

impl Sieve {
    /// Puts at hand what rows say about the levels of a comparison; `bits` are the most that its
    /// levels weigh, the missing level first and "else" last.
    ///
    /// None if rows say nothing: of several values they hold the first alone, and without hints
    /// little but what the levels themselves ask first. Where equal values are of the first level
    /// they need no sieve.
    pub(crate) fn of(
        prepared: &Prepared<'_>,
        comparison: &Comparison,
        bits: &[f64],
    ) -> Option<Self> {
        let is_multi = prepared.field(comparison.field).column.is_multi_valued();
        let sifts_equal = !comparison.levels[0].exact;
        // Words of equal values are alike even if there are none, which their sets do not show.
        let mut tests = comparison.levels.iter().flat_map(|level| &level.clauses);
        let measures_words = tests.any(|test| test.test.measures_words());
        if is_multi || !prepared.rows().has_hints() || sifts_equal && measures_words {
            return None;
        }
        let else_bits = bits.last().copied()?;
        let levels = comparison.levels.iter().zip(&bits[1..]);
        // What weighs less than "else" no bound needs to know.
        let levels = levels.filter(|(level, bits)| {
            **bits > else_bits && (sifts_equal || !level.asks_equality_of(comparison.field))
        });
        let mut levels: Vec<(f64, Vec<Mesh>)> = levels
            .map(|(level, &bits)| {
                let clauses = level.clauses.iter();
                let meshes = clauses.map(|test| Mesh::of(prepared, test));
                (bits, meshes.collect())
            })
            .collect();
        levels.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        Some(Self {
            levels,
            else_bits,
            sifts_equal,
        })
    }

    /// Tells whether it is asked of equal values, too: of what they weigh, other fields decide.
    #[inline]
    pub(crate) fn sifts_equal(&self) -> bool {
        self.sifts_equal
    }

    /// Returns the most bits that two present values can weigh, or less if that is not what is needed.
    #[inline]
    pub(crate) fn most(&self, a: NodeRow<'_>, b: NodeRow<'_>, needed: f64) -> f64 {
        let passes = |meshes: &[Mesh]| meshes.iter().all(|mesh| mesh.lets_through(a, b));
        // Later levels weigh less.
        let mut levels = self.levels.iter().take_while(|(bits, _)| *bits >= needed);
        let level = levels.find(|(_, meshes)| passes(meshes));
        level.map_or(self.else_bits, |(bits, _)| *bits)
    }

    /// Returns how many bits the sieve can take off, for each level that is asked.
    pub(crate) fn gain(&self) -> f64 {
        let best = self
            .levels
            .first()
            .map_or(self.else_bits, |(bits, _)| *bits);
        (best - self.else_bits) / self.levels.len().max(1) as f64
    }
}
