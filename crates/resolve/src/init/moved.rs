//! Numbers that are all off by the same between two sources: ages in lists of different years, and lengths
//! in other units.

use std::collections::BTreeMap;

use sameas_graph::{Evidence, NodeId, SourceId};
use sameas_record::Records;
use sameas_source::{FieldMapping, OneOrMany};

use super::map::{Fields, Profile, quoted};
use super::role::Role;

/// Fewer links do not show that a number has moved.
const LINKS_LEAST: u64 = 30;

/// It has if so many links differ by the same, and many more than differ by nothing.
const SHARE_MIN: f64 = 0.3;
const TIMES_EQUAL_MIN: u64 = 2;

/// Ratios count as one if they differ by less than this share: what was rounded, and exchange rates.
const RATIO_WIDTH: f64 = 0.02;

/// Numbers are brought back if so many are written as nothing but a number.
const PLAIN_MIN: f64 = 0.98;

/// A number of one source that is off by the same in most records.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moved {
    field: String,
    /// By name.
    source: String,
    /// What it lacks to be that of the source it was held against.
    by: Change,
    /// The share of links that differ by just so much, and how many there are.
    share: f64,
    links: u64,
}

/// What makes a number of one source that of another.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Plus(i64),
    /// Another unit.
    Times(f64),
}

/// Holds the whole numbers of every source against those of the first one that has them.
pub(super) fn find(records: &Records, fields: &Fields, links: &[Evidence]) -> Vec<Moved> {
    let references = records.references();
    let numbers = fields
        .fields
        .iter()
        .filter(|(_, field)| matches!(field.role, Role::Number | Role::Age));
    let mut moved = Vec::new();
    for (name, mapped) in numbers {
        let Some(field) = records.schema().field_id(name) else {
            continue;
        };
        let column = records.column(field);
        let number = |node: NodeId| {
            let id = column.first(node.get() as usize);
            column.dictionary().text(id)
        };
        // By the two sources, the earlier first.
        let mut differences: BTreeMap<[SourceId; 2], BTreeMap<i64, u64>> = BTreeMap::new();
        let mut ratios: BTreeMap<[SourceId; 2], Vec<f64>> = BTreeMap::new();
        for link in links {
            // Nodes are in the order of their sources.
            let nodes = [link.left.min(link.right), link.left.max(link.right)];
            let sources = nodes.map(|node| references.source_of(node));
            let positive = nodes.map(|node| number(node).parse().ok().filter(|&n: &f64| n > 0.0));
            if let [Some(first), Some(second)] = positive
                && sources[0] != sources[1]
            {
                ratios.entry(sources).or_default().push(first / second);
            }
            let [Some(first), Some(second)] = nodes.map(|node| number(node).parse::<i64>().ok())
            else {
                continue;
            };
            let by = first.checked_sub(second);
            if let Some(by) = by.filter(|_| sources[0] != sources[1]) {
                let of = differences.entry(sources).or_default();
                *of.entry(by).or_default() += 1;
            }
        }
        let first = ratios.keys().map(|sources| sources[0]).min();
        let beside_first = ratios.iter_mut().filter(|(of, _)| Some(of[0]) == first);
        moved.extend(beside_first.filter_map(|(of, ratios)| {
            let by_difference = differences.get(of).and_then(usual);
            let (by, share, links) = by_difference.or_else(|| {
                // Years of age have one unit.
                (mapped.role == Role::Number).then(|| usual_ratio(ratios))?
            })?;
            Some(Moved {
                field: name.clone(),
                source: references.sources().get(of[1].index())?.clone(),
                by,
                share,
                links,
            })
        }));
    }
    moved
}

/// Returns by how much most links differ, if they clearly differ by something.
fn usual(counts: &BTreeMap<i64, u64>) -> Option<(Change, f64, u64)> {
    let all: u64 = counts.values().sum();
    let (&by, &count) = counts.iter().max_by_key(|(_, count)| **count)?;
    let equal = counts.get(&0).copied().unwrap_or(0);
    let share = count as f64 / all as f64;
    (by != 0 && all >= LINKS_LEAST && share >= SHARE_MIN && count >= TIMES_EQUAL_MIN * equal)
        .then_some((Change::Plus(by), share, all))
}

/// Returns the ratio of most links, if it is clearly another than one.
fn usual_ratio(ratios: &mut [f64]) -> Option<(Change, f64, u64)> {
    ratios.sort_unstable_by(f64::total_cmp);
    let within = |from: f64| {
        let first = ratios.partition_point(|&ratio| ratio < from);
        let last = ratios.partition_point(|&ratio| ratio <= from * (1.0 + RATIO_WIDTH));
        first..last
    };
    let most = ratios
        .iter()
        .map(|&from| within(from))
        .max_by_key(ExactSizeIterator::len)?;
    let equal = within(1.0 - RATIO_WIDTH / 2.0).len();
    let by = ratios[usize::midpoint(most.start, most.end)];
    let (count, all) = (most.len(), ratios.len());
    let share = count as f64 / all as f64;
    let is_other = (by - 1.0).abs() > RATIO_WIDTH;
    (is_other
        && all as u64 >= LINKS_LEAST
        && share >= SHARE_MIN
        && count as u64 >= TIMES_EQUAL_MIN * equal as u64)
        .then_some((Change::Times(by), share, all as u64))
}

/// Brings numbers back to where those of the first source are; tells whether any could be.
pub(super) fn bring_back(moved: &[Moved], profiles: &[Profile], fields: &mut Fields) -> bool {
    let mut is_any = false;
    for found in moved {
        let Some(source) = profiles.iter().position(|p| p.name == found.source) else {
            continue;
        };
        let field = fields.fields.get_mut(&found.field);
        let Some(mapped) = field.and_then(|field| field.mapped.get_mut(&source)) else {
            continue;
        };
        let [column] = mapped.columns[..] else {
            continue;
        };
        if !is_plain(&profiles[source], column) {
            continue;
        }
        let column = quoted(&profiles[source].sample.columns[column].name);
        let number = format!("try_cast({column} as double)");
        let (text, done) = match found.by {
            Change::Plus(by) => (
                format!("{number} + ({by})"),
                format!(
                    "{by:+} is added, for {:.0} % of {} likely pairs are off by that, as what was taken at another time is",
                    found.share * 100.0,
                    found.links
                ),
            ),
            Change::Times(by) => (
                format!("{number} * {by:.6e}"),
                format!(
                    "it is multiplied by {by:.3e}, for {:.0} % of {} likely pairs have that ratio, as other units do",
                    found.share * 100.0,
                    found.links
                ),
            ),
        };
        mapped.mapping = FieldMapping::From(OneOrMany::One(text));
        mapped.remark = format!("{}; {done}", mapped.remark);
        mapped.is_sure = false;
        is_any = true;
    }
    is_any
}

/// Tells whether values are written as numbers alone, for expressions see them as they are written.
fn is_plain(profile: &Profile, column: usize) -> bool {
    let values = profile.sample.values(column).flatten();
    let are_plain: Vec<bool> = values
        .map(|value| value.trim().parse::<f64>().is_ok())
        .collect();
    let plain = are_plain.iter().filter(|is_plain| **is_plain).count();
    plain as f64 >= PLAIN_MIN * are_plain.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_links_differ_by_is_told_from_slips() {
        let ten_years = BTreeMap::from([(0, 3), (8, 20), (9, 30), (10, 90), (11, 40)]);
        assert_eq!(
            usual(&ten_years).map(|found| found.0),
            Some(Change::Plus(10))
        );
        let rounded = BTreeMap::from([(-1, 60), (0, 90), (1, 70)]);
        assert_eq!(usual(&rounded), None);
        let prices = (1..100).map(|by| (by, 1)).collect();
        assert_eq!(usual(&prices), None);
        assert_eq!(usual(&BTreeMap::from([(10, 12)])), None);
    }

    /// Songs of one list were as long in milliseconds as those of another in seconds, and met in no length.
    #[test]
    fn what_most_links_are_a_multiple_of_is_another_unit() {
        let mut lens: Vec<f64> = (0..100).map(|n| 0.001 + f64::from(n % 7) * 1e-7).collect();
        lens.extend((1..30).map(|n| f64::from(n) / 10.0));
        let Some((Change::Times(by), ..)) = usual_ratio(&mut lens) else {
            panic!("there is a usual ratio");
        };
        assert!((by - 0.001).abs() < 1e-5, "{by}");
        let mut prices: Vec<f64> = (0..100).map(|n| 0.8 + f64::from(n) / 250.0).collect();
        assert_eq!(usual_ratio(&mut prices), None);
    }
}
