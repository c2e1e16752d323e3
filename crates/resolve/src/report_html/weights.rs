//! How the evidence weighs, and what other thresholds would give.

use super::markup::{Html, bits, count, folded, percent, table};
use super::svg::{Anchor, Scale, Svg};
use super::{Content, Section, WIDTH, between, figure, key, note, paragraph, warning};
use crate::evaluate::{Estimate, ThresholdPoint, Thresholds};
use crate::figures::WeightBin;

const LEFT: f64 = 58.0;
const RIGHT: f64 = WIDTH - 12.0;

/// The distribution of match weights, and what the model expects of it.
pub(super) fn section(content: &Content<'_>) -> Section {
    let bins = &content.bins;
    let thresholds = &content.assessment.thresholds;
    let mut body = Html::join([
        paragraph(
            "How sure the evidence is. Pairs to the right of the link threshold join records; between the two thresholds they wait for a person. A clear valley means that the threshold hardly matters.",
        ),
        figure(histogram(bins, thresholds)),
        key(&[
            ("k-link", "links"),
            ("k-review", "waits for review"),
            ("k-refused", "link refused by a constraint"),
        ]),
    ]);
    let rows = bins.iter().map(|bin| {
        vec![
            format!(
                "{} to {}",
                bits(bin.from_bits),
                bits(bin.from_bits + WeightBin::WIDTH_BITS)
            )
            .into(),
            count(bin.links).into(),
            count(bin.reviews).into(),
            count(bin.refused).into(),
            format!("{:.1}", bin.links_expected + bin.reviews_expected).into(),
        ]
    });
    let head = [
        "weight in bits",
        "links",
        "reviews",
        "refused",
        "expected matches",
    ];
    body.push(folded(
        "Figures as a table",
        table("Pairs by match weight", &head, rows.collect()),
    ));
    body.push(expected(&content.assessment.estimate));
    Section {
        anchor: "weights",
        title: "Match weights",
        body,
    }
}

fn expected(estimate: &Estimate) -> Html {
    let row = |name: &str, interval: crate::evaluate::Interval| -> Vec<Html> {
        vec![
            name.into(),
            percent(interval.value).into(),
            between(interval).into(),
        ]
    };
    let mut rows = vec![
        row("Precision of links", estimate.precision),
        row("Recall of weighed pairs", estimate.recall_of_weighed),
    ];
    rows.extend(
        estimate
            .recall_of_blocking
            .map(|r| row("Recall of blocking", r)),
    );
    rows.extend(estimate.recall.map(|r| row("Recall", r)));
    let assumptions = estimate
        .assumes
        .iter()
        .map(|&assumption| Html::element("li", assumption));
    let assumptions = Html::element("ul", Html::join(assumptions));
    let heading = Html::element("h3", "Expected without labels");
    let refused = match estimate.refused {
        0 => Html::default(),
        refused => note(&format!(
            "Constraints refused {} links; by their weight alone {:.0} of them would be matches, and count as missed. The interval reaches to where constraints are always right.",
            count(refused),
            estimate.refused_expected
        )),
    };
    Html::join([
        heading,
        table("", &["", "estimate", "95 % interval"], rows),
        refused,
        note(
            "They are as good as the probabilities are calibrated, and speak of pairs with evidence of their own, not of those joined through others. Intervals cover chance and, for blocking, the disagreement of rules; an error of the model they do not cover.",
        ),
        folded("Formulas and what they assume", assumptions),
    ])
}

fn histogram(bins: &[WeightBin], thresholds: &Thresholds) -> Svg {
    let (top, bottom, height) = (26.0, 236.0, 276.0);
    let most = bins.iter().map(|bin| bin.links + bin.reviews + bin.refused);
    let most = most.max().unwrap_or(0);
    let first = bins.first().map_or(0.0, |bin| bin.from_bits);
    let last = bins
        .last()
        .map_or(1.0, |bin| bin.from_bits + WeightBin::WIDTH_BITS);
    let first = first.min(thresholds.review_bits);
    let mut chart = Svg::new(
        "Distribution of match weights",
        &format!(
            "Bars count pairs by weight from {} to {} bits; the thresholds are {} for review and {} for links.",
            bits(first),
            bits(last),
            bits(thresholds.review_bits),
            bits(thresholds.link_bits)
        ),
        (WIDTH, height),
    );
    let across = Scale::new((first, last), (LEFT, RIGHT));
    let up = Scale::new((0.0, most as f64), (bottom, top));
    for tick in up.ticks(4.0) {
        chart.line("grid", (LEFT, up.at(tick)), (RIGHT, up.at(tick)));
        chart.text(
            "soft",
            (LEFT - 8.0, up.at(tick) + 4.0),
            Anchor::End,
            &count(tick as u64),
        );
    }
    let width = across.at(first + WeightBin::WIDTH_BITS) - across.at(first);
    for bin in bins {
        let mut below = 0;
        let parts = [
            ("fill-link", bin.links, "links"),
            ("fill-review", bin.reviews, "for review"),
            ("fill-refused", bin.refused, "refused"),
        ];
        for (class, pairs, what) in parts.into_iter().filter(|&(_, pairs, _)| pairs > 0) {
            let (from, to) = (up.at(below as f64), up.at((below + pairs) as f64));
            let tip = format!("{} bits: {} {what}", bits(bin.from_bits), count(pairs));
            // A pair is seen even beside many.
            let tall = (from - to).max(1.5);
            let at = (across.at(bin.from_bits) + 0.5, from - tall);
            chart.bar(class, at, (width - 1.0, tall), &tip);
            below += pairs;
        }
    }
    chart.line("axis", (LEFT, bottom), (RIGHT, bottom));
    bit_axis(&mut chart, across, bottom);
    let near = across.at(thresholds.link_bits) - across.at(thresholds.review_bits) < 70.0;
    limit(
        &mut chart,
        (across.at(thresholds.review_bits), top),
        bottom,
        "review",
        Anchor::End,
    );
    let anchor = if near { Anchor::Start } else { Anchor::Middle };
    limit(
        &mut chart,
        (across.at(thresholds.link_bits), top),
        bottom,
        "link",
        anchor,
    );
    chart
}

/// Draws a threshold with its name above.
fn limit(chart: &mut Svg, (x, top): (f64, f64), bottom: f64, name: &str, anchor: Anchor) {
    chart.line("limit", (x, top - 6.0), (x, bottom));
    let x = match anchor {
        Anchor::End if x < LEFT + 40.0 => x + 36.0,
        _ => x,
    };
    chart.text("mark", (x, top - 11.0), anchor, name);
}

/// Writes weights under a chart that lies between the same margins.
pub(super) fn bit_axis(chart: &mut Svg, across: Scale, bottom: f64) {
    for tick in across.ticks(12.0) {
        let text = format!("{tick:.0}").replace('-', "\u{2212}");
        chart.text(
            "soft",
            (across.at(tick), bottom + 17.0),
            Anchor::Middle,
            &text,
        );
    }
    chart.text(
        "soft",
        (RIGHT, bottom + 35.0),
        Anchor::End,
        "match weight in bits",
    );
}

/// What other thresholds would give: measured with a truth, expected without.
pub(super) fn thresholds(content: &Content<'_>) -> Section {
    let thresholds = &content.assessment.thresholds;
    let points = &thresholds.points;
    let measured = points.iter().any(|point| point.pairwise.is_some());
    let mut body = if measured {
        measured_curve(thresholds)
    } else {
        expected_curve(content)
    };
    body.push(note(&format!("What this covers: {}.", thresholds.covers)));
    let entity_rows = points.iter().map(|point| row(content, point)).collect();
    let mut head = vec!["threshold", "probability", "entities", "largest"];
    if measured {
        head.extend(["precision", "recall", "F1"]);
    } else {
        head.extend(["links", "expected precision", "expected recall of weighed"]);
    }
    body.push(folded(
        "Figures as a table",
        table("What thresholds would give", &head, entity_rows),
    ));
    Section {
        anchor: "thresholds",
        title: "Other thresholds",
        body,
    }
}

fn row(content: &Content<'_>, point: &ThresholdPoint) -> Vec<Html> {
    let mut row: Vec<Html> = vec![
        bits(point.bits).into(),
        format!("{:.5}", point.probability).into(),
        count(point.entities).into(),
        count(point.largest).into(),
    ];
    if let Some(quality) = point.pairwise {
        let shares = [quality.precision, quality.recall, quality.f1];
        row.extend(shares.map(|share| format!("{share:.4}").into()));
    } else {
        let (links, precision, recall) = expected_at(content, point.bits);
        row.push(count(links).into());
        row.extend([precision, recall].map(|share| percent(share).into()));
    }
    row
}

/// Returns links, expected precision and expected recall of weighed pairs at a threshold.
fn expected_at(content: &Content<'_>, threshold: f64) -> (u64, f64, f64) {
    let bins = &content.bins;
    let own = (threshold - content.assessment.thresholds.link_bits).abs() < 1e-9;
    let (mut links, mut matches, mut all) = (0, 0.0, 0.0);
    for bin in bins {
        all += bin.links_expected + bin.reviews_expected;
        let over = bin.from_bits + 1e-9 >= threshold;
        if over || own {
            links += bin.links;
            matches += bin.links_expected;
        }
        if over && !own {
            links += bin.reviews;
            matches += bin.reviews_expected;
        }
    }
    (
        links,
        matches / (links as f64).max(1.0),
        matches / f64::max(all, 1e-9),
    )
}

fn measured_curve(thresholds: &Thresholds) -> Html {
    let series = |of: fn(&crate::Quality) -> f64| -> Vec<(f64, f64)> {
        let points = thresholds.points.iter();
        points
            .filter_map(|point| Some((point.bits, of(point.pairwise.as_ref()?))))
            .collect()
    };
    let lines = [
        ("line-link", "precision", series(|q| q.precision)),
        ("line-review", "recall", series(|q| q.recall)),
        ("line-good", "F1", series(|q| q.f1)),
    ];
    let mut body = Html::default();
    if let (Some(best), Some(own)) = (&thresholds.best, thresholds.own()) {
        let f1 = |point: &ThresholdPoint| point.pairwise.map_or(0.0, |quality| quality.f1);
        let loss = f1(best) - f1(own);
        body.push(paragraph(&format!(
            "Pairwise quality at every threshold, held to the truth. At the threshold of this revision F1 is {:.4}; the best is {:.4} at {} bits (link = {:.4}), {} more.",
            f1(own), f1(best), bits(best.bits), best.probability, format_args!("{loss:.4}")
        )));
        if loss > 0.01 {
            body.push(warning("The default threshold is far from the best: look at the comparisons whose weights seem too high or too low, or set decide.link."));
        }
    }
    body.push(figure(curve(
        thresholds,
        &lines,
        "Precision, recall and F1 by threshold",
    )));
    body.push(key(&[
        ("k-link", "precision"),
        ("k-review", "recall"),
        ("k-good", "F1"),
    ]));
    body
}

fn expected_curve(content: &Content<'_>) -> Html {
    let thresholds = &content.assessment.thresholds;
    let at = |point: &ThresholdPoint| (point.bits, expected_at(content, point.bits));
    let points: Vec<_> = thresholds.points.iter().map(at).collect();
    let precision = points.iter().map(|&(bits, (_, p, _))| (bits, p)).collect();
    let recall = points.iter().map(|&(bits, (_, _, r))| (bits, r)).collect();
    let lines = [
        ("line-link", "expected precision", precision),
        ("line-review", "expected recall of weighed pairs", recall),
    ];
    Html::join([
        paragraph(
            "What the model expects at every threshold. With a truth (\u{201c}--truth\u{201d}) this is measured instead.",
        ),
        figure(curve(
            thresholds,
            &lines,
            "Expected precision and recall by threshold",
        )),
        key(&[
            ("k-link", "precision of links"),
            ("k-review", "recall of weighed pairs"),
        ]),
    ])
}

type Line = (&'static str, &'static str, Vec<(f64, f64)>);

fn curve(thresholds: &Thresholds, lines: &[Line], title: &str) -> Svg {
    let (top, bottom, height) = (26.0, 256.0, 296.0);
    let points = &thresholds.points;
    let first = points.first().map_or(0.0, |point| point.bits);
    let last = points.last().map_or(1.0, |point| point.bits);
    let values = lines.iter().flat_map(|(_, _, points)| points);
    let lowest = values.map(|&(_, share)| share).fold(1.0, f64::min);
    let floor = ((lowest - 0.02) * 20.0).floor().clamp(0.0, 19.0) / 20.0;
    let mut chart = Svg::new(
        title,
        &format!(
            "From {} to {} bits; this revision links from {} bits.",
            bits(first),
            bits(last),
            bits(thresholds.link_bits)
        ),
        (WIDTH, height),
    );
    let across = Scale::new((first, last), (LEFT, RIGHT));
    let up = Scale::new((floor, 1.0), (bottom, top));
    for tick in up.ticks(5.0) {
        chart.line("grid", (LEFT, up.at(tick)), (RIGHT, up.at(tick)));
        chart.text(
            "soft",
            (LEFT - 8.0, up.at(tick) + 4.0),
            Anchor::End,
            &format!("{tick:.2}"),
        );
    }
    for (class, name, points) in lines {
        let placed: Vec<_> = points
            .iter()
            .map(|&(bits, share)| (across.at(bits), up.at(share)))
            .collect();
        chart.curve(class, &placed);
        let fill = class.replace("line-", "fill-");
        for (&(weight, share), &place) in points.iter().zip(&placed) {
            chart.dot(
                &fill,
                place,
                2.4,
                &format!("{} bits: {name} {share:.4}", bits(weight)),
            );
        }
    }
    chart.line("axis", (LEFT, bottom), (RIGHT, bottom));
    bit_axis(&mut chart, across, bottom);
    limit(
        &mut chart,
        (across.at(thresholds.link_bits), top),
        bottom,
        "this revision",
        Anchor::Start,
    );
    if let Some(best) = &thresholds.best
        && across.at(best.bits) - across.at(thresholds.link_bits) > 90.0
    {
        limit(
            &mut chart,
            (across.at(best.bits), top),
            bottom,
            "best F1",
            Anchor::Start,
        );
    }
    chart
}
