//! The word a user probably meant.

use super::damerau;

/// Returns the candidate nearest to a misspelt word, the first of equals, if any is near enough to suggest.
///
/// Near enough is one edit in three characters; upper and lower case do not differ.
pub fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = |candidate: &'a str| {
        let distance = damerau(&word, &candidate.to_lowercase());
        let len = word.chars().count().max(candidate.chars().count()) as u32;
        (distance <= (len / 3).max(1) && distance < len).then_some((distance, candidate))
    };
    candidates
        .filter_map(near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}
