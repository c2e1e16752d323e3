//! Whether a source holds each entity once, from what a first model links surely.
//!
//! Like is compared with like: a pair within a source is sure by the same measure as one between
//! sources, and what counts is how often entities repeat that another source surely knows. What no
//! other source knows is as often a series (editorials, test records) as an entity.
//!
//! Where one source is a copy of another, pairs between them differ in nothing, and by their measure
//! no duplicate within a source is ever sure. Every link counts there, and what repeats in both is no
//! evidence that it is a series.

use std::collections::{BTreeMap, BTreeSet};

use sameas_graph::{Evidence, NodeId, ReferenceTable, SourceId, connect};

/// The 97.5th percentile of the normal distribution.
const Z: f64 = 1.959_963_985;

/// A source whose records repeat at most as often as the model errs counts as clean; these bound
/// what is taken for the model's error.
const ERROR_MIN: f64 = 0.005;
const ERROR_MAX: f64 = 0.02;

/// A source of which too few records have partners to say so surely counts as clean all the same if
/// none or so few repeat that more than this share is unlikely.
const PRESUMED_MAX: f64 = 0.02;

/// So many of a source's records must surely have partners elsewhere to say anything.
const PARTNERED_MIN: u64 = 20;

/// A source counts as a copy if more than this share of its records that link to other sources link
/// to one that differs in nothing.
const COPIED_MIN: f64 = 0.5;

/// What sure pairs say of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Repeats {
    /// Records of the sample.
    pub(super) records: u64,
    /// Those with a sure partner in another source.
    pub(super) partnered: u64,
    /// Entities that such records are of.
    pub(super) entities: u64,
    /// Records beyond the first of such an entity that no other source repeats as often.
    pub(super) surplus: u64,
    /// Records beyond the first that another source repeats as often, or of which no other source
    /// knows: a series, or copies.
    pub(super) doubtful: u64,
    /// Whether it is largely a copy of other sources, or they of it: all links counted then, not
    /// only the sure ones.
    pub(super) is_copied: bool,
    /// From 0 to 1; of the repetitions of an entity in the sample, the share that is in it too.
    pub(super) share: f64,
    /// The share of entities that may repeat before the source does.
    pub(super) bound: f64,
}

/// What is to be said of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds each entity once.
    Clean,
    /// It does, unless what is doubtful are copies.
    Doubtful,
    /// It likely does, though too few records show it.
    Presumed,
    /// It repeats what its copy repeats, and nothing tells whether that is a series.
    Copied,
    /// It may, or may not.
    Unknown,
    /// It repeats entities.
    Repeating,
}

impl Repeats {
    pub(super) fn verdict(&self) -> Verdict {
        let share = |count: f64| count / (self.entities as f64 * self.share).max(f64::MIN_POSITIVE);
        if share(self.surplus as f64) > self.bound {
            return Verdict::Repeating;
        }
        let surplus = share(upper(self.surplus));
        if self.partnered < PARTNERED_MIN || surplus > PRESUMED_MAX.max(self.bound) {
            return Verdict::Unknown;
        }
        let is_doubtful = share(upper(self.surplus + self.doubtful)) > self.bound;
        if is_doubtful && self.is_copied {
            return Verdict::Copied;
        }
        if surplus > self.bound {
            return Verdict::Presumed;
        }
        if is_doubtful {
            return Verdict::Doubtful;
        }
        Verdict::Clean
    }
}

/// Returns the upper end of the 95 % interval of a Poisson count (the score interval).
fn upper(count: u64) -> f64 {
    let count = count as f64;
    count + Z * Z / 2.0 + Z * (count + Z * Z / 4.0).sqrt()
}

/// Counts what sure pairs say of each source, in the order of the table's sources.
///
/// `levels` are how many each comparison has, and `share` is that of all records which the sample
/// holds.
pub(super) fn count(
    references: &ReferenceTable,
    links: &[Evidence],
    levels: &[usize],
    share: f64,
) -> Vec<Repeats> {
    let source_of = |node: NodeId| references.source_of(node).index();
    let is_else = |e: &Evidence, index: usize| usize::from(e.pattern.level(index)) > levels[index];
    let is_between = |e: &&Evidence| source_of(e.left) != source_of(e.right);
    let between: Vec<&Evidence> = links.iter().filter(is_between).collect();
    let mut weights: Vec<_> = between.iter().map(|e| e.weight).collect();
    weights.sort_unstable();
    let median = weights.get(weights.len() / 2).copied().unwrap_or_default();
    // Where pairs between sources hardly ever differ, neither do pairs of one entity within a
    // source; what differs there is a series or a namesake.
    let binding: Vec<usize> = (0..levels.len())
        .filter(|&index| {
            let mut counts = [0, 0];
            for edge in between
                .iter()
                .filter(|e| e.weight >= median && e.pattern.level(index) > 0)
            {
                counts[usize::from(is_else(edge, index))] += 1;
            }
            counts[1] * 9 < counts[0]
        })
        .collect();
    let is_sure =
        |e: &&Evidence| e.weight >= median && !binding.iter().any(|&index| is_else(e, index));
    let wrong: f64 = between.iter().map(|e| 1.0 - e.weight.probability()).sum();
    let error = wrong / (between.len() as f64).max(1.0);
    let sure: Vec<Evidence> = links.iter().filter(is_sure).copied().collect();
    let sources = 0..references.sources().len() as u16;
    let mut repeats: Vec<Repeats> = sources
        .map(|source| {
            let records = references.nodes_of(SourceId::new(source)).len();
            Repeats {
                records: records as u64,
                share,
                is_copied: is_copied(references, &between, levels.len(), SourceId::new(source)),
                bound: error.clamp(ERROR_MIN, ERROR_MAX),
                ..Repeats::default()
            }
        })
        .collect();
    add(&mut repeats, references, &sure, |of| !of.is_copied);
    add(&mut repeats, references, links, |of| of.is_copied);
    repeats
}

/// Tells whether most records of a source that link to others link to one that differs in nothing.
fn is_copied(
    references: &ReferenceTable,
    between: &[&Evidence],
    comparisons: usize,
    source: SourceId,
) -> bool {
    let (mut linked, mut copied) = (BTreeSet::new(), BTreeSet::new());
    for edge in between {
        let is_copy = (0..comparisons).all(|index| edge.pattern.level(index) <= 1);
        for node in [edge.left, edge.right] {
            if references.source_of(node) == source {
                linked.insert(node);
                if is_copy {
                    copied.insert(node);
                }
            }
        }
    }
    copied.len() as f64 > linked.len() as f64 * COPIED_MIN
}

/// Adds what links say to the sources that count them.
fn add(
    repeats: &mut [Repeats],
    references: &ReferenceTable,
    links: &[Evidence],
    counts: impl Fn(&Repeats) -> bool,
) {
    for component in components(references.len(), links) {
        let mut of_source: BTreeMap<usize, u64> = BTreeMap::new();
        for node in component {
            let source = references.source_of(node).index();
            *of_source.entry(source).or_default() += 1;
        }
        for (&source, &count) in &of_source {
            let others = of_source.iter().filter(|(other, _)| **other != source);
            let most = others.map(|(_, &count)| count).max().unwrap_or(0);
            let repeats = &mut repeats[source];
            if !counts(repeats) {
                continue;
            }
            if most == 0 {
                repeats.doubtful += count - 1;
                continue;
            }
            repeats.partnered += count;
            repeats.entities += 1;
            repeats.surplus += count - count.min(most);
            repeats.doubtful += count.min(most) - 1;
        }
    }
}

/// Returns the records that links join, each component once.
fn components(node_count: usize, links: &[Evidence]) -> Vec<Vec<NodeId>> {
    let mut members: BTreeMap<u32, Vec<NodeId>> = BTreeMap::new();
    for (node, root) in (0..).zip(connect(node_count, links)) {
        members.entry(root).or_default().push(NodeId::new(node));
    }
    members.retain(|_, nodes| nodes.len() > 1);
    members.into_values().collect()
}

#[cfg(test)]
mod tests {
    use sameas_graph::{
        Decision, LevelPattern, MatchWeight, ReferenceTableBuilder, RuleId, SourceId,
    };

    use super::*;

    /// Two sources of `len` records each; record i of one is record i of the other.
    fn table(len: u32) -> ReferenceTable {
        let mut table = ReferenceTableBuilder::new(vec!["a".to_owned(), "b".to_owned()]);
        for (source, number) in (0..2).flat_map(|s| (0..len).map(move |n| (s, n))) {
            table.push(SourceId::new(source), &format!("{number:06}"));
        }
        table.finish()
    }

    fn link(left: u32, right: u32) -> Evidence {
        Evidence {
            left: NodeId::new(left),
            right: NodeId::new(right),
            weight: MatchWeight::from_bits(12.0),
            rule: RuleId::new(0),
            pattern: LevelPattern::default(),
            decision: Decision::Link,
        }
    }

    /// Links of `len` records that both sources hold, with `twice` of them twice in `a`; copied
    /// along into `b` or not.
    fn verdicts(len: u32, twice: u32, is_copied: bool) -> [Verdict; 2] {
        let mut links: Vec<Evidence> = (0..len).map(|n| link(n, len + n)).collect();
        for n in 0..twice {
            let copy = len - 1 - n;
            links.push(link(n, copy));
            if !is_copied {
                links.retain(|edge| edge.left != NodeId::new(copy));
            }
        }
        // Pairs between sources differ somewhat in the only comparison, unless they are copies.
        for edge in &mut links {
            edge.pattern = edge.pattern.with(0, 2);
        }
        let found = count(&table(len), &links, &[2], 1.0);
        [found[0].verdict(), found[1].verdict()]
    }

    /// The same of sources that are copies of each other, where duplicates within one differ and
    /// weigh less.
    fn verdicts_of_copies(len: u32, twice: u32) -> [Verdict; 2] {
        let mut links: Vec<Evidence> = (0..len).map(|n| link(n, len + n)).collect();
        for edge in &mut links {
            edge.pattern = edge.pattern.with(0, 1);
        }
        for n in 0..twice {
            let copy = len - 1 - n;
            for (left, right) in [(n, copy), (len + n, len + copy)] {
                let mut edge = link(left, right);
                edge.weight = MatchWeight::from_bits(8.0);
                edge.pattern = edge.pattern.with(0, 3);
                links.push(edge);
            }
        }
        let found = count(&table(len), &links, &[2], 1.0);
        [found[0].verdict(), found[1].verdict()]
    }

    /// A source and its copy were each said to hold each entity once, for no pair within them is as
    /// like as a record and its copy; none of their duplicates was ever found.
    #[test]
    fn what_a_copy_repeats_too_is_left_to_the_user() {
        assert_eq!(verdicts_of_copies(2_000, 100), [Verdict::Copied; 2]);
        assert_eq!(verdicts_of_copies(2_000, 0), [Verdict::Clean; 2]);
    }

    /// A source with two duplicates in a hundred was said to hold each entity once, since up to
    /// five were allowed; no later run could find them. Now at most as many are as the model errs.
    #[test]
    fn two_duplicates_in_a_hundred_are_no_clean_source() {
        assert_eq!(verdicts(2_000, 0, false), [Verdict::Clean; 2]);
        assert_eq!(verdicts(2_000, 40, false)[0], Verdict::Repeating);
        assert_eq!(verdicts(2_000, 40, false)[1], Verdict::Clean);
        // The same in another source may be a series in both, or copies that were copied along.
        assert_eq!(verdicts(2_000, 40, true), [Verdict::Doubtful; 2]);
    }

    #[test]
    fn few_records_say_nothing() {
        assert_eq!(verdicts(100, 0, false), [Verdict::Unknown; 2]);
        assert_eq!(verdicts(100, 2, false)[0], Verdict::Repeating);
        assert_eq!(verdicts(400, 0, false), [Verdict::Presumed; 2]);
    }
}
