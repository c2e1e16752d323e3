//! Conditions on a pair of records in SQL: `jaro_winkler_similarity(surname_l, surname_r) >= 0.9`.
//!
//! `FIELD_l` is the value of the left record, `FIELD_r` that of the right one. Functions give what
//! those of `DuckDB` 2 give, null is neither true nor false, and a condition that is null does not hold.

mod calculate;
mod function;
mod moment;
mod parse;
mod pattern;
mod ready;
mod value;

use sameas_record::{FieldId, Schema};
use thiserror::Error;

pub(crate) use ready::ReadyPredicate;

use function::Function;
use value::Value;

/// One of the two records of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The record whose source and key sort first.
    Left,
    /// The other one.
    Right,
}

/// The value of a field of one of the two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldOf {
    pub(crate) field: FieldId,
    pub(crate) side: Side,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparator {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// An expression over leaves.
#[derive(Clone, Debug, PartialEq)]
enum Tree<L> {
    Leaf(L),
    Constant(Value<'static>),
    All(Vec<Tree<L>>),
    Any(Vec<Tree<L>>),
    Not(Box<Tree<L>>),
    IsNull(Box<Tree<L>>),
    /// Whether a condition is true, or false; null is neither.
    Is(bool, Box<Tree<L>>),
    Compare(Comparator, Box<[Tree<L>; 2]>),
    Call(Function, Vec<Tree<L>>),
    /// The result beside the first condition that holds, or else the last tree.
    Case(Vec<[Tree<L>; 2]>, Box<Tree<L>>),
}

/// A condition on a pair of records.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicate {
    text: String,
    tree: Tree<FieldOf>,
}

/// Why a text is no condition.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PredicateError {
    /// It is not SQL.
    #[error("`{text}` is not SQL: {reason}")]
    Syntax {
        /// What was written.
        text: String,
        /// What the parser said.
        reason: String,
    },
    /// It uses SQL that conditions do not have.
    #[error(
        "`{part}` is not supported in a condition; conditions have comparisons, AND, OR, NOT, IS NULL, IN, BETWEEN, CASE, CAST, arithmetic and functions"
    )]
    Unsupported {
        /// The part.
        part: String,
    },
    /// It nests too deep.
    #[error(
        "a condition has at most {max} operators in a row; use IN (...), or put parts of it in parentheses"
    )]
    TooDeep {
        /// How many there may be.
        max: usize,
    },
    /// The function is unknown.
    #[error("unknown function `{name}`{}; functions are {}", crate::language::did_you_mean(.suggestion.as_deref()), function::names())]
    Function {
        /// The function.
        name: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// The function takes other arguments.
    #[error("`{call}`: {expected}")]
    Arguments {
        /// The call.
        call: String,
        /// What it takes.
        expected: String,
    },
    /// No field has this name.
    #[error("no field is meant by `{name}`{}; write a mapped field with `_l` or `_r`, for example `surname_l`", crate::language::did_you_mean(.suggestion.as_deref()))]
    Field {
        /// What was written.
        name: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
}

impl Predicate {
    /// Reads a condition over the fields of a schema.
    ///
    /// # Errors
    /// Names the part that is wrong and what may have been meant.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, PredicateError> {
        let tree = parse::parse(text, schema)?;
        Ok(Self {
            text: text.trim().to_owned(),
            tree,
        })
    }

    /// Returns the condition as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the fields it looks at.
    pub fn fields(&self) -> Vec<FieldId> {
        let mut fields = Vec::new();
        self.tree.visit(&mut |leaf| fields.push(leaf.field));
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// Returns whether it asks the same of both records, so that their order does not matter.
    pub fn is_symmetric(&self) -> bool {
        self.tree.canonical() == self.tree.swapped().canonical()
    }

    /// Returns the field if the condition is nothing but its equality.
    pub fn exact_field(&self) -> Option<FieldId> {
        let Tree::Compare(Comparator::Equal, sides) = &self.tree else {
            return None;
        };
        match &**sides {
            [Tree::Leaf(a), Tree::Leaf(b)] if a.field == b.field && a.side != b.side => {
                Some(a.field)
            }
            _ => None,
        }
    }
}

impl Predicate {
    /// Returns the field if the condition is nothing but that one of its two values is missing.
    pub fn missing_field(&self) -> Option<FieldId> {
        let Tree::Any(sides) = &self.tree else {
            return None;
        };
        let leaf = |tree: &Tree<FieldOf>| match tree {
            Tree::IsNull(of) => match **of {
                Tree::Leaf(leaf) => Some(leaf),
                _ => None,
            },
            _ => None,
        };
        let [a, b] = &sides[..] else { return None };
        let (a, b) = (leaf(a)?, leaf(b)?);
        (a.field == b.field && a.side != b.side).then_some(a.field)
    }
}

impl<L> Tree<L> {
    fn visit<'t>(&'t self, see: &mut dyn FnMut(&'t L)) {
        match self {
            Self::Leaf(leaf) => see(leaf),
            Self::Constant(_) => {}
            Self::All(trees) | Self::Any(trees) | Self::Call(_, trees) => {
                for tree in trees {
                    tree.visit(see);
                }
            }
            Self::Not(tree) | Self::IsNull(tree) | Self::Is(_, tree) => tree.visit(see),
            Self::Compare(_, sides) => sides.iter().for_each(|tree| tree.visit(see)),
            Self::Case(branches, otherwise) => {
                branches.iter().flatten().for_each(|tree| tree.visit(see));
                otherwise.visit(see);
            }
        }
    }

    /// Returns the tree with other leaves; a subtree may become a leaf as a whole.
    fn map<M>(&self, leaf: &mut dyn FnMut(&Tree<L>) -> Option<M>) -> Tree<M> {
        if let Some(leaf) = leaf(self) {
            return Tree::Leaf(leaf);
        }
        let mut all = |trees: &[Tree<L>]| trees.iter().map(|tree| tree.map(leaf)).collect();
        match self {
            Self::Leaf(_) => unreachable!("every leaf becomes a leaf"),
            Self::Constant(value) => Tree::Constant(value.clone()),
            Self::All(trees) => Tree::All(all(trees)),
            Self::Any(trees) => Tree::Any(all(trees)),
            Self::Call(function, trees) => Tree::Call(function.clone(), all(trees)),
            Self::Not(tree) => Tree::Not(Box::new(tree.map(leaf))),
            Self::IsNull(tree) => Tree::IsNull(Box::new(tree.map(leaf))),
            Self::Is(truth, tree) => Tree::Is(*truth, Box::new(tree.map(leaf))),
            Self::Compare(comparator, sides) => {
                let [a, b] = &**sides;
                Tree::Compare(*comparator, Box::new([a.map(leaf), b.map(leaf)]))
            }
            Self::Case(branches, otherwise) => {
                let branches = branches.iter();
                Tree::Case(
                    branches.map(|[a, b]| [a.map(leaf), b.map(leaf)]).collect(),
                    Box::new(otherwise.map(leaf)),
                )
            }
        }
    }
}

impl Tree<FieldOf> {
    /// Returns the tree with the two records exchanged.
    fn swapped(&self) -> Self {
        self.map(&mut |tree| match tree {
            Tree::Leaf(FieldOf { field, side }) => Some(FieldOf {
                field: *field,
                side: match side {
                    Side::Left => Side::Right,
                    Side::Right => Side::Left,
                },
            }),
            _ => None,
        })
    }

    /// Writes the tree so that trees that differ in the order of what commutes alone are one text.
    fn canonical(&self) -> String {
        let texts = |trees: &[Self]| -> Vec<String> { trees.iter().map(Self::canonical).collect() };
        let (name, commutes, mut parts) = match self {
            Self::Leaf(_) | Self::Constant(_) => return format!("{self:?}"),
            Self::All(trees) => ("all".to_owned(), true, texts(trees)),
            Self::Any(trees) => ("any".to_owned(), true, texts(trees)),
            Self::Not(tree) => ("not".to_owned(), false, vec![tree.canonical()]),
            Self::IsNull(tree) => ("null".to_owned(), false, vec![tree.canonical()]),
            Self::Is(truth, tree) => (truth.to_string(), false, vec![tree.canonical()]),
            Self::Compare(comparator, sides) => {
                let commutes = matches!(comparator, Comparator::Equal | Comparator::Unequal);
                (format!("{comparator:?}"), commutes, texts(&sides[..]))
            }
            // The distance of two numbers does not depend on their order.
            Self::Call(Function::Abs, trees) => match &trees[..] {
                [Self::Call(Function::Subtract, trees)] => {
                    ("distance".to_owned(), true, texts(trees))
                }
                _ => ("Abs".to_owned(), false, texts(trees)),
            },
            Self::Call(function, trees) => {
                (format!("{function:?}"), function.commutes(), texts(trees))
            }
            Self::Case(branches, otherwise) => {
                let mut parts: Vec<String> = branches.iter().flat_map(|pair| texts(pair)).collect();
                parts.push(otherwise.canonical());
                ("case".to_owned(), false, parts)
            }
        };
        if commutes {
            parts.sort_unstable();
        }
        format!("{name}({})", parts.join(" "))
    }
}

#[cfg(test)]
mod tests;
