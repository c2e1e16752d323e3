//! What each level of each comparison says, and how often it occurs.

use super::markup::{Html, bits, chance, count, folded, percent, table};
use super::svg::{Anchor, Scale, Svg};
use super::{Content, Section, WIDTH, figure, key, note, paragraph};
use crate::figures::LevelCount;
use crate::report::{ComparisonReport, LevelReport};

/// One level as it is drawn.
struct Level {
    name: String,
    bits: f64,
    /// m and u, if the model file is at hand.
    chances: Option<(f64, f64)>,
    doubt: Option<&'static str>,
}

struct Comparison {
    name: String,
    levels: Vec<Level>,
}

const ROW: f64 = 21.0;
const NAME_END: f64 = 318.0;

/// The comparisons of a revision.
pub(super) fn section(content: &Content<'_>) -> Section {
    let comparisons = of_revision(content);
    let mut body = explained(&comparisons);
    if let Some(figures) = &content.figures {
        body.push(Html::element("h3", "How often levels occur"));
        body.push(paragraph("Of the pairs that link, and of those that wait for review, the share at each level. A level that links never show earns its weight nowhere."));
        body.push(figure(occurrence(&comparisons, &figures.levels)));
        body.push(key(&[
            ("k-link", "of links"),
            ("k-review", "of pairs for review"),
        ]));
    }
    Section {
        anchor: "comparisons",
        title: "Comparisons",
        body,
    }
}

/// The comparisons of a training.
pub(super) fn trained(reports: &[ComparisonReport]) -> Section {
    let level = |level: &LevelReport| Level {
        name: level.level.clone(),
        bits: level.bits,
        chances: Some((level.m, level.u)),
        doubt: level.doubt(),
    };
    let comparisons = reports.iter().map(|report| Comparison {
        name: report.comparison.clone(),
        levels: report.levels.iter().map(level).collect(),
    });
    Section {
        anchor: "comparisons",
        title: "Comparisons",
        body: explained(&comparisons.collect::<Vec<_>>()),
    }
}

fn of_revision(content: &Content<'_>) -> Vec<Comparison> {
    let legend = content.graph.legend.comparisons.iter().enumerate();
    let model = content.model.as_ref();
    legend
        .map(|(index, comparison)| {
            let trained = model.and_then(|model| model.comparisons.get(index));
            let seen = content
                .training
                .as_ref()
                .and_then(|report| report.comparisons.get(index));
            let levels = comparison.levels.iter().skip(1).enumerate();
            Comparison {
                name: comparison.name.clone(),
                levels: levels
                    .map(|(place, level)| {
                        let trained = trained.and_then(|trained| trained.levels.get(place));
                        let seen = seen.and_then(|seen| seen.levels.get(place));
                        Level {
                            name: level.name.clone(),
                            bits: level.weight.bits(),
                            chances: trained.map(|trained| (trained.m, trained.u)),
                            doubt: seen.and_then(LevelReport::doubt),
                        }
                    })
                    .collect(),
            }
        })
        .collect()
}

fn explained(comparisons: &[Comparison]) -> Html {
    let known = comparisons
        .iter()
        .flat_map(|c| &c.levels)
        .any(|level| level.chances.is_some());
    let mut body = paragraph(
        "What each answer is worth. m is how often a level occurs between records of one entity, u how often between strangers; the weight is log\u{2082}(m / u). A missing value weighs nothing.",
    );
    body.push(figure(chart(comparisons, known)));
    if known {
        body.push(key(&[
            ("k-link", "m, or speaks for one entity"),
            ("k-ghost", "u"),
            ("k-refused", "speaks against"),
        ]));
    } else {
        body.push(note("The model file is not the one that this revision was weighed by, so only weights are shown."));
    }
    let mut levels = comparisons.iter().flat_map(|c| &c.levels);
    if levels.any(|level| level.doubt.is_some()) {
        body.push(note("A question mark stands where training saw no pair at the level, among random or candidate pairs: that weight is more guessed than learnt."));
    }
    let rows = comparisons.iter().flat_map(|comparison| {
        comparison.levels.iter().map(|level| {
            let (m, u) = level
                .chances
                .map_or((String::new(), String::new()), |(m, u)| {
                    (chance(m), chance(u))
                });
            vec![
                comparison.name.as_str().into(),
                Html::element("code", level.name.as_str()),
                m.into(),
                u.into(),
                bits(level.bits).into(),
                level.doubt.unwrap_or_default().into(),
            ]
        })
    });
    body.push(folded(
        "Figures as a table",
        table(
            "Weights by level",
            &["comparison", "level", "m", "u", "bits", ""],
            rows.collect(),
        ),
    ));
    body
}

fn height(comparisons: &[Comparison]) -> f64 {
    let rows = comparisons
        .iter()
        .map(|c| c.levels.len() as f64 * ROW + 32.0);
    rows.sum::<f64>() + 34.0
}

fn chart(comparisons: &[Comparison], known: bool) -> Svg {
    let mut chart = Svg::new(
        "Weight, m and u of every level",
        "One row a level: on the left m and u as bars from 0 to 1, on the right the weight in bits, for or against one entity.",
        (WIDTH, height(comparisons)),
    );
    let levels = || comparisons.iter().flat_map(|comparison| &comparison.levels);
    let most = levels().map(|level| level.bits.abs()).fold(4.0, f64::max);
    let least = levels().map(|level| level.bits).fold(0.0, f64::min);
    let best = levels().map(|level| level.bits).fold(0.0, f64::max);
    let share = Scale::new((0.0, 1.0), (NAME_END + 14.0, 560.0));
    let start = if known { 630.0 } else { NAME_END + 60.0 };
    let weight = Scale::new((least.min(-most * 0.1), best), (start, WIDTH - 52.0));
    if known {
        chart.text(
            "soft",
            (share.at(0.0), 14.0),
            Anchor::Start,
            "m and u, 0 to 1",
        );
    }
    chart.text(
        "soft",
        (weight.at(0.0), 14.0),
        Anchor::Middle,
        "weight in bits",
    );
    let mut y = 22.0;
    for comparison in comparisons {
        chart.line("grid", (0.0, y + 4.0), (WIDTH, y + 4.0));
        chart.label("strong", (0.0, y + 22.0), Anchor::Start, &comparison.name);
        y += 30.0;
        for level in &comparison.levels {
            row(&mut chart, level, y, share, weight);
            y += ROW;
        }
        y += 2.0;
    }
    chart.line("rest", (weight.at(0.0), 22.0), (weight.at(0.0), y));
    chart
}

fn row(chart: &mut Svg, level: &Level, y: f64, share: Scale, weight: Scale) {
    chart.label("soft", (NAME_END, y + 12.0), Anchor::End, &level.name);
    if let Some((m, u)) = level.chances {
        let start = share.at(0.0);
        chart.bar("track", (start, y + 2.0), (share.at(1.0) - start, 13.0), "");
        chart.bar(
            "fill-link",
            (start, y + 2.0),
            ((share.at(m) - start).max(1.0), 7.0),
            &format!("m {}", chance(m)),
        );
        chart.bar(
            "fill-ghost",
            (start, y + 9.0),
            ((share.at(u) - start).max(1.0), 6.0),
            &format!("u {}", chance(u)),
        );
    }
    let (zero, end) = (weight.at(0.0), weight.at(level.bits));
    let (class, from, anchor, beside) = if level.bits < 0.0 {
        ("fill-refused", end, Anchor::End, end - 5.0)
    } else {
        ("fill-link", zero, Anchor::Start, end + 5.0)
    };
    chart.bar(
        class,
        (from, y + 2.0),
        ((end - zero).abs().max(1.0), 13.0),
        &format!("{} bits", bits(level.bits)),
    );
    let doubt = if level.doubt.is_some() { " ?" } else { "" };
    chart.text(
        "",
        (beside, y + 12.5),
        anchor,
        &format!("{}{doubt}", bits(level.bits)),
    );
}

fn occurrence(comparisons: &[Comparison], counts: &[Vec<LevelCount>]) -> Svg {
    let rows: f64 = counts
        .iter()
        .map(|levels| levels.len() as f64 * ROW + 32.0)
        .sum();
    let mut chart = Svg::new(
        "How often each level occurs",
        "One row a level: its share of the pairs that link and of the pairs that wait for review.",
        (WIDTH, rows + 8.0),
    );
    let share = Scale::new((0.0, 1.0), (NAME_END + 14.0, WIDTH - 210.0));
    let mut y = 0.0;
    for (comparison, counts) in comparisons.iter().zip(counts) {
        let total = |of: fn(&LevelCount) -> u64| counts.iter().map(of).sum::<u64>().max(1) as f64;
        let (links, reviews) = (total(|c| c.links), total(|c| c.reviews));
        chart.line("grid", (0.0, y + 4.0), (WIDTH, y + 4.0));
        chart.label("strong", (0.0, y + 22.0), Anchor::Start, &comparison.name);
        y += 30.0;
        let names = std::iter::once("a value is missing")
            .chain(comparison.levels.iter().map(|l| l.name.as_str()));
        for (name, count_of) in names.zip(counts) {
            let of_links = count_of.links as f64 / links;
            let of_reviews = count_of.reviews as f64 / reviews;
            let start = share.at(0.0);
            chart.label("soft", (NAME_END, y + 12.0), Anchor::End, name);
            chart.bar("track", (start, y + 2.0), (share.at(1.0) - start, 13.0), "");
            chart.bar(
                "fill-link",
                (start, y + 2.0),
                (share.at(of_links) - start, 7.0),
                &format!("{} links", count(count_of.links)),
            );
            chart.bar(
                "fill-review",
                (start, y + 9.0),
                (share.at(of_reviews) - start, 6.0),
                &format!("{} for review", count(count_of.reviews)),
            );
            chart.text(
                "soft",
                (share.at(1.0) + 10.0, y + 12.5),
                Anchor::Start,
                &format!("{} of links", percent(of_links)),
            );
            y += ROW;
        }
        y += 2.0;
    }
    chart
}
