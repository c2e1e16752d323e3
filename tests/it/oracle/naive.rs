//! Blocking, weighing and clustering the obvious way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sameas_graph::Decision;
use sameas_matching::{LevelParameters, MatchingPlan, Model, Scope, Threshold};

use super::likeness::{Ask, WordShare, forms};
use super::world::{Comparison, World};

/// What a rule that fires weighs, at least.
const RULE_BITS: f64 = 40.0;

/// Two nodes, the lower first.
type Pair = (u32, u32);

/// What the naive way says of a candidate pair.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) levels: Vec<u8>,
    /// The posterior weight by the model.
    pub(super) bits: f64,
    /// The first rule that makes the pair.
    first_rule: usize,
    /// The deterministic rule that holds.
    pub(super) linked_by: Option<usize>,
}

impl Edge {
    pub(super) fn decision(&self, threshold: Threshold) -> Option<Decision> {
        if self.linked_by.is_some() || self.bits >= threshold.link {
            Some(Decision::Link)
        } else {
            (self.bits >= threshold.review).then_some(Decision::Review)
        }
    }

    pub(super) fn rule(&self) -> usize {
        self.linked_by.unwrap_or(self.first_rule)
    }

    pub(super) fn evidence_bits(&self) -> f64 {
        self.linked_by
            .map_or(self.bits, |_| self.bits.max(RULE_BITS))
    }
}

/// Everything the naive way finds.
#[derive(Debug)]
pub(super) struct Naive {
    pub(super) edges: BTreeMap<Pair, Edge>,
    /// Pairs that each rule was the first to make.
    pub(super) pairs_of_rule: Vec<u64>,
    pub(super) hot_blocks: u64,
    /// Pairs of hot blocks that nothing makes.
    pub(super) refused_pairs: u64,
}

impl Naive {
    /// Weighs by the world's own model.
    pub(super) fn of(world: &World) -> Self {
        let plan = world.plan(&world.records());
        Self::with(world, &plan, &world.model(&plan))
    }

    /// Weighs by a model.
    pub(super) fn with(world: &World, plan: &MatchingPlan, model: &Model) -> Self {
        let mut candidates: BTreeMap<Pair, usize> = BTreeMap::new();
        let (mut hot_blocks, mut hot_pairs) = (0, BTreeSet::new());
        let rules = rule_parts(world);
        for (rule, parts) in rules.iter().enumerate() {
            for block in blocks(world, parts) {
                let made = if is_within(world, block.len()) {
                    pairs(&block)
                } else {
                    hot_blocks += 1;
                    let pairs = pairs(&block).into_iter();
                    hot_pairs.extend(pairs.filter(|&pair| !excluded(world, pair)));
                    refined(world, &rules, rule, &block).into_iter().collect()
                };
                for pair in made.into_iter().filter(|&pair| !excluded(world, pair)) {
                    candidates.entry(pair).or_insert(rule);
                }
            }
        }
        let mut pairs_of_rule = vec![0; rules.len()];
        candidates
            .values()
            .for_each(|&rule| pairs_of_rule[rule] += 1);
        hot_pairs.retain(|pair| !candidates.contains_key(pair));
        let weigh = |(pair, first_rule)| (pair, edge(world, plan, model, pair, first_rule));
        Self {
            edges: candidates.into_iter().map(weigh).collect(),
            pairs_of_rule,
            hot_blocks,
            refused_pairs: hot_pairs.len() as u64,
        }
    }

    pub(super) fn links(&self, threshold: Threshold) -> impl Iterator<Item = Pair> + '_ {
        let links = self.edges.iter();
        links
            .filter(move |(_, e)| e.decision(threshold) == Some(Decision::Link))
            .map(|(&p, _)| p)
    }
}

type Part = (&'static str, &'static str);

/// Returns the fields and forms by which each rule finds pairs, deterministic rules first.
fn rule_parts(world: &World) -> Vec<Vec<Part>> {
    let part = |&(field, ask): &(&'static str, Ask)| match ask {
        Ask::Exact => Some((field, "whole")),
        Ask::Same(form) => Some((field, form)),
        _ => None,
    };
    let deterministic = world
        .rules
        .iter()
        .map(|tests| tests.iter().filter_map(part).collect());
    deterministic.chain(world.blocks.iter().cloned()).collect()
}

/// Returns the values of a part that a record has.
fn part_values(world: &World, node: usize, (field, form): Part) -> BTreeSet<String> {
    world
        .texts(node, field)
        .iter()
        .flat_map(|text| forms(form, text))
        .collect()
}

/// Returns the nodes that share each key of a rule.
fn blocks(world: &World, parts: &[Part]) -> Vec<Vec<u32>> {
    let mut blocks: BTreeMap<Vec<String>, Vec<u32>> = BTreeMap::new();
    for node in 0..world.rows.len() {
        let mut keys: BTreeSet<Vec<String>> = [Vec::new()].into();
        for &part in parts {
            let values = part_values(world, node, part);
            let with = |key: &Vec<String>, value: &String| {
                [&key[..], std::slice::from_ref(value)].concat()
            };
            keys = keys
                .iter()
                .flat_map(|key| values.iter().map(move |value| with(key, value)))
                .collect();
        }
        for key in keys {
            blocks.entry(key).or_default().push(node as u32);
        }
    }
    blocks.into_values().collect()
}

fn pairs(nodes: &[u32]) -> Vec<Pair> {
    let nodes = nodes.iter().enumerate();
    let all = nodes
        .clone()
        .flat_map(|(i, &a)| nodes.clone().skip(i + 1).map(move |(_, &b)| (a, b)));
    all.collect()
}

fn excluded(world: &World, (a, b): Pair) -> bool {
    let source = |node: u32| world.rows[node as usize].source;
    source(a) == source(b) && world.one_per_source.contains(&source(a))
}

/// Returns the pairs of a hot block that share a further value with few: the smallest groups make
/// as many as the budget gives the block's records, equal lengths all or none.
fn refined(world: &World, rules: &[Vec<Part>], rule: usize, block: &[u32]) -> BTreeSet<Pair> {
    let parts: BTreeSet<Part> = rules.iter().flatten().copied().collect();
    let parts = parts.into_iter().filter(|&part| is_single(world, part));
    let mut of_len: BTreeMap<usize, Vec<Vec<Pair>>> = BTreeMap::new();
    for part in parts.filter(|part| !rules[rule].contains(part)) {
        let mut groups: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for &node in block {
            for value in part_values(world, node as usize, part) {
                groups.entry(value).or_default().push(node);
            }
        }
        for group in groups.into_values() {
            if is_within(world, group.len()) && !is_covered(world, rules, rule, part, group[0]) {
                of_len.entry(group.len()).or_default().push(pairs(&group));
            }
        }
    }
    let mut left = world.budget.refined_pairs_per_record_max * block.len() as f64;
    let mut made = BTreeSet::new();
    for groups in of_len.into_values() {
        left -= groups.iter().map(Vec::len).sum::<usize>() as f64;
        if left < 0.0 {
            break;
        }
        made.extend(groups.into_iter().flatten());
    }
    made
}

/// Tells whether another rule makes the pairs of a group: those of a block of one rule that share a
/// value with a record.
fn is_covered(world: &World, rules: &[Vec<Part>], rule: usize, part: Part, node: u32) -> bool {
    let others = rules.iter().enumerate().filter(|&(other, _)| other != rule);
    let asks_no_more = |parts: &Vec<Part>| {
        let mut parts = parts.iter();
        parts.all(|&p| is_single(world, p) && (p == part || rules[rule].contains(&p)))
    };
    others
        .filter(|(_, parts)| asks_no_more(parts))
        .any(|(_, parts)| {
            let key = |node: usize| -> Vec<_> {
                let values = parts.iter();
                values.map(|&part| part_values(world, node, part)).collect()
            };
            let own = key(node as usize);
            let sharing = (0..world.rows.len()).filter(|&other| key(other) == own);
            is_within(world, sharing.count())
        })
}

fn is_within(world: &World, len: usize) -> bool {
    len <= world.budget.block_len_max as usize
}

/// Tells whether every record has at most one value of a part.
fn is_single(world: &World, (field, form): Part) -> bool {
    form != "tokens" && (0..world.rows.len()).all(|node| world.texts(node, field).len() <= 1)
}

fn edge(world: &World, plan: &MatchingPlan, model: &Model, pair: Pair, first_rule: usize) -> Edge {
    let nodes = (pair.0 as usize, pair.1 as usize);
    let share = |word: &str| word_share(model, word);
    let levels: Vec<u8> = world
        .comparisons
        .iter()
        .map(|c| level(world, c, nodes, &share))
        .collect();
    let mut bits = (model.prior / (1.0 - model.prior)).log2();
    let mut related = model.related.map(|related| (model.prior / related).log2());
    for (index, comparison) in world.comparisons.iter().enumerate() {
        let Some(position) = levels[index].checked_sub(1) else {
            continue;
        };
        let parameters = &model.comparisons[index];
        let LevelParameters {
            m, u, related: r, ..
        } = &parameters.levels[position as usize];
        let rarity = if position == 0 {
            rarity(world, plan, model, index, nodes)
        } else {
            0.0
        };
        bits += (m / u).log2() + rarity;
        if let Some(related) = &mut related {
            let personal = if comparison.scope == Scope::Person {
                rarity
            } else {
                0.0
            };
            *related += (m / r.unwrap_or(*u)).log2() + personal;
        }
    }
    for interaction in &model.interactions {
        let shows = |side: usize| {
            let mut comparisons = model.comparisons.iter().zip(&levels);
            comparisons.any(|(comparison, &level)| {
                comparison.name == interaction.comparisons[side]
                    && level > 0
                    && comparison.levels[level as usize - 1].level == interaction.levels[side]
            })
        };
        if shows(0) && shows(1) {
            bits -= interaction.bits;
        }
    }
    // Odds of a match against strangers and relatives together: M / (U + R).
    let odds = |related: f64| 1.0 / (1.0 / bits.exp2() + 1.0 / related.exp2());
    let bits = related.map_or(bits, |related| odds(related).log2());
    let bits = model
        .calibration
        .map_or(bits, |line| line.slope * bits + line.offset);
    let holds = |tests: &Vec<(&str, Ask)>| {
        tests
            .iter()
            .all(|(f, ask)| any_holds(world, f, *ask, nodes, &share))
    };
    Edge {
        levels,
        bits,
        first_rule,
        linked_by: world.rules.iter().position(holds),
    }
}

/// Returns what a rare value adds when the first values of both records are equal.
fn rarity(
    world: &World,
    plan: &MatchingPlan,
    model: &Model,
    index: usize,
    (a, b): (usize, usize),
) -> f64 {
    let parameters = &model.comparisons[index];
    let field = world.comparisons[index].field;
    let (a, b) = (world.texts(a, field)[0], world.texts(b, field)[0]);
    let Some(table) = parameters.frequency.as_ref().filter(|_| a == b) else {
        return 0.0;
    };
    let token = World::key().token(&plan.comparisons[index], a);
    let frequency = table.frequent.get(&token).copied().unwrap_or(table.rest);
    (parameters.levels[0].u / frequency).log2()
}

/// Returns the share of titles that have a word, as a model lists it.
fn word_share(model: &Model, word: &str) -> f64 {
    let table = &model.words["title"];
    let token = World::key().word_token("title", word);
    table.frequent.get(&token).copied().unwrap_or(table.rest)
}

/// Returns the best level of any two values: 0 if a value is missing.
fn level(
    world: &World,
    comparison: &Comparison,
    nodes: (usize, usize),
    share: WordShare<'_>,
) -> u8 {
    let (of_a, of_b) = (
        world.texts(nodes.0, comparison.field),
        world.texts(nodes.1, comparison.field),
    );
    if of_a.is_empty() || of_b.is_empty() {
        return 0;
    }
    let holds = |(field, ask): &(Option<&str>, Ask), a: &str, b: &str| match (field, ask) {
        (None, Ask::Swapped(other)) => swapped(world, comparison.field, other, nodes),
        (None, ask) => ask.holds(a, b, share),
        (Some(field), ask) => any_holds(world, field, *ask, nodes, share),
    };
    for (position, level) in comparison.levels.iter().enumerate() {
        let met = |a: &str, b: &str| level.iter().all(|clause| holds(clause, a, b));
        if of_a.iter().any(|a| of_b.iter().any(|b| met(a, b))) {
            return position as u8 + 1;
        }
    }
    comparison.levels.len() as u8 + 1
}

fn any_holds(
    world: &World,
    field: &str,
    ask: Ask,
    (a, b): (usize, usize),
    share: WordShare<'_>,
) -> bool {
    let of_b = world.texts(b, field);
    world
        .texts(a, field)
        .iter()
        .any(|x| of_b.iter().any(|y| ask.holds(x, y, share)))
}

fn swapped(world: &World, field: &str, other: &str, (a, b): (usize, usize)) -> bool {
    let crosses = |one, two| {
        let others = world.texts(two, other);
        world
            .texts(one, field)
            .iter()
            .any(|text| others.contains(text))
    };
    crosses(a, b) && crosses(b, a)
}

/// Returns what links join, by breadth-first search.
pub(super) fn clusters(count: usize, links: &[Pair]) -> BTreeSet<Vec<u32>> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for start in 0..count as u32 {
        if !seen.insert(start) {
            continue;
        }
        let (mut members, mut queue) = (Vec::new(), VecDeque::from([start]));
        while let Some(node) = queue.pop_front() {
            members.push(node);
            let ends = links.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
            queue.extend(
                ends.filter(|&(a, b)| a == node && seen.insert(b))
                    .map(|(_, b)| b),
            );
        }
        members.sort_unstable();
        found.insert(members);
    }
    found
}
