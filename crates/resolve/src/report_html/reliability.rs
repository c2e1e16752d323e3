//! Whether probabilities hold: what they promised beside what a truth found.

use sameas_graph::probability_of;

use super::markup::{bits, count, folded, percent, table};
use super::svg::{Anchor, Scale, Svg};
use super::weights::bit_axis;
use super::{Content, Section, WIDTH, between, figure, key, note, paragraph};
use crate::evaluate::Reliability;

const LEFT: f64 = 58.0;
const RIGHT: f64 = WIDTH - 12.0;

/// The chart, if there is a truth that names records of any pair.
pub(super) fn section(content: &Content<'_>) -> Option<Section> {
    let reliability = content.assessment.reliability.as_ref()?;
    let mut body = paragraph(&format!(
        "Of {} pairs whose records the truth names, {} were promised to be of one entity and {} are. On average promise and finding lie {} apart. Where a dot lies below the curve, weights of this size are too sure.",
        count(reliability.pairs),
        percent(reliability.promised),
        percent(reliability.found),
        percent(reliability.error)
    ));
    body.push(figure(chart(reliability)));
    body.push(key(&[("k-link", "promised"), ("k-review", "found")]));
    let rows = reliability.points.iter().map(|point| {
        vec![
            bits(point.from_bits).into(),
            count(point.pairs).into(),
            percent(point.promised).into(),
            percent(point.found.value).into(),
            between(point.found).into(),
        ]
    });
    let head = ["weight from", "pairs", "promised", "found", "95 % interval"];
    body.push(folded(
        "Figures as a table",
        table("Promised and found", &head, rows.collect()),
    ));
    body.push(note(
        "Counted among the evidence that the revision keeps, pairs that a deterministic rule decides left out. \u{201c}sameas train --labels\u{201d} learns from such labels what weights are worth.",
    ));
    Some(Section {
        anchor: "calibration",
        title: "Calibration",
        body,
    })
}

fn chart(reliability: &Reliability) -> Svg {
    let (top, bottom, height) = (22.0, 226.0, 266.0);
    let points = &reliability.points;
    let first = points.first().map_or(0.0, |point| point.from_bits);
    let last = points.last().map_or(1.0, |point| point.from_bits + 1.0);
    let mut chart = Svg::new(
        "Calibration",
        "The probability that weights promise, as a curve, and the share of pairs of about that weight that the truth finds to be of one entity, as dots with intervals of 95 %.",
        (WIDTH, height),
    );
    let across = Scale::new((first, last), (LEFT, RIGHT));
    let up = Scale::new((0.0, 1.0), (bottom, top));
    for tick in up.ticks(5.0) {
        chart.line("grid", (LEFT, up.at(tick)), (RIGHT, up.at(tick)));
        chart.text(
            "soft",
            (LEFT - 8.0, up.at(tick) + 4.0),
            Anchor::End,
            &format!("{:.0} %", 100.0 * tick),
        );
    }
    chart.line("axis", (LEFT, bottom), (RIGHT, bottom));
    bit_axis(&mut chart, across, bottom);
    let steps = 160;
    let curve = (0..=steps).map(|step| {
        let weight = first + (last - first) * f64::from(step) / f64::from(steps);
        (across.at(weight), up.at(probability_of(weight)))
    });
    chart.curve("line-link", &curve.collect::<Vec<_>>());
    for point in points {
        let x = across.at(point.from_bits + 0.5);
        chart.line(
            "axis",
            (x, up.at(point.found.low)),
            (x, up.at(point.found.high)),
        );
        let tip = format!(
            "from {} bits: {} pairs, promised {}, found {}",
            bits(point.from_bits),
            count(point.pairs),
            percent(point.promised),
            percent(point.found.value)
        );
        chart.dot("fill-review", (x, up.at(point.found.value)), 4.0, &tip);
    }
    chart
}
