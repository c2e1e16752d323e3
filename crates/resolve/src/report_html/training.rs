//! Whether training can be trusted.

use std::fmt::Write as _;

use super::markup::{Html, bits, chance, count, folded, percent, table};
use super::svg::{Anchor, Scale, Svg};
use super::{Section, WIDTH, figure, paragraph, warning};
use crate::report::TrainReport;

/// Convergence, passes, levels without evidence, warnings.
pub(super) fn section(report: &TrainReport) -> Section {
    let end = if report.converged {
        format!("It came to rest after {} rounds.", report.moves.len())
    } else {
        format!("It did not come to rest in {} rounds.", report.moves.len())
    };
    let mut body = paragraph(&format!(
        "Expectation-maximisation over the level patterns of {} random pairs and of the candidate pairs of every rule. {end} Two random records are one entity with a chance of {}.",
        count(report.random_pairs),
        chance(report.prior)
    ));
    for text in &report.warnings {
        body.push(warning(text));
    }
    body.push(doubts(report));
    if report.moves.len() > 1 {
        body.push(figure(convergence(&report.moves)));
    }
    let rows = report.passes.iter().map(|pass| {
        let trusted = if pass.plausible { "yes" } else { "in doubt" };
        vec![
            pass.rule.as_str().into(),
            count(pass.pairs).into(),
            percent(pass.matched).into(),
            trusted.into(),
        ]
    });
    let head = ["rule", "pairs looked at", "taken for matches", "trusted"];
    body.push(table(
        "Passes of training",
        &head,
        rows.collect::<Vec<Vec<Html>>>(),
    ));
    body.push(interactions(report));
    body.push(labels(report));
    Section {
        anchor: "training",
        title: "Training",
        body,
    }
}

/// Lists what two comparisons say twice.
fn interactions(report: &TrainReport) -> Html {
    if report.interactions.is_empty() {
        return Html::default();
    }
    let rows = report.interactions.iter().map(|interaction| {
        let ([one, other], [i, j]) = (&interaction.comparisons, &interaction.levels);
        vec![
            format!("{one}: {i}").into(),
            format!("{other}: {j}").into(),
            bits(-interaction.bits).into(),
        ]
    });
    Html::join([
        Html::element("h3", "What is said twice"),
        paragraph(
            "Strangers who share the one share the other more often than chance would have it, so a pair that shows both weighs so much less than the two together.",
        ),
        folded(
            "Levels and bits",
            table("", &["one", "other", "bits"], rows.collect()),
        ),
    ])
}

/// Says what labels were used for.
fn labels(report: &TrainReport) -> Html {
    let Some(labels) = &report.labels else {
        return Html::default();
    };
    let mut told = format!(
        "{} labelled pairs of one entity taught m beside the others. {} of one and {} of two entities were held out.",
        count(labels.taught),
        count(labels.held_out_matches),
        count(labels.held_out_others)
    );
    if let Some(line) = labels.calibration {
        let _ = write!(
            told,
            " By them a bit of the model is worth {:.2}, {} bits; the squared error of probabilities goes from {:.4} to {:.4}.",
            line.slope,
            bits(line.offset),
            labels.error_before,
            labels.error_after
        );
    }
    if let Some(link) = labels.proposed_link {
        let _ = write!(
            told,
            " They propose link = {link:.4}: F1 {:.4} of the pairs held out, {:.4} as the settings have it.",
            labels.proposed_f1, labels.own_f1
        );
    }
    Html::join([Html::element("h3", "Labels"), paragraph(&told)])
}

/// Lists the levels whose weight is more guessed than learnt.
fn doubts(report: &TrainReport) -> Html {
    let levels = report.comparisons.iter().flat_map(|comparison| {
        let doubted = comparison.levels.iter();
        doubted.filter_map(|level| {
            let doubt = level.doubt()?;
            let name = format!("{}, {}: {doubt}", comparison.comparison, level.level);
            Some(Html::element("li", name))
        })
    });
    let levels: Vec<Html> = levels.collect();
    if levels.is_empty() {
        return Html::default();
    }
    let told = Html::join([
        Html::text("Weights that training had no evidence for:"),
        Html::element("ul", Html::join(levels)),
    ]);
    Html::element("div class=\"warning\"", told)
}

fn convergence(moves: &[f64]) -> Svg {
    let (top, bottom, left) = (24.0, 150.0, 64.0);
    let exponent = |moved: &f64| moved.max(1e-9).log10();
    let mut chart = Svg::new(
        "Convergence",
        "The largest move of any parameter in each round, on a logarithmic scale; training rests below 0.00001.",
        (WIDTH, 186.0),
    );
    let low = moves.iter().map(exponent).fold(-5.0, f64::min).floor();
    let high = moves.iter().map(exponent).fold(-4.0, f64::max).ceil();
    let across = Scale::new((1.0, moves.len() as f64), (left, WIDTH - 12.0));
    let up = Scale::new((low, high), (bottom, top));
    for tick in up.ticks(4.0) {
        chart.line("grid", (left, up.at(tick)), (WIDTH - 12.0, up.at(tick)));
        chart.text(
            "soft",
            (left - 8.0, up.at(tick) + 4.0),
            Anchor::End,
            &format!("1e{tick:.0}").replace('-', "\u{2212}"),
        );
    }
    chart.line("limit", (left, up.at(-5.0)), (WIDTH - 12.0, up.at(-5.0)));
    chart.text(
        "mark",
        (WIDTH - 12.0, up.at(-5.0) - 5.0),
        Anchor::End,
        "rests below",
    );
    let points: Vec<(f64, f64)> = (1..)
        .zip(moves)
        .map(|(round, moved)| (across.at(f64::from(round)), up.at(exponent(moved))))
        .collect();
    chart.curve("line-link", &points);
    for ((&point, moved), round) in points.iter().zip(moves).zip(1..) {
        chart.dot(
            "fill-link",
            point,
            2.4,
            &format!("round {round}: {moved:.1e}"),
        );
    }
    for tick in across
        .ticks(10.0)
        .into_iter()
        .filter(|tick| tick.fract() == 0.0)
    {
        chart.text(
            "soft",
            (across.at(tick), bottom + 17.0),
            Anchor::Middle,
            &format!("{tick:.0}"),
        );
    }
    chart.text("soft", (WIDTH - 12.0, bottom + 34.0), Anchor::End, "round");
    chart.text(
        "mark",
        (left, top - 10.0),
        Anchor::Start,
        "largest move of a parameter",
    );
    chart
}
