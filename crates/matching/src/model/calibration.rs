//! What the bits of a model turned out to be worth, where somebody labelled pairs.

use sameas_graph::probability_of;
use serde::{Deserialize, Serialize};

/// Bits beyond this are as sure as can be; none of them may bend the line.
const BITS_MAX: f64 = 30.0;
/// The line is found when no part of it moves by more.
const CONVERGED: f64 = 1e-9;
const ROUNDS_MAX: usize = 100;

/// A rising line from bits that the model gives to bits that labels bear out (Platt 2000).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What a bit of the model is worth, above 0.
    pub slope: f64,
    /// Bits that are added.
    pub offset: f64,
    /// Labelled pairs of one entity that it was found from.
    pub matches: u64,
    /// Labelled pairs of two entities that it was found from.
    pub others: u64,
}

impl Calibration {
    /// Returns the bits that labels bear out.
    pub fn of(&self, bits: f64) -> f64 {
        self.slope * bits + self.offset
    }

    /// Returns the bits of the model that come to these.
    pub fn before(&self, bits: f64) -> f64 {
        (bits - self.offset) / self.slope
    }

    /// Tells whether it keeps the order of weights.
    pub(crate) fn is_sound(&self) -> bool {
        self.slope > 0.0 && self.slope.is_finite() && self.offset.is_finite()
    }

    /// Finds the likeliest line through labelled pairs: bits, and whether they are of one entity.
    ///
    /// Targets stand off 0 and 1 as Platt has it, so that few pairs, or pairs without a mistake,
    /// promise no certainty. There is no line if more bits do not speak for one entity.
    pub fn fit(pairs: &[(f64, bool)]) -> Option<Self> {
        let matches = pairs.iter().filter(|(_, is_match)| *is_match).count() as f64;
        let others = pairs.len() as f64 - matches;
        let target = |is_match: bool| {
            if is_match {
                (matches + 1.0) / (matches + 2.0)
            } else {
                1.0 / (others + 2.0)
            }
        };
        let points: Vec<(f64, f64)> = pairs
            .iter()
            .map(|&(bits, is_match)| (bits.clamp(-BITS_MAX, BITS_MAX), target(is_match)))
            .collect();
        let loss = |slope: f64, offset: f64| -> f64 {
            let of = |&(bits, target): &(f64, f64)| {
                let z = (slope * bits + offset) * std::f64::consts::LN_2;
                // ln(1 + e^z) without overflow.
                z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
            };
            points.iter().map(of).sum()
        };
        let (mut slope, mut offset) = (1.0, 0.0);
        for _ in 0..ROUNDS_MAX {
            let (mut gradient, mut curve) = ([0.0; 2], [1e-9, 0.0, 1e-9]);
            for &(bits, target) in &points {
                let p = probability_of(slope * bits + offset);
                gradient[0] += (p - target) * bits;
                gradient[1] += p - target;
                let spread = p * (1.0 - p) * std::f64::consts::LN_2;
                curve[0] += spread * bits * bits;
                curve[1] += spread * bits;
                curve[2] += spread;
            }
            let determinant = curve[0] * curve[2] - curve[1] * curve[1];
            if determinant <= 0.0 {
                return None;
            }
            let step = [
                (curve[2] * gradient[0] - curve[1] * gradient[1]) / determinant,
                (curve[0] * gradient[1] - curve[1] * gradient[0]) / determinant,
            ];
            // Newton's step, halved until it leads downhill.
            let now = loss(slope, offset);
            let mut part = 1.0;
            while part > 1e-6 && loss(slope - part * step[0], offset - part * step[1]) > now {
                part /= 2.0;
            }
            slope -= part * step[0];
            offset -= part * step[1];
            if (part * step[0]).abs().max((part * step[1]).abs()) < CONVERGED {
                break;
            }
        }
        let line = Self {
            slope,
            offset,
            matches: matches as u64,
            others: others as u64,
        };
        (matches > 0.0 && others > 0.0 && line.is_sound()).then_some(line)
    }
}

/// Returns how far probabilities lie from what labels say (Brier 1950), from 0 to 1: of pairs with
/// their bits, and whether they are of one entity.
pub fn squared_error(pairs: &[(f64, bool)], line: Option<&Calibration>) -> f64 {
    let off = |&(bits, is_match): &(f64, bool)| {
        let worth = line.map_or(bits, |line| line.of(bits));
        (probability_of(worth) - f64::from(u8::from(is_match))).powi(2)
    };
    pairs.iter().map(off).sum::<f64>() / (pairs.len() as f64).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs drawn so that bits x are worth `slope * x + offset`.
    fn drawn(slope: f64, offset: f64) -> Vec<(f64, bool)> {
        let mut state = 7_u64;
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let pair = |_| {
            let bits = 30.0 * draw() - 15.0;
            (
                bits,
                draw() < 1.0 / (1.0 + (-(slope * bits + offset)).exp2()),
            )
        };
        (0..20_000).map(pair).collect()
    }

    #[test]
    fn the_line_that_made_the_labels_is_found_again() {
        for (slope, offset) in [(1.0, 0.0), (0.5, -2.0), (0.7, 1.5)] {
            let found = Calibration::fit(&drawn(slope, offset)).expect("a line");
            assert!((found.slope - slope).abs() < 0.05, "{slope}: {found:?}");
            assert!((found.offset - offset).abs() < 0.15, "{offset}: {found:?}");
            let there = found.before(found.of(3.5));
            assert!((there - 3.5).abs() < 1e-9, "{there}");
        }
    }

    /// No other line on a grid fits better.
    #[test]
    fn the_line_is_the_likeliest() {
        let pairs = drawn(0.6, -1.0);
        let cost = |slope: f64, offset: f64| -> f64 {
            let of = |&(bits, is_match): &(f64, bool)| {
                let p = 1.0 / (1.0 + (-(slope * bits + offset)).exp2());
                -(if is_match { p } else { 1.0 - p }).ln()
            };
            pairs.iter().map(of).sum()
        };
        let found = Calibration::fit(&pairs).expect("a line");
        let least = cost(found.slope, found.offset);
        for step in 0..400 {
            let (slope, offset) = (0.1 * f64::from(step % 20), f64::from(step / 20) * 0.3 - 3.0);
            // Targets stand off 0 and 1, which costs next to nothing here.
            assert!(least <= cost(slope, offset) + 1.0, "{slope} {offset}");
        }
    }

    #[test]
    fn labels_without_mistakes_promise_no_certainty() {
        let sure = |n: i32| (0..n).map(move |i| (f64::from(i - n / 2) + 0.5, i >= n / 2));
        let found = Calibration::fit(&sure(20).collect::<Vec<_>>()).expect("a line");
        assert!(found.of(10.0) < 12.0, "{found:?}");
    }

    #[test]
    fn weights_that_speak_the_wrong_way_round_give_no_line() {
        let wrong: Vec<_> = drawn(1.0, 0.0).into_iter().map(|(b, m)| (-b, m)).collect();
        assert_eq!(Calibration::fit(&wrong), None);
        assert_eq!(Calibration::fit(&[]), None);
        assert_eq!(Calibration::fit(&[(3.0, true), (5.0, true)]), None);
    }
}
