//! The value of an expression, by the three-valued logic of SQL.

use std::cmp::Ordering;

use super::value::Value;
use super::{Comparator, Tree};

impl<L> Tree<L> {
    /// Returns the value, given those of the leaves.
    pub(super) fn value<'v>(&'v self, read: &dyn Fn(&'v L) -> Value<'v>) -> Value<'v> {
        let truth = |truth: Option<bool>| truth.map_or(Value::Null, Value::Bool);
        match self {
            Self::Leaf(leaf) => read(leaf),
            Self::Constant(value) => value.borrowed(),
            Self::All(trees) => truth(decided(trees, false, read)),
            Self::Any(trees) => truth(decided(trees, true, read)),
            Self::Not(tree) => truth(tree.value(read).truth().map(|truth| !truth)),
            Self::IsNull(tree) => Value::Bool(tree.value(read).is_null()),
            Self::Is(wanted, tree) => Value::Bool(tree.value(read).truth() == Some(*wanted)),
            Self::Compare(comparator, sides) => {
                let [a, b] = &**sides;
                truth(comparator.holds(&a.value(read), &b.value(read)))
            }
            Self::Call(function, arguments) => {
                let arguments = arguments.iter().map(|tree| tree.value(read));
                function.call(arguments.collect())
            }
            Self::Case(branches, otherwise) => {
                let taken = branches
                    .iter()
                    .find(|[condition, _]| condition.value(read).truth() == Some(true));
                taken.map_or_else(|| otherwise.value(read), |[_, result]| result.value(read))
            }
        }
    }
}

/// Returns what trees give together of which one that is `decisive` decides; null if none does and
/// one is null.
fn decided<'v, L>(
    trees: &'v [Tree<L>],
    decisive: bool,
    read: &dyn Fn(&'v L) -> Value<'v>,
) -> Option<bool> {
    let mut known = true;
    for tree in trees {
        match tree.value(read).truth() {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(!decisive)
}

impl Comparator {
    fn holds(self, a: &Value<'_>, b: &Value<'_>) -> Option<bool> {
        let order = |fits: fn(Ordering) -> bool| a.order(b).map(fits);
        match self {
            Self::Equal => a.equals(b),
            Self::Unequal => a.equals(b).map(|equal| !equal),
            Self::Less => order(Ordering::is_lt),
            Self::AtMost => order(Ordering::is_le),
            Self::More => order(Ordering::is_gt),
            Self::AtLeast => order(Ordering::is_ge),
        }
    }
}
