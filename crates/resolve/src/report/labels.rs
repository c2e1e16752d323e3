//! What labels were used for.

use sameas_graph::probability_of;
use sameas_matching::{Calibration, HeldOut, squared_error};
use serde::{Deserialize, Serialize};

use super::line;

/// A threshold that links so much worse than another is worth a warning.
const LOSS_MIN: f64 = 0.005;

/// What labels taught, and what weights turned out to be worth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelsReport {
    /// Pairs of one entity that taught m.
    pub taught: u64,
    /// Pairs of one entity that weights were held to.
    pub held_out_matches: u64,
    /// Pairs of two entities that weights were held to.
    pub held_out_others: u64,
    /// The line from bits to bits that labels bear out; it is in the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How far probabilities lay from what labels say before it (Brier 1950), from 0 to 1.
    pub error_before: f64,
    /// The same after it.
    pub error_after: f64,
    /// The probability to link from that these labels propose for `decide.link`, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_link: Option<f64>,
    /// F1 of the pairs held out that it would link.
    pub proposed_f1: f64,
    /// F1 of those that the settings link.
    pub own_f1: f64,
}

impl LabelsReport {
    /// Says what labels found of weights, and at what probability pairs are best linked.
    pub(crate) fn of(labels: &HeldOut, calibration: Option<Calibration>, link: f64) -> Self {
        let worth = |bits: f64| calibration.map_or(bits, |line| line.of(bits));
        let mut pairs: Vec<(f64, bool)> = labels
            .pairs
            .iter()
            .map(|&(bits, is_match)| (probability_of(worth(bits)), is_match))
            .collect();
        let matches = pairs.iter().filter(|(_, is_match)| *is_match).count() as u64;
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let best = best_threshold(&pairs, matches);
        Self {
            taught: labels.taught,
            held_out_matches: matches,
            held_out_others: pairs.len() as u64 - matches,
            calibration,
            error_before: squared_error(&labels.pairs, None),
            error_after: squared_error(&labels.pairs, calibration.as_ref()),
            proposed_link: best.map(|(link, _)| link),
            proposed_f1: best.map_or(0.0, |(_, f1)| f1),
            own_f1: f1(&pairs, matches, link),
        }
    }

    /// Tells whether the threshold in force links worse by calibrated probabilities than another.
    fn loses(&self) -> bool {
        self.calibration.is_some() && self.proposed_f1 > self.own_f1 + LOSS_MIN
    }

    /// Warns of a threshold that was right before calibration and is not after it.
    pub(super) fn warning(&self, link: f64) -> Option<String> {
        let proposed = self.proposed_link.filter(|_| self.loses())?;
        Some(format!(
            "probabilities are calibrated now, and link = {link} under [decide] loses by it: F1 {:.4} of the pairs held out, {:.4} with link = {proposed:.4}; change it before the next rebuild",
            self.own_f1, self.proposed_f1
        ))
    }

    pub(super) fn render(&self, text: &mut String) {
        let what = format!(
            "{} pairs of one entity taught m; {} of one and {} of two entities were held out",
            self.taught, self.held_out_matches, self.held_out_others
        );
        line(text, "labels", what);
        if let Some(Calibration { slope, offset, .. }) = self.calibration {
            let what = format!(
                "a bit is worth {slope:.3}, {offset:+.2} bits; squared error {:.4} before, {:.4} after",
                self.error_before, self.error_after
            );
            line(text, "calibration", what);
        }
        if let (Some(link), false) = (self.proposed_link, self.loses()) {
            let what = format!(
                "link = {link:.4} under [decide]: F1 {:.4} of the pairs held out, {:.4} as it is",
                self.proposed_f1, self.own_f1
            );
            line(text, "labels propose", what);
        }
    }
}

fn f1(pairs: &[(f64, bool)], matches: u64, link: f64) -> f64 {
    let linked = pairs
        .iter()
        .take_while(|(probability, _)| *probability >= link);
    let (mut right, mut count) = (0.0, 0.0);
    for (_, is_match) in linked {
        right += f64::from(u8::from(*is_match));
        count += 1.0;
    }
    2.0 * right / (count + matches as f64).max(1.0)
}

/// Returns the probability at which F1 is highest, between the pair that just links and the next,
/// and the F1. Pairs come surest first.
fn best_threshold(pairs: &[(f64, bool)], matches: u64) -> Option<(f64, f64)> {
    let mut right = 0.0;
    let mut best: Option<(f64, f64)> = None;
    for (index, &(probability, is_match)) in pairs.iter().enumerate() {
        right += f64::from(u8::from(is_match));
        let next = pairs.get(index + 1).map_or(0.0, |pair| pair.0);
        let f1 = 2.0 * right / (index as f64 + 1.0 + matches as f64);
        let is_step = next < probability && probability > 0.5;
        if is_step && best.is_none_or(|(_, known)| f1 > known) {
            // Settings take probabilities below 1.
            let between = f64::midpoint(probability, next.max(0.5)).min(0.999_999);
            best = Some((between, f1));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_threshold_is_the_best_of_all() {
        let pairs = [0.99, 0.97, 0.9, 0.9, 0.8, 0.7, 0.6, 0.4];
        let is_match = [true, true, true, false, true, false, false, true];
        let pairs: Vec<(f64, bool)> = pairs.into_iter().zip(is_match).collect();
        let (link, found) = best_threshold(&pairs, 5).expect("pairs");
        assert!((found - f1(&pairs, 5, link)).abs() < 1e-12, "{link}");
        for step in 50..1_000 {
            let other = f1(&pairs, 5, f64::from(step) / 1_000.0);
            assert!(other <= found + 1e-12, "{step}: {other} above {found}");
        }
        assert!((link - 0.75).abs() < 1e-9, "{link}");
    }

    #[test]
    fn labels_without_pairs_held_out_propose_nothing() {
        let report = LabelsReport::of(&HeldOut::default(), None, 0.9);
        assert_eq!((report.proposed_link, report.calibration), (None, None));
    }

    /// A line that pulls probabilities below the threshold was told as a proposal among figures.
    #[test]
    fn a_threshold_that_calibration_makes_worse_is_a_warning() {
        let pairs: Vec<(f64, bool)> = (0..40).map(|n| (5.0, n % 8 > 0)).collect();
        let others = (0..40).map(|_| (-9.0, false));
        let pairs = pairs.into_iter().chain(others).collect();
        let labels = HeldOut { taught: 40, pairs };
        let line = Calibration::fit(&labels.pairs).expect("a line");
        let calibrated = LabelsReport::of(&labels, Some(line), 0.9);
        let warning = calibrated.warning(0.9).expect("a warning");
        assert!(warning.contains("link = 0.9 under [decide]"), "{warning}");
        let mut text = String::new();
        calibrated.render(&mut text);
        assert!(!text.contains("labels propose"), "{text}");
        assert_eq!(LabelsReport::of(&labels, None, 0.9).warning(0.9), None);
    }
}
