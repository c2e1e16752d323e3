//! The most that a pair can weigh, from the slots in which its rows agree.
//!
//! Cost: two look-ups in tables of the first cache for every eight comparisons; the rarity of equal
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

/// Adds up what the tables of each set say.
fn sums(tables: &[Table], of: impl Fn(&Table) -> f64) -> Box<[f64; 1 << GROUP_LEN]> {
    let each: Vec<f64> = tables.iter().map(of).collect();
    let mut sums = Box::new([0.0; 1 << GROUP_LEN]);
    for (set, sum) in sums.iter_mut().enumerate() {
        let members = each.iter().enumerate();
        let members = members.filter(|(index, _)| set >> index & 1 == 1);
        *sum = members.map(|(_, bits)| bits).sum();
    }
    sums
}
