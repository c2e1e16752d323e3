//! Precision and recall as the model itself expects them, where nobody knows the truth.
//!
//! All of it rests on the posterior probabilities being calibrated: of pairs that weigh 0.9, nine
//! in ten are one entity. Then the expected number of matches among some pairs is the sum of their
//! probabilities (Fellegi and Sunter 1969; Larsen and Rubin 2001).

use serde::Serialize;

use crate::figures::{Captures, WeightBin};

/// The 97.5th percentile of the normal distribution, for intervals of 95 %.
const Z: f64 = 1.959_963_985;
/// Links that two rules must both make before their overlap says anything.
const RECAPTURED_LEAST: u64 = 10;

/// A share from 0 to 1 and the interval in which it lies with 95 %, as far as chance goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What the model expects of its own decisions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// Pairs that link.
    pub links: u64,
    /// How many of them are expected to be of one entity.
    pub links_expected: f64,
    /// Pairs that wait for review.
    pub reviews: u64,
    /// How many of them are expected to be of one entity.
    pub reviews_expected: f64,
    /// Pairs that weigh enough to link, and that a constraint refused.
    pub refused: u64,
    /// How many of them would be of one entity by their weight alone.
    pub refused_expected: f64,
    /// Whether all evidence was counted, or only what the revision keeps.
    pub counts_all: bool,
    /// Of pairs that link, the share that is of one entity.
    pub precision: Interval,
    /// Of matches among pairs that link, wait for review or were refused, the share that links.
    ///
    /// Refused links count as their weight says; the interval reaches up to where constraints are
    /// always right and none of them is a match.
    pub recall_of_weighed: Interval,
    /// Of pairs that would link if they were compared, the share that some rule makes; absent if
    /// no two rules on different fields make enough links both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall_of_blocking: Option<Interval>,
    /// The product of the two, if both are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall: Option<Interval>,
    /// What the estimates assume.
    pub assumes: Vec<&'static str>,
}

impl Estimate {
    /// Estimates from the weights of evidence, and from what rules make if that is known.
    ///
    /// `entities` are those of two records or more: links of one entity stand or fall together, so
    /// the interval counts entities as the independent draws, not links.
    pub(super) fn of(
        bins: &[WeightBin],
        entities: u64,
        counts_all: bool,
        captures: Option<&Captures>,
    ) -> Self {
        let sum = |of: fn(&WeightBin) -> f64| bins.iter().map(of).sum::<f64>();
        let links = sum(|bin| bin.links as f64);
        let reviews = sum(|bin| bin.reviews as f64);
        let (links_expected, reviews_expected, refused_expected) = (
            sum(|bin| bin.links_expected),
            sum(|bin| bin.reviews_expected),
            sum(|bin| bin.refused_expected),
        );
        let draws = (entities as f64).min(links);
        let precision = wilson(links_expected / links.max(1.0), draws);
        let of_matches = |matches: f64| {
            let draws = draws * matches / links.max(1.0);
            wilson(links_expected / matches.max(f64::MIN_POSITIVE), draws)
        };
        let undisputed = links_expected + reviews_expected;
        let recall_of_weighed = Interval {
            high: of_matches(undisputed).high,
            ..of_matches(undisputed + refused_expected)
        };
        let recall_of_blocking = captures.and_then(recall_of_blocking);
        let recall = recall_of_blocking.map(|blocking| Interval {
            value: blocking.value * recall_of_weighed.value,
            low: blocking.low * recall_of_weighed.low,
            high: blocking.high * recall_of_weighed.high,
        });
        Self {
            links: links as u64,
            links_expected,
            reviews: reviews as u64,
            reviews_expected,
            refused: bins.iter().map(|bin| bin.refused).sum(),
            refused_expected,
            counts_all,
            precision,
            recall_of_weighed,
            recall_of_blocking,
            recall,
            assumes: ASSUMES.to_vec(),
        }
    }
}

const ASSUMES: [&str; 5] = [
    "probabilities are calibrated: matches expected among pairs are the sum of their probabilities; correlated fields make them too sure, and the interval does not cover that",
    "precision = sum of probabilities of links / links; recall of weighed pairs = the same sum / that sum and those over reviews and refused links; matches that weigh less than the review threshold are not counted, nor are pairs joined only through others",
    "a link that a constraint refused counts as a match with the probability of its weight; the interval reaches to where none of them is one; pairs within a source of one_per_source are never weighed, so what such a source repeats is not counted",
    "intervals of 95 % by Wilson (1927), with entities of several records as independent draws; chance alone, not error of the model",
    "recall of blocking by capture and recapture (Lincoln and Petersen, with Chapman's correction, 1951) between every two rules on different fields: the median of them, its interval from the lowest to the highest end of theirs (Chao 1987); it assumes that one rule makes a match as often whether or not the other does, which missing values and records full of errors break, mostly so that the estimate is too high",
];

/// Returns the score interval of Wilson (1927), which stays within 0 and 1.
///
/// A sum of unequal chances varies at most as much as one of equal ones (Hoeffding 1956), so it
/// is on the safe side for pairs of different probabilities.
pub(crate) fn wilson(share: f64, draws: f64) -> Interval {
    if draws <= 0.0 {
        return Interval {
            value: share,
            low: 0.0,
            high: 1.0,
        };
    }
    let square = Z * Z / draws;
    let middle = (share + square / 2.0) / (1.0 + square);
    let half = (Z / (1.0 + square))
        * (share * (1.0 - share) / draws + square / (4.0 * draws))
            .max(0.0)
            .sqrt();
    Interval {
        value: share,
        low: (middle - half).max(0.0),
        high: (middle + half).min(1.0),
    }
}

/// Returns the share of all links that some rule makes, from the overlap of rules on different fields.
fn recall_of_blocking(captures: &Captures) -> Option<Interval> {
    let rules = 0..captures.fields.len();
    let mut shares: Vec<Interval> = rules
        .clone()
        .flat_map(|one| rules.clone().map(move |other| (one, other)))
        .filter(|(one, other)| one < other)
        .filter_map(|(one, other)| recaptured(captures, one, other))
        .collect();
    shares.sort_unstable_by(|a, b| a.value.total_cmp(&b.value));
    let median = shares.get(shares.len() / 2)?;
    let low = shares.iter().map(|share| share.low);
    let high = shares.iter().map(|share| share.high);
    Some(Interval {
        value: median.value,
        low: low.fold(1.0, f64::min),
        high: high.fold(0.0, f64::max),
    })
}

/// Returns the share of links that are made, as two rules tell it.
///
/// Chapman's estimator of all links, with the variance of Seber (1970) and the interval of Chao
/// (1987), which takes the number of links not made as log-normal.
fn recaptured(captures: &Captures, one: usize, other: usize) -> Option<Interval> {
    let count = |row: usize, column: usize| captures.both.get(row)?.get(column).copied();
    let (first, second, both) = (count(one, one)?, count(other, other)?, count(one, other)?);
    let shared = captures.fields[one]
        .iter()
        .any(|field| captures.fields[other].contains(field));
    if shared || both < RECAPTURED_LEAST {
        return None;
    }
    let [first, second, both, made] = [first, second, both, captures.links].map(|n| n as f64);
    let all = (first + 1.0) * (second + 1.0) / (both + 1.0) - 1.0;
    let variance = (first + 1.0) * (second + 1.0) * (first - both) * (second - both)
        / ((both + 1.0).powi(2) * (both + 2.0));
    let unmade = (all - made).max(0.5);
    let spread = (Z * (1.0 + variance / unmade.powi(2)).ln().sqrt()).exp();
    let share = |unmade: f64| made / (made + unmade);
    let value = share((all - made).max(0.0));
    Some(Interval {
        value,
        low: share(unmade * spread),
        // Of fewer than half an unmade link the interval knows nothing.
        high: share(unmade / spread).max(value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 5e-4, "{found}, not {expected}");
    }

    /// Worked out by hand: 80 of 100.
    #[test]
    fn wilson_intervals_are_those_of_the_formula() {
        let found = wilson(0.8, 100.0);
        near(found.low, 0.7112);
        near(found.high, 0.8666);
        assert!(wilson(1.0, 50.0).low > 0.9 && wilson(1.0, 50.0).high > 0.999);
        assert_eq!((wilson(0.5, 0.0).low, wilson(0.5, 0.0).high), (0.0, 1.0));
    }

    /// Of 1,000 links one rule makes 600 and another, independently, 500; both make 300, one of
    /// them 800. Chapman's estimate is 601 * 501 / 301 - 1 = 999.33.
    #[test]
    fn independent_rules_tell_what_no_rule_makes() {
        let captures = Captures {
            links: 800,
            fields: vec![vec!["email".into()], vec!["phone".into()]],
            both: vec![vec![600, 300], vec![300, 500]],
        };
        let found = recall_of_blocking(&captures).unwrap_or_default();
        near(found.value, 800.0 / 999.33);
        assert!(found.low > 0.7 && found.low < 0.8, "{found:?}");
        assert!(found.high > 0.8 && found.high < 0.9, "{found:?}");
    }

    #[test]
    fn the_interval_holds_the_estimate_when_rules_find_the_same() {
        let captures = Captures {
            links: 60,
            fields: vec![vec!["email".into()], vec!["dob".into()]],
            both: vec![vec![60, 60], vec![60, 60]],
        };
        let found = recall_of_blocking(&captures).expect("both rules make links");
        assert!(found.low < found.value, "{found:?}");
        assert_eq!((found.value, found.high), (1.0, 1.0));
    }

    #[test]
    fn rules_on_one_field_tell_nothing_of_each_other() {
        let captures = Captures {
            links: 800,
            fields: vec![vec!["email".into()], vec!["email".into(), "dob".into()]],
            both: vec![vec![600, 300], vec![300, 500]],
        };
        assert_eq!(recall_of_blocking(&captures), None);
    }

    #[test]
    fn the_expected_share_of_matches_is_the_mean_probability() {
        let bin = WeightBin {
            links: 90,
            links_expected: 81.0,
            reviews: 20,
            reviews_expected: 9.0,
            ..WeightBin::default()
        };
        let found = Estimate::of(&[bin], 40, true, None);
        near(found.precision.value, 0.9);
        near(found.recall_of_weighed.value, 0.9);
        assert!(found.precision.low < 0.81 && found.precision.high > 0.94);
        assert_eq!(found.recall, None);
    }

    /// Recall was told as 1.0000 where constraints had refused a seventh of the matches, because
    /// refused links were left out of what there is to find. Now they count by their weight.
    #[test]
    fn links_that_constraints_refused_are_matches_to_be_found() {
        let bin = WeightBin {
            links: 850,
            links_expected: 850.0,
            refused: 160,
            refused_expected: 150.0,
            ..WeightBin::default()
        };
        let found = Estimate::of(&[bin], 400, true, None);
        near(found.recall_of_weighed.value, 0.85);
        near(found.refused_expected, 150.0);
        assert!(found.recall_of_weighed.low < 0.82, "{found:?}");
        // Where constraints are always right, nothing was missed.
        assert!(found.recall_of_weighed.high > 0.999, "{found:?}");
    }
}
