//! Numbers that are all off by the same between two sources: ages in lists of different years.

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

/// Numbers are brought back if so many are written as nothing but a number.
const PLAIN_MIN: f64 = 0.98;

/// A number of one source that is off by the same in most records.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moved {
    field: String,
    /// By name.
    source: String,
    /// What it lacks to be that of the source it was held against.
    by: i64,
    /// The share of links that differ by just so much, and how many there are.
    share: f64,
    links: u64,
}

/// Holds the whole numbers of every source against those of the first one that has them.
pub(super) fn find(records: &Records, fields: &Fields, links: &[Evidence]) -> Vec<Moved> {
    let references = records.references();
    let numbers = fields
        .fields
        .iter()
        .filter(|(_, field)| matches!(field.role, Role::Number | Role::Age));
    let mut moved = Vec::new();
    for (name, _) in numbers {
        let Some(field) = records.schema().field_id(name) else {
            continue;
        };
        let column = records.column(field);
        let number = |node: NodeId| {
            let id = column.first(node.get() as usize);
            column.dictionary().text(id).parse::<i64>().ok()
        };
        // By the two sources, the earlier first.
        let mut differences: BTreeMap<[SourceId; 2], BTreeMap<i64, u64>> = BTreeMap::new();
        for link in links {
            // Nodes are in the order of their sources.
            let nodes = [link.left.min(link.right), link.left.max(link.right)];
            let sources = nodes.map(|node| references.source_of(node));
            let [Some(first), Some(second)] = nodes.map(number) else {
                continue;
            };
            let by = first.checked_sub(second);
            if let Some(by) = by.filter(|_| sources[0] != sources[1]) {
                let of = differences.entry(sources).or_default();
                *of.entry(by).or_default() += 1;
            }
        }
        let first = differences.keys().map(|sources| sources[0]).min();
        let beside_first = differences.iter().filter(|(of, _)| Some(of[0]) == first);
        moved.extend(beside_first.filter_map(|(of, counts)| {
            let (by, share, links) = usual(counts)?;
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
fn usual(counts: &BTreeMap<i64, u64>) -> Option<(i64, f64, u64)> {
    let all: u64 = counts.values().sum();
    let (&by, &count) = counts.iter().max_by_key(|(_, count)| **count)?;
    let equal = counts.get(&0).copied().unwrap_or(0);
    let share = count as f64 / all as f64;
    (by != 0 && all >= LINKS_LEAST && share >= SHARE_MIN && count >= TIMES_EQUAL_MIN * equal)
        .then_some((by, share, all))
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
        // Expressions see values as they are written.
        let values = profiles[source].sample.values(column).flatten();
        let are_plain: Vec<bool> = values
            .map(|value| value.trim().parse::<f64>().is_ok())
            .collect();
        let plain = are_plain.iter().filter(|is_plain| **is_plain).count();
        if (plain as f64) < PLAIN_MIN * are_plain.len() as f64 {
            continue;
        }
        let column = quoted(&profiles[source].sample.columns[column].name);
        let text = format!("try_cast({column} as double) + ({})", found.by);
        mapped.mapping = FieldMapping::From(OneOrMany::One(text));
        mapped.remark = format!(
            "{}; {:+} is added, for {:.0} % of {} likely pairs are off by that, as what was taken at another time is",
            mapped.remark,
            found.by,
            found.share * 100.0,
            found.links
        );
        mapped.is_sure = false;
        is_any = true;
    }
    is_any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_links_differ_by_is_told_from_slips() {
        let ten_years = BTreeMap::from([(0, 3), (8, 20), (9, 30), (10, 90), (11, 40)]);
        assert_eq!(usual(&ten_years).map(|found| found.0), Some(10));
        let rounded = BTreeMap::from([(-1, 60), (0, 90), (1, 70)]);
        assert_eq!(usual(&rounded), None);
        let prices = (1..100).map(|by| (by, 1)).collect();
        assert_eq!(usual(&prices), None);
        assert_eq!(usual(&BTreeMap::from([(10, 12)])), None);
    }
}
