//! Weak bridges: links between two groups whose pairs, taken together, speak against one entity.
//!
//! The pairs between two groups answer one question, from the same few values, so their weights are
//! averaged instead of added: a logarithmic opinion pool (Genest and Zidek 1986). A lone record is
//! no group, for it has nobody to speak for it.
//!
//! Cost: each pair of a component is asked at most once, because a union once refused stays
//! refused, and of two groups at most some four thousand pairs; one is weighed only if it is no link
//! and those before it do not decide.

use std::fmt;

use roaring::RoaringBitmap;

use crate::{Evidence, MatchWeight, NodeId};

/// The fewest records that speak for themselves.
const GROUP_LEN_MIN: u32 = 2;

/// The most pairs that are asked of two groups, and the fewest members that speak for a large one:
/// an average over so many tells as much as one over all.
const PAIRS_MAX: usize = 4_096;
const SPEAKERS: usize = 64;

/// No pair speaks with odds beyond a million to one, so none can outvote twenty others.
const SAID_MAX: i64 = 2_000;

/// What is asked of a link before it joins two groups of records.
pub struct Bridges<'w> {
    /// What the pairs between two groups must weigh on average; at most the link threshold.
    pub least: MatchWeight,
    /// Weighs two records, the lower node first, whether or not a rule made the pair.
    pub weigh: &'w (dyn Fn(NodeId, NodeId) -> MatchWeight + Sync),
}

impl fmt::Debug for Bridges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("Bridges");
        form.field("least", &self.least).finish_non_exhaustive()
    }
}

/// Returns whether a component of so many references and links can hold a weak bridge.
///
/// Both sides of a bridge are groups, and where all pairs link, no average lies below the threshold.
pub(crate) fn is_suspicious(reference_count: usize, link_count: usize) -> bool {
    reference_count >= 2 * GROUP_LEN_MIN as usize
        && link_count < reference_count * (reference_count - 1) / 2
}

/// The groups of one component while links join them, strongest first.
pub(crate) struct Groups<'a> {
    bridges: &'a Bridges<'a>,
    members: &'a [u32],
    /// The links of the component by their ends among the members, sorted.
    links: Vec<([u32; 2], MatchWeight)>,
    /// By member: the next one of its group, in a circle.
    next: Vec<u32>,
    /// By root: the references of its group.
    sizes: Vec<u32>,
    /// By root: what stands for its group, or for one it absorbed, in refusals.
    own: Vec<RoaringBitmap>,
    /// By root: what stands for the groups that it never joins.
    foes: Vec<RoaringBitmap>,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(
        bridges: &'a Bridges<'a>,
        members: &'a [u32],
        mut links: Vec<([u32; 2], MatchWeight)>,
    ) -> Self {
        links.sort_unstable();
        Self {
            bridges,
            members,
            links,
            next: (0..members.len() as u32).collect(),
            sizes: vec![1; members.len()],
            own: vec![RoaringBitmap::new(); members.len()],
            foes: vec![RoaringBitmap::new(); members.len()],
        }
    }

    /// Returns whether a link would be a weak bridge between the groups of two roots.
    ///
    /// What a deterministic rule links, or weighs as much, is no matter of doubt.
    pub(crate) fn is_weak(&mut self, link: &Evidence, roots: [u32; 2]) -> bool {
        let [left, right] = roots.map(|root| root as usize);
        let is_doubtful = link.weight < MatchWeight::OF_RULE
            && self.sizes[left].min(self.sizes[right]) >= GROUP_LEN_MIN;
        if !is_doubtful {
            return false;
        }
        if !self.own[left].is_disjoint(&self.foes[right]) {
            return true;
        }
        if self.agree(roots) {
            return false;
        }
        self.own[left].insert(roots[0]);
        self.foes[left].insert(roots[1]);
        self.own[right].insert(roots[1]);
        self.foes[right].insert(roots[0]);
        true
    }

    /// Joins the group of one root to that of another.
    pub(crate) fn unite(&mut self, root: u32, absorbed: u32) {
        self.next.swap(root as usize, absorbed as usize);
        let (root, absorbed) = (root as usize, absorbed as usize);
        self.sizes[root] += self.sizes[absorbed];
        let [own, foes] =
            [&mut self.own, &mut self.foes].map(|sets| std::mem::take(&mut sets[absorbed]));
        self.own[root] |= own;
        self.foes[root] |= foes;
    }

    /// Returns whether the pairs between two groups weigh enough on average.
    fn agree(&self, [left, right]: [u32; 2]) -> bool {
        let [left, right] = self.speakers([left, right]);
        let (mut said, mut silent) = (0, Vec::new());
        for &a in &left {
            for &b in &right {
                let pair = if a < b { [a, b] } else { [b, a] };
                match self.links.binary_search_by_key(&pair, |link| link.0) {
                    Ok(link) => said += say(self.links[link].1),
                    Err(_) => silent.push(pair),
                }
            }
        }
        let least = say(self.bridges.least) * (left.len() * right.len()) as i64;
        let mut open = silent.len() as i64;
        for [a, b] in silent {
            // Whatever the rest says, this cannot be outweighed.
            if said - SAID_MAX * open >= least || said + SAID_MAX * open < least {
                break;
            }
            let [a, b] = [a, b].map(|member| NodeId::new(self.members[member as usize]));
            said += say((self.bridges.weigh)(a, b));
            open -= 1;
        }
        said - SAID_MAX * open >= least
    }

    /// Returns who speaks for the groups of two roots: all, or in groups that make too many pairs
    /// some, chosen by the links that made the groups and by nothing else.
    fn speakers(&self, roots: [u32; 2]) -> [Vec<u32>; 2] {
        let [left, right] = roots.map(|root| self.sizes[root as usize] as usize);
        let most = if left * right > PAIRS_MAX {
            PAIRS_MAX / left.min(right).min(SPEAKERS)
        } else {
            PAIRS_MAX
        };
        roots.map(|root| self.group(root).take(most).collect())
    }

    /// Returns the members of a root's group.
    fn group(&self, root: u32) -> impl Iterator<Item = u32> {
        let after =
            move |&member: &u32| Some(self.next[member as usize]).filter(|&member| member != root);
        std::iter::successors(Some(root), after)
    }
}

/// Returns what a pair says of two groups, in hundredths of a bit.
fn say(weight: MatchWeight) -> i64 {
    i64::from(weight.hundredths()).clamp(-SAID_MAX, SAID_MAX)
}
