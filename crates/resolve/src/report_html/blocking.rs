//! What each blocking rule costs, and what it finds.

use super::markup::{Html, count, percent, table};
use super::svg::{Anchor, Scale, Svg};
use super::{Content, Section, WIDTH, figure, key, note, paragraph, warning};
use crate::RuleTrace;
use crate::figures::RebuildFigures;
use crate::report::RuleReport;

/// The rules of the rebuild.
pub(super) fn section(content: &Content<'_>) -> Section {
    let body = match &content.figures {
        Some(figures) => known(content, figures),
        None => paragraph(
            "A revision does not hold what its blocking cost, and the figures of its rebuild are not kept beside it. \u{201c}sameas rebuild\u{201d} keeps them, \u{201c}sameas plan\u{201d} predicts them.",
        ),
    };
    Section {
        anchor: "blocking",
        title: "Blocking",
        body,
    }
}

fn known(content: &Content<'_>, figures: &RebuildFigures) -> Html {
    let report = &figures.report;
    let mut body = paragraph(&format!(
        "{} candidate pairs, {:.1} a record, instead of {} possible ones. A pair counts for the first rule that makes it; what a rule makes that earlier ones made too is shown pale.",
        count(report.pairs),
        report.pairs as f64 / (report.records as f64).max(1.0),
        count(figures.possible_pairs as u64)
    ));
    let refused: u64 = report.rules.iter().map(|rule| rule.refused_pairs).sum();
    if let Some(worst) = report.rules.iter().max_by_key(|rule| rule.refused_pairs)
        && refused > 0
    {
        body.push(warning(&format!(
            "Blocks over the bound were refined: at most {} pairs were refused, most by {} ({}), whose largest block holds {} records. Look for a default value among its fields.",
            count(refused), worst.rule, count(worst.refused_pairs), count(worst.largest_block)
        )));
    }
    body.push(figure(chart(&report.rules, report.pairs)));
    body.push(key(&[
        ("k-link", "first made by this rule"),
        ("k-pale", "made by an earlier rule too"),
        ("k-refused", "refused in blocks over the bound, at most"),
    ]));
    let traced = content.assessment.trace.as_ref();
    let mut head = vec![
        "rule",
        "pairs",
        "first",
        "share",
        "records with a key",
        "largest block",
        "refined blocks",
        "refused",
    ];
    if traced.is_some() {
        head.extend(["pairs of the truth", "of them alone"]);
    } else {
        head.extend(["of links", ""]);
    }
    let rows = report.rules.iter().enumerate().map(|(index, rule)| {
        let first = rule.first_pairs.unwrap_or(0);
        let mut row: Vec<Html> = vec![
            rule.rule.as_str().into(),
            count(rule.pairs).into(),
            count(first).into(),
            percent(first as f64 / (report.pairs as f64).max(1.0)).into(),
            count(rule.keyed_records).into(),
            count(rule.largest_block).into(),
            count(rule.hot_blocks).into(),
            count(rule.refused_pairs).into(),
        ];
        match traced.and_then(|trace| trace.rules.get(index)) {
            Some(RuleTrace {
                true_pairs,
                only_here,
                ..
            }) => {
                row.extend([count(*true_pairs), count(*only_here)].map(Html::from));
            }
            None => row.extend([made(figures, index), Html::default()]),
        }
        row
    });
    body.push(table("Cost by rule", &head, rows.collect()));
    if let Some(trace) = traced {
        body.push(note(&format!(
            "Some rule makes {} of the {} pairs of the truth.",
            percent(trace.recall_of_blocking),
            count(trace.pairs)
        )));
    } else if let Some(recall) = content.assessment.estimate.recall_of_blocking {
        body.push(note(&format!(
            "From how often rules on different fields make the same links, some rule makes an estimated {} of all pairs that would link if they were compared ({} to {}). \u{201c}Of links\u{201d} is the share of links that a rule makes, whether or not it is the first.",
            percent(recall.value), percent(recall.low), percent(recall.high)
        )));
    }
    body
}

fn made(figures: &RebuildFigures, rule: usize) -> Html {
    let captures = &figures.captures;
    let made = captures.both.get(rule).and_then(|row| row.get(rule));
    made.map_or_else(Html::default, |&made| {
        percent(made as f64 / (captures.links as f64).max(1.0)).into()
    })
}

fn chart(rules: &[RuleReport], all: u64) -> Svg {
    const ROW: f64 = 34.0;
    const START: f64 = 350.0;
    let mut chart = Svg::new(
        "Candidate pairs by blocking rule",
        "One row a rule: the pairs it is the first to make, those that an earlier rule made too, and those refused in large blocks.",
        (WIDTH, rules.len() as f64 * ROW + 28.0),
    );
    let length = |rule: &RuleReport| rule.pairs.max(rule.first_pairs.unwrap_or(0)) as f64;
    let most = rules.iter().map(length).fold(1.0, f64::max);
    let across = Scale::new((0.0, most), (START, WIDTH - 120.0));
    let bottom = rules.len() as f64 * ROW + 4.0;
    for tick in across.ticks(5.0) {
        chart.line("grid", (across.at(tick), 0.0), (across.at(tick), bottom));
        chart.text(
            "soft",
            (across.at(tick), bottom + 16.0),
            Anchor::Middle,
            &count(tick as u64),
        );
    }
    for (index, rule) in rules.iter().enumerate() {
        let y = index as f64 * ROW + 4.0;
        let first = rule.first_pairs.unwrap_or(0);
        chart.label("", (START - 12.0, y + 16.0), Anchor::End, &rule.rule);
        let end = across.at(first as f64);
        chart.bar(
            "fill-link",
            (START, y + 4.0),
            ((end - START).max(1.0), 16.0),
            &format!("first for {} pairs", count(first)),
        );
        let later = rule.pairs.saturating_sub(first);
        chart.bar(
            "fill-pale",
            (end, y + 4.0),
            (across.at(length(rule)) - end, 16.0),
            &format!("{} pairs of earlier rules", count(later)),
        );
        if rule.refused_pairs > 0 {
            let end = across.at(rule.refused_pairs as f64);
            chart.bar(
                "fill-refused",
                (START, y + 22.0),
                ((end - START).max(1.5), 4.0),
                &format!("at most {} pairs refused", count(rule.refused_pairs)),
            );
        }
        let share = percent(first as f64 / (all as f64).max(1.0));
        chart.text(
            "soft",
            (across.at(length(rule)) + 8.0, y + 16.0),
            Anchor::Start,
            &format!("{share} of pairs"),
        );
    }
    chart.line("axis", (START, 0.0), (START, bottom));
    chart
}
