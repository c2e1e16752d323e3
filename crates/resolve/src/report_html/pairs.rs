//! How the weight of an example pair adds up.

use sameas_graph::{Decision, Evidence, Legend, RuleKind};

use super::markup::{Html, bits, percent};
use super::svg::{Anchor, Scale, Svg};
use super::{Content, Section, WIDTH, figure, key, paragraph};
use crate::evaluate::missed::named;

/// One step of the sum.
struct Step {
    name: String,
    level: String,
    bits: f64,
}

/// Pairs that show how weights add up: one of the middle, the weakest link, the strongest review.
pub(super) fn section(content: &Content<'_>) -> Section {
    let evidence = &content.graph.evidence;
    let legend = &content.graph.legend;
    let mut links: Vec<&Evidence> = evidence
        .iter()
        .filter(|edge| edge.decision == Decision::Link && !by_rule(legend, edge))
        .collect();
    links.sort_by_key(|edge| (edge.weight, edge.left, edge.right));
    let reviews = evidence
        .iter()
        .filter(|edge| edge.decision == Decision::Review);
    let reviewed = reviews.max_by_key(|edge| (edge.weight, edge.left, edge.right));
    let shown = [
        ("A link of the middle", links.get(links.len() / 2).copied()),
        ("The weakest link", links.first().copied()),
        ("The strongest pair for review", reviewed),
    ];
    let mut body = paragraph(
        "How a weight comes about: the prior, which speaks against any two records, then what each comparison adds, then what rare values add and what relatives would share as well or is said twice takes away. \u{201c}sameas explain\u{201d} says this of any pair.",
    );
    let mut any = false;
    for (title, edge) in shown {
        let Some(edge) = edge else { continue };
        any = true;
        body.push(example(content, title, edge));
    }
    if any {
        body.push(key(&[
            ("k-link", "speaks for one entity"),
            ("k-refused", "speaks against"),
            ("k-ghost", "sum"),
        ]));
    } else {
        body.push(paragraph(
            "There is no link and no pair for review to show.",
        ));
    }
    Section {
        anchor: "pairs",
        title: "Example pairs",
        body,
    }
}

fn by_rule(legend: &Legend, edge: &Evidence) -> bool {
    let rule = legend.rules.get(edge.rule.index());
    rule.is_some_and(|rule| rule.kind == RuleKind::Deterministic)
}

fn example(content: &Content<'_>, title: &str, edge: &Evidence) -> Html {
    let references = &content.graph.references;
    let reference = |node| {
        let reference = named(references, node);
        Html::join([
            Html::text(&reference.source),
            Html::fixed(" "),
            Html::element("code", reference.key),
        ])
    };
    let rule = content.graph.legend.rules.get(edge.rule.index());
    let rule = rule.map_or("", |rule| rule.name.as_str());
    let told = Html::join([
        reference(edge.left),
        Html::text(" and "),
        reference(edge.right),
        Html::text(&format!(
            ": {} bits, probability {}; first made by {rule}",
            bits(edge.weight.bits()),
            percent(edge.weight.probability())
        )),
    ]);
    Html::join([
        Html::element("h3", title),
        Html::element("p class=\"note\"", told),
        figure(waterfall(&content.graph.legend, title, edge)),
    ])
}

fn steps(legend: &Legend, edge: &Evidence) -> Vec<Step> {
    let mut steps = vec![Step {
        name: "prior".to_owned(),
        level: "two records at random".to_owned(),
        bits: legend.prior.bits(),
    }];
    for (index, comparison) in legend.comparisons.iter().enumerate() {
        let level = comparison
            .levels
            .get(usize::from(edge.pattern.level(index)));
        steps.push(Step {
            name: comparison.name.clone(),
            level: level.map_or_else(String::new, |level| level.name.clone()),
            bits: level.map_or(0.0, |level| level.weight.bits()),
        });
    }
    let remainder = legend.remainder(edge.weight, Some(edge.rule), edge.pattern);
    let rest = [
        (
            "adjustment",
            "rare values, relatives, said twice",
            remainder.adjustment_bits,
        ),
        (
            "rule",
            "decides whatever the levels say",
            remainder.rule_bits,
        ),
    ];
    for (name, level, bits) in rest.into_iter().filter(|(.., bits)| *bits != 0.0) {
        steps.push(Step {
            name: name.to_owned(),
            level: level.to_owned(),
            bits,
        });
    }
    steps
}

fn waterfall(legend: &Legend, title: &str, edge: &Evidence) -> Svg {
    const ROW: f64 = 23.0;
    const TOP: f64 = 30.0;
    const START: f64 = 470.0;
    let steps = steps(legend, edge);
    let bottom = TOP + (steps.len() as f64 + 1.0) * ROW;
    let (mut sum, mut low, mut high) = (0.0, 0.0_f64, legend.link.bits().max(0.0));
    for step in &steps {
        sum += step.bits;
        (low, high) = (low.min(sum), high.max(sum));
    }
    let told: Vec<String> = steps
        .iter()
        .map(|step| format!("{} {}", step.name, bits(step.bits)))
        .collect();
    let description = format!(
        "{}; together {} bits.",
        told.join(", "),
        bits(edge.weight.bits())
    );
    let mut chart = Svg::new(
        &format!("{title}: how the weight adds up"),
        &description,
        (WIDTH, bottom + 26.0),
    );
    let across = Scale::new((low, high), (START, WIDTH - 56.0));
    for tick in across.ticks(8.0) {
        chart.line(
            "grid",
            (across.at(tick), TOP - 6.0),
            (across.at(tick), bottom),
        );
        let text = format!("{tick:.0}").replace('-', "\u{2212}");
        chart.text(
            "soft",
            (across.at(tick), bottom + 16.0),
            Anchor::Middle,
            &text,
        );
    }
    chart.line(
        "rest",
        (across.at(0.0), TOP - 6.0),
        (across.at(0.0), bottom),
    );
    let link = across.at(legend.link.bits());
    chart.line("limit", (link, TOP - 6.0), (link, bottom));
    chart.text("mark", (link, TOP - 12.0), Anchor::Middle, "link");
    let (mut sum, mut y) = (0.0, TOP);
    for step in &steps {
        let (from, to) = (across.at(sum), across.at(sum + step.bits));
        sum += step.bits;
        row(&mut chart, y, (&step.name, &step.level));
        let class = if step.bits < 0.0 {
            "fill-refused"
        } else {
            "fill-link"
        };
        let tip = format!("{}: {} bits", step.name, bits(step.bits));
        chart.bar(
            class,
            (from.min(to), y + 3.0),
            ((to - from).abs().max(1.0), 15.0),
            &tip,
        );
        value(&mut chart, (from, to), y, step.bits);
        chart.line("rest", (to, y + 18.0), (to, y + ROW + 3.0));
        y += ROW;
    }
    row(&mut chart, y, ("sum", "posterior weight"));
    let (zero, end) = (across.at(0.0), across.at(edge.weight.bits()));
    chart.bar(
        "fill-ghost",
        (zero.min(end), y + 3.0),
        ((end - zero).abs().max(1.0), 15.0),
        &bits(edge.weight.bits()),
    );
    value(&mut chart, (zero, end), y, edge.weight.bits());
    chart
}

fn row(chart: &mut Svg, y: f64, (name, level): (&str, &str)) {
    chart.label("strong", (0.0, y + 15.0), Anchor::Start, name);
    chart.label("soft", (150.0, y + 15.0), Anchor::Start, level);
}

/// Writes what a step adds, beside the end of its bar.
fn value(chart: &mut Svg, (from, to): (f64, f64), y: f64, step: f64) {
    let right = to.max(from) + 5.0;
    if step < 0.0 {
        chart.text("", (to.min(from) - 5.0, y + 15.0), Anchor::End, &bits(step));
    } else {
        chart.text("", (right, y + 15.0), Anchor::Start, &bits(step));
    }
}
