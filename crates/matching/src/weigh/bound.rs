//! The most that a pair can weigh, from the slots in which its rows agree.
//!
//! Cost: three look-ups in tables of the first cache for every eight comparisons; the rarity of equal
//! values is looked up only where the rarest value would carry the pair over the threshold.

use super::Table;
use crate::rows::{Agreement, NodeRow};

/// Comparisons that one table answers for.
const GROUP_LEN: usize = 8;

/// What comparisons can weigh at most, by the slots in which two rows agree.
#[derive(Debug)]
pub(super) struct BoundTables {
    /// The prior, and what comparisons weigh whose values are missing.
    base: f64,
    groups: Vec<Group>,
    /// The comparisons whose equal values add their rarity, one bit each.
    rare: u32,
}

/// The sums of eight comparisons, by the set of those that agree or differ.
#[derive(Debug)]
struct Group {
    unequal: Box<[f64; 1 << GROUP_LEN]>,
    equal: Box<[f64; 1 << GROUP_LEN]>,
    /// The same with the rarity of the rarest value.
    equal_and_rarest: Box<[f64; 1 << GROUP_LEN]>,
}

impl BoundTables {
    pub(super) fn new(prior: f64, tables: &[Table]) -> Self {
        let rare = tables.iter().enumerate();
        let rare = rare.map(|(index, table)| (table.rarity_mask & 1) << index);
        Self {
            base: prior + tables.iter().map(|table| table.most[0]).sum::<f64>(),
            groups: tables.chunks(GROUP_LEN).map(Group::new).collect(),
            rare: rare.sum(),
        }
    }

    /// Returns the most a pair can weigh, unless that is below `least`.
    #[inline]
    pub(super) fn reach(
        &self,
        tables: &[Table],
        a: NodeRow<'_>,
        agreement: Agreement,
        least: f64,
    ) -> Option<f64> {
        let (mut bits, mut rarest) = (self.base, self.base);
        for (index, group) in self.groups.iter().enumerate() {
            let set = |slots: u32| slots.to_le_bytes()[index] as usize;
            let unequal = group.unequal[set(agreement.unequal)];
            bits += unequal + group.equal[set(agreement.equal)];
            rarest += unequal + group.equal_and_rarest[set(agreement.equal)];
        }
        if rarest < least {
            return None;
        }
        let mut rare = agreement.equal & self.rare;
        while rare != 0 {
            let index = rare.trailing_zeros() as usize;
            bits += f64::from(tables[index].rarity[a.id(index) as usize]);
            rare &= rare - 1;
        }
        (bits >= least).then_some(bits)
    }
}

impl Group {
    fn new(tables: &[Table]) -> Self {
        let rarest = |table: &Table| match table.rarity_mask {
            0 => 0.0,
            _ => table.rarity.iter().copied().fold(f32::MIN, f32::max).into(),
        };
        Self {
            unequal: sums(tables, |table| table.most[1] - table.most[0]),
            equal: sums(tables, |table| table.most[2] - table.most[0]),
            equal_and_rarest: sums(tables, |table| {
                table.most[2] - table.most[0] + rarest(table)
            }),
        }
    }
}

/// Adds up what the tables of each set say: a set says what it says without its first member, and
/// what that says.
fn sums(tables: &[Table], of: impl Fn(&Table) -> f64) -> Box<[f64; 1 << GROUP_LEN]> {
    let mut each = [0.0; GROUP_LEN];
    for (bits, table) in each.iter_mut().zip(tables) {
        *bits = of(table);
    }
    let mut sums = Box::new([0.0; 1 << GROUP_LEN]);
    for set in 1..sums.len() {
        sums[set] = sums[set & (set - 1)] + each[set.trailing_zeros() as usize];
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const RARITY: [f32; 4] = [0.0, 3.5, -2.25, 7.0];

    fn table(most: [f64; 3], is_rare: bool) -> Table {
        Table {
            bits: Vec::new(),
            related_bits: Vec::new(),
            personal: false,
            least: 0.0,
            rarity: if is_rare { RARITY.to_vec() } else { vec![0.0] },
            most,
            rarity_mask: if is_rare { u32::MAX } else { 0 },
            adjustments: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn the_reach_of_a_pair_is_what_its_comparisons_can_weigh(
            tables in vec((-9.0..9.0, -9.0..9.0, any::<bool>(), any::<bool>()), 1..17),
            ids in vec((0..4_u32, 0..4_u32), 20),
            least in -60.0..60.0_f64,
        ) {
            let tables: Vec<Table> = tables
                .into_iter()
                .map(|(unequal, equal, is_rare, is_asked)| {
                    if is_asked {
                        table([equal; 3], false)
                    } else {
                        table([0.0, unequal, equal], is_rare)
                    }
                })
                .collect();
            let (x, y): (Vec<u32>, Vec<u32>) = ids.into_iter().unzip();
            let (a, b) = (NodeRow::of_ids(&x), NodeRow::of_ids(&y));
            let compared = x.iter().zip(&y).zip(&tables);
            let expected = 1.5 + compared.map(|((&x, &y), table)| table.most(x, y)).sum::<f64>();
            prop_assume!((expected - least).abs() > 1e-6);
            let found = BoundTables::new(1.5, &tables).reach(&tables, a, a.agreement(b), least);
            prop_assert_eq!(found.is_some(), expected >= least);
            prop_assert!(found.is_none_or(|bits| (bits - expected).abs() < 1e-9));
        }
    }
}
