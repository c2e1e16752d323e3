//! The formal names a diminutive may stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::FieldKind;

/// One line a group: the formal name, a colon, its diminutives and spellings; `#` begins a comment.
const GROUPS: &str = include_str!("nickname.txt");

/// From each diminutive to its formal names, in the order of the file.
static FORMAL_NAMES: LazyLock<BTreeMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let mut formal_names: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (formal, diminutives) in groups() {
        for diminutive in diminutives.split_ascii_whitespace() {
            formal_names.entry(diminutive).or_default().push(formal);
        }
    }
    formal_names
});

fn groups() -> impl Iterator<Item = (&'static str, &'static str)> {
    GROUPS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
}

/// Tells whether a folded word is a given name of the table: formal, a diminutive or a spelling.
pub fn is_known_given_name(word: &str) -> bool {
    static FORMAL: LazyLock<BTreeSet<&'static str>> =
        LazyLock::new(|| groups().map(|(formal, _)| formal).collect());
    FORMAL.contains(word) || FORMAL_NAMES.contains_key(word)
}

/// Hands over a given name and every formal name it may stand for.
///
/// Of several given names the first counts; of a full name the others stay as they are.
pub(super) fn nickname(kind: FieldKind, value: &str, emit: &mut dyn FnMut(&str)) {
    let (first, rest) = value.split_once(' ').unwrap_or((value, ""));
    let rest = if kind == FieldKind::FullName {
        rest
    } else {
        ""
    };
    let mut emit_name = |name: &str| {
        if rest.is_empty() {
            emit(name);
        } else {
            emit(&format!("{name} {rest}"));
        }
    };
    emit_name(first);
    for formal in FORMAL_NAMES.get(first).into_iter().flatten() {
        emit_name(formal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formal_names_and_diminutives_are_known_and_others_are_not() {
        for (word, is_known) in [
            ("robert", true),
            ("bob", true),
            ("ibrahim", true),
            ("nsw", false),
            ("", false),
        ] {
            assert_eq!(is_known_given_name(word), is_known, "{word}");
        }
    }

    #[test]
    fn groups_are_in_order_and_well_formed() {
        let names: Vec<_> = groups().collect();
        assert!(names.len() >= 250);
        assert!(names.is_sorted_by_key(|(formal, _)| *formal));
        let lower = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b' ');
        for (formal, diminutives) in names {
            assert!(lower(formal) && lower(diminutives), "{formal}");
            assert!(
                !diminutives.split(' ').any(|name| name == formal),
                "{formal}"
            );
        }
    }
}
