//! The pairs of the truth that the graph does not hold together.

use super::markup::{Html, bits, count, folded, percent, table};
use super::svg::{Anchor, Scale, Svg};
use super::{Content, Section, WIDTH, figure, paragraph, warning};
use crate::evaluate::{MissedPairs, MissedReason, NamedPair, NamedReference};

/// Missed pairs by reason, if there is a truth.
pub(super) fn section(content: &Content<'_>) -> Option<Section> {
    let evaluation = content.assessment.evaluation.as_ref()?;
    let missed = content.assessment.missed_pairs()?;
    let wanted = evaluation.true_pairs + evaluation.missed_pairs;
    let mut body = paragraph(&format!(
        "The truth holds {} pairs together, the graph lacks {} of them ({}) and joins {} pairs that the truth does not.",
        count(wanted),
        count(missed.pairs),
        percent(missed.pairs as f64 / (wanted as f64).max(1.0)),
        count(evaluation.false_pairs)
    ));
    for text in &evaluation.warnings {
        body.push(warning(text));
    }
    if !missed.reasons.is_empty() {
        body.push(figure(chart(missed)));
    }
    for reason in missed
        .reasons
        .iter()
        .filter(|reason| !reason.examples.is_empty())
    {
        body.push(examples(reason));
    }
    Some(Section {
        anchor: "missed",
        title: "Missed pairs",
        body,
    })
}

fn chart(missed: &MissedPairs) -> Svg {
    const ROW: f64 = 28.0;
    const START: f64 = 430.0;
    let rows = missed.reasons.len() as f64;
    let mut chart = Svg::new(
        "Missed pairs by reason",
        "One bar a reason: how many pairs of the truth are missed for it.",
        (WIDTH, rows * ROW + 6.0),
    );
    let most = missed.reasons.first().map_or(1, |reason| reason.pairs);
    let across = Scale::new((0.0, most as f64), (START, WIDTH - 130.0));
    for (index, reason) in missed.reasons.iter().enumerate() {
        let y = index as f64 * ROW + 2.0;
        chart.text("", (START - 12.0, y + 16.0), Anchor::End, short(reason));
        let end = across.at(reason.pairs as f64);
        chart.bar(
            "fill-review",
            (START, y + 3.0),
            ((end - START).max(1.5), 18.0),
            reason.meaning,
        );
        let share = percent(reason.pairs as f64 / (missed.pairs as f64).max(1.0));
        chart.text(
            "soft",
            (end + 8.0, y + 16.5),
            Anchor::Start,
            &format!("{} ({share})", count(reason.pairs)),
        );
    }
    chart
}

/// Returns the reason without what is explained behind its colon.
fn short(reason: &MissedReason) -> &'static str {
    match reason.reason {
        "no_candidate" => "no blocking rule makes the pair",
        "hot_block" => "the block that holds both is too large",
        "exclusive" => "one source that holds each customer once",
        "no_evidence" => "no candidate, or below the review threshold",
        "one_per_source" => "refused: one record a source",
        _ => reason.meaning,
    }
}

fn examples(reason: &MissedReason) -> Html {
    let rows = reason.examples.iter().map(|pair: &NamedPair| {
        vec![
            reference(&pair.left),
            reference(&pair.right),
            pair.bits.map_or_else(String::new, bits).into(),
        ]
    });
    let shown = reason.examples.len();
    folded(
        &format!(
            "Examples: {} ({shown} of {})",
            reason.meaning,
            count(reason.pairs)
        ),
        table("", &["one", "other", "bits"], rows.collect()),
    )
}

fn reference(reference: &NamedReference) -> Html {
    Html::join([
        Html::text(&reference.source),
        Html::fixed(" "),
        Html::element("code", reference.key.as_str()),
    ])
}
