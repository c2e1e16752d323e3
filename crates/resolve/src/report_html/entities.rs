//! Where records come from, and how many make an entity.

use sameas_graph::{NodeId, SourceId};

use super::markup::{Html, count, folded, percent, table};
use super::svg::{Anchor, Scale, Svg};
use super::{Content, Section, WIDTH, figure, key, paragraph};

/// Sizes of entities that are counted together: from, to.
const SIZES: [(usize, usize); 9] = [
    (1, 1),
    (2, 2),
    (3, 3),
    (4, 4),
    (5, 5),
    (6, 10),
    (11, 20),
    (21, 50),
    (51, usize::MAX),
];

/// What became of the records of one source.
#[derive(Clone, Default)]
struct Source {
    records: u64,
    alone: u64,
    /// Together with another record of the source.
    repeated: u64,
    /// Together with a record of another source.
    elsewhere: u64,
    entities: u64,
}

/// The sources, and how much they share.
pub(super) fn sources(content: &Content<'_>) -> Section {
    let names = content.graph.references.sources();
    let (sources, shared) = counted(content);
    let rows = names.iter().zip(&sources).map(|(name, source)| {
        let share = |part: u64| percent(part as f64 / (source.records as f64).max(1.0));
        vec![
            name.as_str().into(),
            count(source.records).into(),
            count(source.entities).into(),
            share(source.elsewhere).into(),
            share(source.repeated).into(),
            share(source.alone).into(),
        ]
    });
    let head = [
        "source",
        "records",
        "entities",
        "also in another source",
        "more than once here",
        "alone",
    ];
    let mut body = Html::join([
        paragraph("What became of the records of each source."),
        figure(chart(names, &sources)),
        key(&[
            ("k-link", "also in another source"),
            ("k-pale", "more than once in this source alone"),
            ("k-ghost", "alone"),
        ]),
        table("Records by source", &head, rows.collect()),
    ]);
    if names.len() > 1 {
        body.push(overlap(names, &shared));
    }
    Section {
        anchor: "sources",
        title: "Sources",
        body,
    }
}

/// Counts the records of every source, and the entities that every two sources share.
fn counted(content: &Content<'_>) -> (Vec<Source>, Vec<Vec<u64>>) {
    let references = &content.graph.references;
    let len = references.sources().len();
    let mut sources = vec![Source::default(); len];
    for (index, source) in sources.iter_mut().enumerate() {
        source.records = references.nodes_of(SourceId::new(index as u16)).len() as u64;
    }
    let mut shared = vec![vec![0; len]; len];
    for (_, members) in content.graph.partition.clusters() {
        let of = |&node: &u32| references.source_of(NodeId::new(node)).index();
        let mut held: Vec<usize> = members.iter().map(of).collect();
        held.sort_unstable();
        let distinct: Vec<&[usize]> = held.chunk_by(|a, b| a == b).collect();
        for run in &distinct {
            let (source, len) = (&mut sources[run[0]], run.len() as u64);
            source.entities += 1;
            match (distinct.len(), run.len()) {
                (1, 1) => source.alone += len,
                (1, _) => {}
                _ => source.elsewhere += len,
            }
            source.repeated += if run.len() > 1 { len } else { 0 };
            for other in &distinct {
                shared[run[0]][other[0]] += 1;
            }
        }
    }
    (sources, shared)
}

fn overlap(names: &[String], shared: &[Vec<u64>]) -> Html {
    let head: Vec<&str> = std::iter::once("entities in both")
        .chain(names.iter().map(String::as_str))
        .collect();
    let rows = names.iter().zip(shared).map(|(name, row)| {
        let cells = row.iter().map(|&entities| Html::from(count(entities)));
        std::iter::once(Html::from(name.as_str()))
            .chain(cells)
            .collect()
    });
    folded(
        "Entities that two sources share",
        table("", &head, rows.collect()),
    )
}

fn chart(names: &[String], sources: &[Source]) -> Svg {
    const ROW: f64 = 28.0;
    const START: f64 = 170.0;
    let mut chart = Svg::new(
        "Records by source",
        "One bar a source: records that are also in another source, only repeated in this one, and alone.",
        (WIDTH, sources.len() as f64 * ROW + 6.0),
    );
    let most = sources
        .iter()
        .map(|source| source.records)
        .max()
        .unwrap_or(1);
    let across = Scale::new((0.0, most as f64), (START, WIDTH - 110.0));
    for (index, (name, source)) in names.iter().zip(sources).enumerate() {
        let y = index as f64 * ROW + 2.0;
        chart.label("", (START - 12.0, y + 16.0), Anchor::End, name);
        let only_here = source.records - source.elsewhere - source.alone;
        let parts = [
            ("fill-link", source.elsewhere, "also in another source"),
            (
                "fill-pale",
                only_here,
                "more than once in this source alone",
            ),
            ("fill-ghost", source.alone, "alone"),
        ];
        let mut before = 0;
        for (class, records, what) in parts {
            let (from, to) = (
                across.at(before as f64),
                across.at((before + records) as f64),
            );
            chart.bar(
                class,
                (from, y + 3.0),
                (to - from, 18.0),
                &format!("{} records {what}", count(records)),
            );
            before += records;
        }
        chart.text(
            "soft",
            (across.at(before as f64) + 8.0, y + 16.5),
            Anchor::Start,
            &count(source.records),
        );
    }
    chart
}

/// How many records make an entity.
pub(super) fn sizes(content: &Content<'_>) -> Section {
    let mut counts = [0_u64; SIZES.len()];
    let mut largest = 0;
    for (_, members) in content.graph.partition.clusters() {
        largest = largest.max(members.len());
        let place = SIZES
            .iter()
            .position(|&(from, to)| (from..=to).contains(&members.len()));
        counts[place.unwrap_or(0)] += 1;
    }
    let used = counts.iter().rposition(|&count| count > 0).unwrap_or(0) + 1;
    let name = |index: usize| match SIZES[index] {
        (from, usize::MAX) => format!("over {}", from - 1),
        (from, to) if from == to => from.to_string(),
        (from, to) => format!("{from} to {to}"),
    };
    let mut chart = Svg::new(
        "Entities by size",
        &format!("Bars count entities by how many records they have; the largest has {largest}."),
        (WIDTH, 208.0),
    );
    let most = counts.iter().copied().max().unwrap_or(1);
    let up = Scale::new((0.0, most as f64), (170.0, 26.0));
    let step = ((WIDTH - 40.0) / used as f64).min(118.0);
    for (index, &entities) in counts.iter().enumerate().take(used) {
        let x = 20.0 + index as f64 * step;
        let top = up.at(entities as f64);
        let tall = if entities > 0 {
            (170.0 - top).max(1.5)
        } else {
            0.0
        };
        chart.bar(
            "fill-link",
            (x, 170.0 - tall),
            (step - 16.0, tall),
            &format!("{} entities of {}", count(entities), name(index)),
        );
        let middle = x + (step - 16.0) / 2.0;
        chart.text("", (middle, 163.0 - tall), Anchor::Middle, &count(entities));
        chart.text("soft", (middle, 188.0), Anchor::Middle, &name(index));
    }
    chart.line("axis", (0.0, 170.0), (WIDTH, 170.0));
    chart.text("soft", (WIDTH, 205.0), Anchor::End, "records of an entity");
    let average = content.graph.references.len() as f64
        / (content.graph.partition.cluster_count() as f64).max(1.0);
    Section {
        anchor: "sizes",
        title: "Entity sizes",
        body: Html::join([
            paragraph(&format!(
                "An entity has {average:.2} records on average, the largest {}. A long tail is the first sign of records that should not be together.",
                count(largest as u64)
            )),
            figure(chart),
        ]),
    }
}
