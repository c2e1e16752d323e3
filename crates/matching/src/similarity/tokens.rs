//! Similarity of token sets, as sorted lists of token numbers without repetition.

use std::cmp::Ordering;

/// Returns the share of all tokens that both sides have; 0 if there are none.
#[inline]
pub fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    let common = common_count(a, b);
    share(common, a.len() + b.len() - common)
}

/// Returns the share of the smaller side's tokens that the other has too; 0 if it has none.
#[inline]
pub fn overlap(a: &[u32], b: &[u32]) -> f64 {
    share(common_count(a, b), a.len().min(b.len()))
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn common_count(a: &[u32], b: &[u32]) -> usize {
    debug_assert!(a.is_sorted_by(|x, y| x < y) && b.is_sorted_by(|x, y| x < y));
    let (mut i, mut j, mut count) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let order = x.cmp(y);
        count += usize::from(order == Ordering::Equal);
        i += usize::from(order != Ordering::Greater);
        j += usize::from(order != Ordering::Less);
    }
    count
}
