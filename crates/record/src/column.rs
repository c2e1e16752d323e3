//! One field over all nodes, as numbers of distinct values.

use crate::{Dictionary, ValueId};

/// A field of every record: the value ids in node order and the values they stand for.
#[derive(Debug, Default)]
pub struct Column {
    pub(crate) dictionary: Dictionary,
    pub(crate) first: Vec<u32>,
    pub(crate) more: Option<MoreValues>,
}

/// The further values of multi-valued fields, listed by node.
#[derive(Debug, Default)]
pub(crate) struct MoreValues {
    pub(crate) starts: Vec<u32>,
    pub(crate) ids: Vec<u32>,
}

impl Column {
    /// Makes a column from the value of each node; tests and benches use it.
    pub fn from_texts<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut dictionary = Dictionary::default();
        let first = texts
            .map(|t| t.map_or(0, |t| dictionary.intern(t).get()))
            .collect();
        Self {
            dictionary,
            first,
            more: None,
        }
    }

    /// Returns the values.
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// Returns how many nodes there are.
    pub fn len(&self) -> usize {
        self.first.len()
    }

    /// Returns whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Returns the first value of each node, in node order; 0 where it is missing.
    pub fn first_ids(&self) -> &[u32] {
        &self.first
    }

    /// Returns the first value of a node.
    pub fn first(&self, node: usize) -> ValueId {
        ValueId::new(self.first[node])
    }

    /// Returns the values of a node beyond the first.
    pub fn more(&self, node: usize) -> &[u32] {
        self.more.as_ref().map_or(&[], |more| {
            &more.ids[more.starts[node] as usize..more.starts[node + 1] as usize]
        })
    }

    /// Returns whether any node has more than one value.
    pub fn is_multi_valued(&self) -> bool {
        self.more.is_some()
    }

    /// Returns all values of a node.
    pub fn values(&self, node: usize) -> impl Iterator<Item = ValueId> + '_ {
        let first = self.first(node);
        let more = self.more(node).iter().map(|&id| ValueId::new(id));
        (!first.is_missing())
            .then_some(first)
            .into_iter()
            .chain(more)
    }

    /// Returns how many nodes have each value, in order of value numbers.
    pub fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.dictionary.len()];
        let more = self.more.as_ref().map_or(&[][..], |more| &more.ids);
        for &id in self.first.iter().chain(more) {
            counts[id as usize] += 1;
        }
        counts
    }

    /// Takes values that more nodes have than this for missing; returns their content hashes.
    pub(crate) fn ignore_shared(&mut self, max: u64) -> Vec<u64> {
        let counts = self.counts();
        let is_kept = |id: u32| id != 0 && u64::from(counts[id as usize]) <= max;
        // Value 0 is the missing one.
        let ignored = (1..counts.len() as u32).filter(|&id| !is_kept(id));
        let hash = |id| self.dictionary.hash(ValueId::new(id));
        let ignored: Vec<u64> = ignored.map(hash).collect();
        if !ignored.is_empty() {
            self.keep_values(is_kept);
        }
        ignored
    }

    /// Takes all other values for missing; a further value takes the place of a first one.
    pub(crate) fn keep_values(&mut self, is_kept: impl Fn(u32) -> bool) {
        let mut kept = MoreValues {
            starts: vec![0],
            ids: Vec::new(),
        };
        let mut first = Vec::with_capacity(self.len());
        for node in 0..self.len() {
            let further = self.more(node).iter().copied();
            let values = std::iter::once(self.first[node]).chain(further);
            let mut values = values.filter(|&id| is_kept(id));
            first.push(values.next().unwrap_or(0));
            kept.ids.extend(values);
            kept.starts.push(kept.ids.len() as u32);
        }
        self.first = first;
        self.more = (!kept.ids.is_empty()).then_some(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each node's values as texts.
    fn texts(column: &Column) -> Vec<Vec<&str>> {
        let nodes = 0..column.len();
        let text = |id| column.dictionary().text(id);
        nodes
            .map(|node| column.values(node).map(text).collect())
            .collect()
    }

    #[test]
    fn what_too_many_nodes_share_is_missing_and_the_next_value_takes_its_place() {
        let mut column =
            Column::from_texts([Some("a"), Some("b"), Some("b"), None, Some("c")].into_iter());
        let [a, b] = [column.first[0], column.first[1]];
        column.more = Some(MoreValues {
            starts: vec![0, 1, 2, 2, 2, 3],
            ids: vec![b, a, b],
        });
        assert!(column.ignore_shared(4).is_empty());
        let hash = column.dictionary().hash(ValueId::new(b));
        assert_eq!(column.ignore_shared(3), [hash], "four nodes have b");
        assert_eq!(
            texts(&column),
            [vec!["a"], vec!["a"], vec![], vec![], vec!["c"]]
        );
        assert!(!column.is_multi_valued());
        assert_eq!(column.ignore_shared(1).len(), 1);
        assert_eq!(texts(&column), [vec![], vec![], vec![], vec![], vec!["c"]]);
    }
}
