#![expect(clippy::float_cmp, reason = "results are equal bit for bit or wrong")]

use super::*;

#[test]
fn kernels_agree_with_strsim_on_known_pairs() {
    for (a, b) in [
        ("martha", "marhta"),
        ("dwayne", "duane"),
        ("", ""),
        ("a", ""),
        ("ab", "ba"),
    ] {
        assert_eq!(jaro_winkler(a, b), strsim::jaro_winkler(a, b), "{a} {b}");
        assert_eq!(
            levenshtein(a, b) as usize,
            strsim::levenshtein(a, b),
            "{a} {b}"
        );
        assert_eq!(
            damerau(a, b) as usize,
            strsim::osa_distance(a, b),
            "{a} {b}"
        );
    }
}
