//! Whether training can be trusted.

use super::markup::{Html, chance, count, percent, table};
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
    Section {
        anchor: "training",
        title: "Training",
        body,
    }
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
