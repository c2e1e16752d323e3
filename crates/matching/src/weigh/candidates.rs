//! The candidate pairs: which are refused by what rows show, and what the others weigh.

use rayon::prelude::*;
use sameas_graph::{Decision, Evidence, LevelPattern, MatchWeight, NodeId, RuleId};

use super::bound::BoundTables;
#[cfg(target_arch = "x86_64")]
use super::screen::Screen;
use super::{Weighed, Weigher};
#[cfg(target_arch = "x86_64")]
use crate::blocking::Block;
use crate::blocking::{Blocking, Blocks, Choice};
#[cfg(target_arch = "x86_64")]
use crate::rows::Panel;
use crate::rows::{Agreement, NodeRow};

/// How many pairs are weighed between two words about it.
const PAIRS_TOLD: u64 = 1 << 16;

/// Pairs whose values are asked of memory before the first is read.
const PROMISING_LEN: usize = 64;

/// What each comparison of a pair can weigh at most.
pub(super) type Most = [f32; LevelPattern::COMPARISON_COUNT_MAX];

/// What one thread found in some blocks of a rule.
#[derive(Debug, Default)]
struct Part {
    evidence: Vec<Evidence>,
    pairs: u64,
    compared: u64,
    /// Pairs of blocks that nobody was told of yet.
    untold: u64,
    #[cfg(target_arch = "x86_64")]
    panel: Panel,
}

/// How pairs of one rule are looked at.
#[derive(Clone, Copy, Debug)]
struct Looks<'l> {
    bounds: &'l BoundTables,
    /// From which deterministic rule on a pair is asked.
    asked_from: usize,
    /// Refuses pairs eight at a time, where the processor can.
    #[cfg(target_arch = "x86_64")]
    screen: Option<&'l Screen<'l>>,
}

/// The most a pair can weigh, in bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// All in all, and what `most` rounds away.
    pub(super) bits: f64,
    /// By comparison, if rows show more than which values are equal.
    pub(super) most: Option<Most>,
}

/// A pair that rows alone could not refuse.
#[derive(Clone, Copy, Debug)]
struct Promising<'b> {
    a: NodeRow<'b>,
    b: NodeRow<'b>,
    found: Found,
}

/// Why a pair is worth comparing.
#[derive(Clone, Copy, Debug)]
enum Found {
    /// A deterministic rule links it, whatever it weighs.
    Linked(usize),
    /// It may reach the review threshold.
    May(Reach),
}

impl Weigher<'_> {
    /// Weighs every candidate pair and keeps what reaches the review threshold.
    ///
    /// `advance` is told, now and then, how many more pairs of blocks were looked at; together
    /// they are the pairs that [`Blocking::costs`] predicts.
    pub fn weigh_all(
        &self,
        blocking: &Blocking<'_>,
        rule_count: usize,
        advance: &(dyn Fn(u64) + Sync),
    ) -> Weighed {
        let mut weighed = Weighed::default();
        let mut found: Vec<Vec<Evidence>> = Vec::new();
        let bounds = BoundTables::new(self.prior, &self.tables);
        // A pair for which a deterministic rule holds shares that rule's key, so its first rule is
        // no later one, unless the block was too large and refining it did not make the pair, or
        // the record has too many keys.
        let mut costs = blocking.costs()[..self.deterministic].iter();
        let hot = costs.position(|cost| cost.hot_count > 0 || cost.cut_records > 0);
        for rule in 0..rule_count {
            let asked_from = hot.map_or(rule, |hot| hot.min(rule));
            #[cfg(target_arch = "x86_64")]
            let screen = (asked_from >= self.deterministic)
                .then(|| Screen::new(self, blocking, rule))
                .flatten();
            let looks = Looks {
                bounds: &bounds,
                asked_from,
                #[cfg(target_arch = "x86_64")]
                screen: screen.as_ref(),
            };
            let parts = blocking.map_batches(rule, Choice::All, Part::default, |part, blocks| {
                self.weigh_blocks(blocking, blocks, looks, part);
                part.untold += blocks.iter().map(|block| block.pairs).sum::<u64>();
                if part.untold >= PAIRS_TOLD {
                    advance(std::mem::take(&mut part.untold));
                }
            });
            advance(parts.iter().map(|part| part.untold).sum());
            weighed
                .pairs_of_rule
                .push(parts.iter().map(|p| p.pairs).sum());
            weighed.compared += parts.iter().map(|p| p.compared).sum::<u64>();
            found.extend(parts.into_iter().map(|p| p.evidence));
        }
        weighed.evidence = found.concat();
        weighed
            .evidence
            .par_sort_unstable_by_key(|e| (e.left, e.right));
        weighed
    }

    /// Weighs the pairs that these blocks made first.
    ///
    /// What a pair's kernels will read is asked of memory when the pair is found, and read when
    /// many pairs are.
    fn weigh_blocks(
        &self,
        blocking: &Blocking<'_>,
        blocks: Blocks<'_>,
        looks: Looks<'_>,
        part: &mut Part,
    ) {
        let mut promising = Vec::with_capacity(PROMISING_LEN);
        for block in blocks.iter() {
            let is_screened = block.nodes.len() >= self.screened_len;
            #[cfg(target_arch = "x86_64")]
            if let Some(screen) = looks.screen.filter(|_| is_screened) {
                self.screen_block((blocking, &block), screen, &mut promising, part);
                continue;
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = is_screened;
            for (i, a) in block.rows().enumerate() {
                for b in block.rows().skip(i + 1) {
                    let agreement = a.agreement(b);
                    if !self.exclusive.may_pair(a.node, b.node)
                        || !blocking.owns_agreeing(&block, (a, b), agreement)
                    {
                        continue;
                    }
                    part.pairs += 1;
                    if let Some(found) = self.look(looks, (a, b), agreement) {
                        self.comparer.prefetch(a, b);
                        promising.push(Promising { a, b, found });
                    }
                }
                self.weigh_if_many(blocks.rule, &mut promising, part);
            }
        }
        self.weigh_promising(blocks.rule, &mut promising, part);
    }

    /// Finds the promising pairs of a block eight pairs at a time.
    #[cfg(target_arch = "x86_64")]
    fn screen_block<'b>(
        &self,
        (blocking, block): (&Blocking<'_>, &Block<'b>),
        screen: &Screen<'_>,
        promising: &mut Vec<Promising<'b>>,
        part: &mut Part,
    ) {
        let mut panel = std::mem::take(&mut part.panel);
        let group = |node| self.exclusive.group(node);
        panel.fill(block.all_rows(), block.nodes, group);
        let row = |place: usize| block.all_rows().of(block.nodes[place]);
        for one in 1..block.nodes.len() {
            let b = row(one);
            let owns = |place| blocking.owns(block, row(place), b);
            part.pairs += screen.sift((&panel, block), one, owns, |place, reach| {
                let (a, found) = (row(place), Found::May(reach));
                self.comparer.prefetch(a, b);
                promising.push(Promising { a, b, found });
            });
            self.weigh_if_many(block.rule, promising, part);
        }
        part.panel = panel;
    }

    /// Returns why a pair is worth comparing, unless it can be seen from rows that it stays below
    /// the review threshold.
    fn look(
        &self,
        looks: Looks<'_>,
        (a, b): (NodeRow<'_>, NodeRow<'_>),
        agreement: Agreement,
    ) -> Option<Found> {
        let linked = (looks.asked_from < self.deterministic)
            .then(|| self.comparer.rule_that_links(looks.asked_from, a, b))
            .flatten();
        match linked {
            Some(rule) => Some(Found::Linked(rule)),
            None => Some(Found::May(self.reach((a, b), agreement, looks.bounds)?)),
        }
    }

    /// Returns the most a pair can weigh by which values are equal, unless that, or what rows show
    /// beside it, is below the review threshold.
    fn reach(
        &self,
        (a, b): (NodeRow<'_>, NodeRow<'_>),
        agreement: Agreement,
        bounds: &BoundTables,
    ) -> Option<Reach> {
        let mut bits = bounds.reach(&self.tables, a, agreement, self.least)?;
        if self.sieves.is_empty() {
            return Some(Reach { bits, most: None });
        }
        let mut most: Most = [0.0; _];
        for (index, (most, table)) in most.iter_mut().zip(&self.tables).enumerate() {
            *most = table.most(a.id(index), b.id(index)) as f32;
        }
        for (index, sieve) in &self.sieves {
            let equal = if sieve.sifts_equal() {
                agreement.equal
            } else {
                0
            };
            if (agreement.unequal | equal) >> index & 1 == 1 {
                let others = bits - self.tables[*index].most(a.id(*index), b.id(*index));
                let sieved = sieve.most(a, b, self.least - others);
                bits = others + sieved;
                most[*index] = sieved as f32;
                if bits < self.least {
                    return None;
                }
            }
        }
        bits += self.rounding;
        let most = Some(most);
        Some(Reach { bits, most })
    }

    fn weigh_if_many(&self, rule: usize, pairs: &mut Vec<Promising<'_>>, part: &mut Part) {
        if pairs.len() >= PROMISING_LEN {
            self.weigh_promising(rule, pairs, part);
        }
    }

    fn weigh_promising(&self, rule: usize, pairs: &mut Vec<Promising<'_>>, part: &mut Part) {
        part.compared += pairs.len() as u64;
        for pair in pairs.drain(..) {
            part.evidence.extend(self.weigh(rule, pair));
        }
    }

    fn weigh(&self, rule: usize, Promising { a, b, found }: Promising<'_>) -> Option<Evidence> {
        let (pattern, linked) = match found {
            Found::Linked(rule) => (self.comparer.pattern(a, b), Some(rule)),
            Found::May(reach) => (self.pattern_while_reachable((a, b), reach)?, None),
        };
        let bits = self.posterior_bits(pattern, a, b);
        let decision = match linked {
            Some(_) => Decision::Link,
            None if bits >= self.threshold.link => Decision::Link,
            None if bits >= self.threshold.review => Decision::Review,
            None => return None,
        };
        let bits = if linked.is_some() {
            bits.max(MatchWeight::OF_RULE.bits())
        } else {
            bits
        };
        Some(Evidence {
            left: NodeId::new(a.node.min(b.node)),
            right: NodeId::new(a.node.max(b.node)),
            weight: MatchWeight::from_bits(bits),
            rule: RuleId::new(linked.unwrap_or(rule) as u8),
            pattern,
            decision,
        })
    }

    /// Returns the pattern, unless the weight turns out to stay below the review threshold.
    ///
    /// Levels that can take something off the bound are found first.
    fn pattern_while_reachable(
        &self,
        (a, b): (NodeRow<'_>, NodeRow<'_>),
        Reach { mut bits, most }: Reach,
    ) -> Option<LevelPattern> {
        let most_of = |index: usize| match most {
            Some(most) => f64::from(most[index]),
            None => self.tables[index].most(a.id(index), b.id(index)),
        };
        let mut pattern = LevelPattern::default();
        for takes_off in [true, false] {
            for &index in &self.order {
                let (table, most) = (&self.tables[index], most_of(index));
                if (most > table.least) != takes_off {
                    continue;
                }
                let level = self.comparer.level(index, a, b);
                pattern = pattern.with(index, level);
                bits += table.bits[level as usize] + self.rarity(index, level, a, b) - most;
                if bits < self.least {
                    return None;
                }
            }
        }
        Some(pattern)
    }
}
