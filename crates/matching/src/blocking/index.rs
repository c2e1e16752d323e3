//! The keys of records, kept so that candidates are found for a record that comes later.
//!
//! A record that comes later is asked what rules ask of records: those that share a key with it are
//! its candidates. Of a block over the bound, those of its groups that were taken.
//!
//! Cost: 8 bytes a key, no value; one look-up of a key waits two or three times for memory, for keys are
//! hashes, so where one stands is guessed well from its number.

use std::collections::BTreeSet;

use sameas_record::{FieldId, Records, derive_first};

use super::Blocking;
use super::keys::{keys_of, node_of, truncate};
use super::refine::{RefinedBlocks, refined_key};
use super::rule::{PreparedPart, PreparedRule};
use super::window::{Order, Window};
use crate::BudgetSettings;
use crate::plan::{BlockingRule, KeyPart, MatchingPlan};
use crate::prepared::Prepared;

/// The keys of records by rule.
#[derive(Debug)]
pub struct KeyIndex {
    rules: Vec<RuleKeys>,
    /// Parts by which blocks over the bound were refined.
    refinements: Vec<KeyPart>,
    node_bits: u32,
}

/// What rules bring together with a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// The nodes, ascending.
    pub nodes: Vec<u32>,
    /// How many rules have a key of the record: without one, nothing can be found.
    pub rules_asked: usize,
    /// The numbers of those of them that have a key in a block over the bound, of which they bring
    /// at most some groups.
    pub rules_cut: Vec<usize>,
}

/// The keys of one rule.
#[derive(Debug)]
struct RuleKeys {
    words: Vec<u64>,
    hot: Vec<u64>,
    refined: RefinedBlocks,
    /// Groups of one record of blocks over the bound, as words.
    alone: Vec<u64>,
    /// The order of records, if the rule brings neighbours together; it has no keys then.
    order: Option<Order>,
}

impl Blocking<'_> {
    /// Keeps the keys alone.
    pub fn into_index(self, budget: &BudgetSettings) -> KeyIndex {
        let refiner = self.refiner(budget);
        let alone = (0..self.rules.len()).map(|rule| match self.hot_runs(rule) {
            hot if hot.is_empty() => Vec::new(),
            hot => refiner.alone(rule, &hot),
        });
        let alone: Vec<Vec<u64>> = alone.collect();
        let rules = self.rules.into_iter().zip(alone);
        let rules = rules.map(|(rule, alone)| RuleKeys {
            words: match rule.window {
                Some(_) => Vec::new(),
                None => rule.words,
            },
            hot: rule.hot,
            refined: rule.refined,
            alone,
            order: rule.window.map(Window::into_order),
        });
        KeyIndex {
            rules: rules.collect(),
            refinements: self.refinements.iter().map(|part| part.part).collect(),
            node_bits: self.node_bits,
        }
    }
}

impl KeyIndex {
    /// Returns what rules bring together with the only record of `probe`.
    ///
    /// No more rules are asked once more than so many nodes are found.
    ///
    /// Keys are compared by the bits that words keep, so one candidate in 2^40 shares none.
    ///
    /// Rules that bring neighbours together need the records that the index was made of; without
    /// them they bring none.
    ///
    /// Which groups of a block over the bound were taken depends on the values of all fields by which
    /// blocks are cut: if one of them is hidden, such a block brings nothing.
    pub fn candidates(
        &self,
        probe: &Prepared<'_>,
        plan: &MatchingPlan,
        records: Option<&Records>,
        hidden: &[FieldId],
        max: usize,
    ) -> Brought {
        let mut cut_by = self.refinements.iter().map(|part| part.field);
        let tells_hidden = cut_by.any(|field| hidden.contains(&field));
        let refining = self.refinements.iter();
        let refining: Vec<_> = refining
            .map(|&part| PreparedPart::new(probe, part))
            .collect();
        let (mut found, mut asked, mut cut) = (BTreeSet::new(), 0, Vec::new());
        for (number, (rule, keys)) in plan.rules.iter().zip(&self.rules).enumerate() {
            if found.len() > max {
                break;
            }
            if let Some(order) = &keys.order {
                let near = records.and_then(|records| neighbours(order, rule, probe, records));
                asked += usize::from(near.is_some());
                found.extend(near.unwrap_or_default());
                continue;
            }
            let (of_probe, _) = keys_of(&PreparedRule::new(probe, rule), 0);
            asked += usize::from(!of_probe.is_empty());
            for key in of_probe {
                if found.len() > max {
                    break;
                }
                let key = truncate(key, self.node_bits);
                if keys.hot.binary_search(&key).is_err() {
                    let run = run_of(&keys.words, key, self.node_bits);
                    found.extend(run.iter().map(|&word| node_of(word, self.node_bits)));
                    continue;
                }
                if cut.last() != Some(&number) {
                    cut.push(number);
                }
                if tells_hidden {
                    continue;
                }
                for (index, part) in refining.iter().enumerate() {
                    part.for_each_hash(0, &mut |hash| {
                        let group = refined_key(key, index, hash);
                        found.extend(keys.refined.nodes_of(group));
                        let group = truncate(group, self.node_bits);
                        let alone = run_of(&keys.alone, group, self.node_bits);
                        found.extend(alone.iter().map(|&word| node_of(word, self.node_bits)));
                    });
                }
            }
        }
        Brought {
            nodes: found.into_iter().collect(),
            rules_asked: asked,
            rules_cut: cut,
        }
    }

    /// Tells which rules bring neighbours together, by number.
    pub fn rules_of_neighbours(&self) -> impl Iterator<Item = usize> + '_ {
        let rules = self.rules.iter().enumerate();
        rules
            .filter(|(_, keys)| keys.order.is_some())
            .map(|(rule, _)| rule)
    }

    /// Returns how many bytes of memory the keys take.
    pub fn bytes(&self) -> u64 {
        let rules = self.rules.iter().map(|rule| {
            let words = rule.words.len() + rule.hot.len() + rule.alone.len();
            let words = words * size_of::<u64>();
            words + rule.refined.bytes() + rule.order.as_ref().map_or(0, Order::bytes)
        });
        rules.sum::<usize>() as u64
    }
}

/// Returns the words of a key, cut to the bits that words keep, among sorted ones.
fn run_of(words: &[u64], key: u64, node_bits: u32) -> &[u64] {
    let rest = &words[first_from(words, key << node_bits)..];
    let run = rest.iter().take_while(|&&word| word >> node_bits == key);
    &rest[..run.count()]
}

/// Returns where the first word stands that is no smaller; words are spread evenly.
fn first_from(words: &[u64], word: u64) -> usize {
    let len = words.len();
    let guess = ((u128::from(word) * len as u128) >> u64::BITS) as usize;
    let (mut low, mut high) = (guess, guess);
    let mut step = 8;
    while low > 0 && words[low - 1] >= word {
        low = low.saturating_sub(step);
        step *= 2;
    }
    step = 8;
    while high < len && words[high] < word {
        high = (high + step).min(len);
        step *= 2;
    }
    low + words[low..high].partition_point(|&other| other < word)
}

/// Returns the nodes between which the record of a probe would stand, as far as the window reaches;
/// none if it misses a value.
fn neighbours<'o>(
    order: &'o Order,
    rule: &BlockingRule,
    probe: &Prepared<'_>,
    records: &Records,
) -> Option<&'o [u32]> {
    let texts = |records: &Records, node: u32| -> Option<Vec<String>> {
        let text = |part: &KeyPart| {
            let kind = records.schema().field(part.field).kind;
            let column = records.column(part.field);
            derive_first(
                part.form,
                kind,
                column.dictionary().text(column.first(node as usize)),
            )
        };
        rule.parts.iter().map(text).collect()
    };
    let own = texts(probe.records, 0)?;
    Some(order.around(|node| texts(records, node).is_some_and(|texts| texts < own)))
}

#[cfg(test)]
mod tests;
