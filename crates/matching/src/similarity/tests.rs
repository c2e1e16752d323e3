#![expect(clippy::float_cmp, reason = "results are equal bit for bit or wrong")]

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

/// A stream of pseudo-random numbers (splitmix64; Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % below as u64) as usize
    }

    /// Makes a text of the characters of an alphabet.
    fn text(&mut self, alphabet: &[char], len_max: usize) -> String {
        let len = self.roll(len_max + 1);
        (0..len)
            .map(|_| alphabet[self.roll(alphabet.len())])
            .collect()
    }

    /// Makes a text that differs by some edits.
    fn edited(&mut self, text: &str, alphabet: &[char]) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..self.roll(5) {
            let at = self.roll(characters.len() + 1);
            let other = alphabet[self.roll(alphabet.len())];
            match self.roll(4) {
                0 => characters.insert(at, other),
                1 if at < characters.len() => characters[at] = other,
                2 if at < characters.len() => drop(characters.remove(at)),
                3 if at + 1 < characters.len() => characters.swap(at, at + 1),
                _ => {}
            }
        }
        characters.into_iter().collect()
    }
}

fn assert_equal_to_strsim(a: &str, b: &str) {
    assert_eq!(jaro(a, b), strsim::jaro(a, b), "jaro {a:?} {b:?}");
    assert_eq!(
        jaro_winkler(a, b),
        strsim::jaro_winkler(a, b),
        "jaro_winkler {a:?} {b:?}"
    );
    assert_eq!(
        levenshtein(a, b) as usize,
        strsim::levenshtein(a, b),
        "levenshtein {a:?} {b:?}"
    );
    assert_eq!(
        damerau(a, b) as usize,
        strsim::osa_distance(a, b),
        "damerau {a:?} {b:?}"
    );
    assert_plain_path_agrees(a, b);
}

/// Asks the kernels for any processor, which the one at hand may not need.
fn assert_plain_path_agrees(a: &str, b: &str) {
    use super::{edit::distance_plainly, jaro::jaro_plainly, jaro::jaro_winkler_plainly};
    assert_eq!(jaro(a, b), jaro_plainly(a, b), "{a:?} {b:?}");
    let plain = jaro_winkler_plainly(a, b);
    assert_eq!(jaro_winkler(a, b), plain, "{a:?} {b:?}");
    let plain = distance_plainly::<false>(a, b);
    assert_eq!(levenshtein(a, b), plain, "{a:?} {b:?}");
    let plain = distance_plainly::<true>(a, b);
    assert_eq!(damerau(a, b), plain, "{a:?} {b:?}");
}

static REACHES: LazyLock<Vec<(f64, Reach)>> = LazyLock::new(|| {
    let thresholds = [0.0, 0.4, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.95, 1.0];
    thresholds.map(|t| (t, Reach::of(t))).into()
});

/// Holds the bounds to what they promise: they never rule out what is within.
fn assert_sketches_hold(a: &str, b: &str, alphabet: Alphabet) {
    let (sketch_a, sketch_b) = (sketch(a, alphabet), sketch(b, alphabet));
    let similarity = jaro_winkler(a, b);
    for (threshold, reach) in REACHES.iter() {
        assert!(
            similarity < *threshold || reach.may_reach(&sketch_a, &sketch_b),
            "{a:?} {b:?}"
        );
    }
    let first = |text: &str| text.chars().next();
    if first(a) == first(b) && (a.chars().count() == 1 || b.chars().count() == 1) {
        assert!(may_be_initial(&sketch_a, &sketch_b), "{a:?} {b:?}");
    }
    for distance in [levenshtein(a, b), damerau(a, b)] {
        assert!(may_be_within(&sketch_a, &sketch_b, distance), "{a:?} {b:?}");
    }
}

fn assert_bounds_hold(a: &str, b: &str) {
    let (of_a, of_b) = (Signature::of(a), Signature::of(b));
    let similarity = jaro_winkler(a, b);
    assert!(
        jaro_winkler_may_reach(&of_a, &of_b, similarity),
        "{a:?} {b:?}"
    );
    assert!(jaro_winkler_reaches(a, b, similarity), "{a:?} {b:?}");
    assert!(
        !jaro_winkler_reaches(a, b, similarity + 1e-9),
        "{a:?} {b:?}"
    );
    for alphabet in [Alphabet::Letters, Alphabet::Digits] {
        assert_sketches_hold(a, b, alphabet);
    }
    let distances = (levenshtein(a, b), damerau(a, b));
    assert!(
        levenshtein_may_be_within(&of_a, &of_b, distances.0),
        "{a:?} {b:?}"
    );
    assert!(
        levenshtein_may_be_within(&of_a, &of_b, distances.1),
        "{a:?} {b:?}"
    );
    for limit in [0, 1, distances.1] {
        assert_eq!(
            levenshtein_within(a, b, limit),
            distances.0 <= limit,
            "{a:?} {b:?}"
        );
        assert_eq!(
            damerau_within(a, b, limit),
            distances.1 <= limit,
            "{a:?} {b:?}"
        );
    }
}

fn letters(text: &str) -> Vec<char> {
    text.chars().collect()
}

#[test]
fn kernels_equal_strsim_on_known_pairs() {
    let long = "x".repeat(64);
    let longer = "x".repeat(65);
    for (a, b) in [
        ("martha", "marhta"),
        ("dwayne", "duane"),
        ("dixon", "dicksonx"),
        ("madge", "marnie"),
        ("", ""),
        ("a", ""),
        ("ab", "ba"),
        ("ca", "abc"),
        ("\0", "\0\0"),
        ("a\u{7f}", "\u{7f}a"),
        ("weiß", "weiss"),
        (&long, &long[1..]),
        (&long, &longer),
        (&longer, &longer),
    ] {
        assert_equal_to_strsim(a, b);
        assert_equal_to_strsim(b, a);
        assert_bounds_hold(a, b);
    }
}

#[test]
fn kernels_equal_strsim_and_bounds_hold_on_many_pairs() {
    let alphabets = [
        letters("abc"),
        letters("abcdefghijklmnopqrstuvwxyz"),
        letters("abcdefghijklmnopqrstuvwxyz 0123456789"),
        letters("aAbB.@-+\0\u{7f}~ 019"),
        letters("abßéİ王𠮷🦄\u{301} "),
    ];
    let mut dice = Dice(1);
    for round in 0..200_000 {
        let alphabet = &alphabets[round % alphabets.len()];
        let len_max = [6, 8, 8, 12, 12, 16, 20, 40, 72][dice.roll(9)];
        let a = dice.text(alphabet, len_max);
        let b = if round % 3 == 0 {
            dice.text(alphabet, len_max)
        } else {
            dice.edited(&a, alphabet)
        };
        assert_equal_to_strsim(&a, &b);
        assert_bounds_hold(&a, &b);
    }
}

#[test]
fn kernels_equal_strsim_on_all_short_texts_of_two_letters() {
    let texts: Vec<String> = (0..=6_u32)
        .flat_map(|len| (0..1_u32 << len).map(move |bits| (len, bits)))
        .map(|(len, bits)| (0..len).map(move |at| if bits >> at & 1 == 0 { 'a' } else { 'b' }))
        .map(Iterator::collect)
        .collect();
    for a in &texts {
        for b in &texts {
            assert_equal_to_strsim(a, b);
            // The same behind a start that makes them too long for the kernel for short texts.
            assert_equal_to_strsim(&format!("a.b.{a}"), &format!("b..a{b}"));
        }
    }
}

#[test]
fn kernels_equal_strsim_on_all_lengths_up_to_two_words_and_more() {
    let alphabets = [
        letters("ab"),
        letters("a\0\u{1}\u{7f}"),
        letters("abcdefgh"),
    ];
    let mut dice = Dice(2);
    for round in 0..40 {
        let alphabet = &alphabets[round % alphabets.len()];
        for lens in 0..18 * 18 {
            let mut text = |len| {
                (0..len)
                    .map(|_| alphabet[dice.roll(alphabet.len())])
                    .collect()
            };
            let (a, b): (String, String) = (text(lens / 18), text(lens % 18));
            assert_equal_to_strsim(&a, &b);
        }
    }
}

#[test]
fn kernels_equal_strsim_on_texts_of_two_byte_characters() {
    let alphabets = [
        // Characters that share their last byte with another one, or seven bits of it with ASCII.
        letters("a\0\u{7f} \u{80}\u{a0}\u{c0}\u{e0}\u{120}\u{160}\u{7ff}"),
        letters("абвгдежзиyо"),
        letters("aeáéłżßüöçşğ"),
        letters("aé\u{7ff}\u{800}王"),
    ];
    let mut dice = Dice(3);
    for round in 0..40_000 {
        let alphabet = &alphabets[round % alphabets.len()];
        let a = dice.text(alphabet, 9);
        let b = if round % 3 == 0 {
            dice.text(alphabet, 9)
        } else {
            dice.edited(&a, alphabet)
        };
        assert_equal_to_strsim(&a, &b);
    }
}

#[test]
fn long_values_are_compared_up_to_a_bound() {
    let start = "ß".repeat(COMPARED_LEN_MAX);
    let (a, b) = (format!("{start}abc"), format!("{start}xyz"));
    assert_eq!(jaro_winkler(&a, &b), 1.0);
    assert_eq!(levenshtein(&a, &b), 0);
    assert_eq!(damerau(&a, "ß"), COMPARED_LEN_MAX as u32 - 1);
    assert_bounds_hold(&a, "ß");
    assert_bounds_hold(&"ab".repeat(200), "ab");
}

#[test]
fn numbers_are_told_apart_by_how_often_they_have_a_digit() {
    let values = ["+16045550123", "+16045550199"];
    assert_eq!(Alphabet::of(values.into_iter()), Alphabet::Digits);
    assert_eq!(Alphabet::of(["1a", "2"].into_iter()), Alphabet::Letters);
    let may_be_within = |alphabet| {
        let [a, b] = values.map(|value| sketch(value, alphabet));
        may_be_within(&a, &b, 1)
    };
    assert!(may_be_within(Alphabet::Letters));
    assert!(!may_be_within(Alphabet::Digits));
}

#[test]
fn numbers_of_many_equal_digits_hold_the_bounds() {
    let digits = letters("0011122-");
    let mut dice = Dice(11);
    for _ in 0..20_000 {
        let a = dice.text(&digits, 12);
        let b = dice.edited(&a, &digits);
        assert_bounds_hold(&a, &b);
    }
}

#[test]
fn bounds_rule_out_the_unlike() {
    let may_reach =
        |a, b, least| jaro_winkler_may_reach(&Signature::of(a), &Signature::of(b), least);
    assert!(!may_reach("maria", "john", 0.5));
    assert!(!may_reach("jonathan", "ed", 0.8));
    assert!(!may_reach("", "ed", 0.1));
    assert!(may_reach("", "", 1.0));
    assert!(may_reach("maria", "john", 0.0));
    let may_be_within =
        |a, b, most| levenshtein_may_be_within(&Signature::of(a), &Signature::of(b), most);
    assert!(!may_be_within("maria", "john", 3));
    assert!(!may_be_within("12345", "12367", 1));
    assert!(may_be_within("ab", "ba", 0));
    assert_eq!(size_of::<Signature>(), 16);
}

#[test]
fn token_sets_are_compared() {
    let (a, b, none) = ([1, 2, 3], [2, 3, 4, 5], []);
    assert_eq!(jaccard(&a, &b), 0.4);
    assert_eq!(overlap(&a, &b), 2.0 / 3.0);
    assert_eq!(jaccard(&a, &a), 1.0);
    assert_eq!(jaccard(&a, &none), 0.0);
    assert_eq!(overlap(&none, &none), 0.0);
}

#[test]
fn the_closest_word_is_suggested_if_it_is_near() {
    let words = ["surname", "given_name", "email", "dob"];
    for (word, expected) in [
        ("surnmae", Some("surname")),
        ("Email", Some("email")),
        ("emial", Some("email")),
        ("givenname", Some("given_name")),
        ("dbo", Some("dob")),
        ("address", None),
        ("x", None),
        ("", None),
    ] {
        assert_eq!(closest(word, words.into_iter()), expected, "{word}");
    }
    assert_eq!(closest("ab", ["abc", "abd"].into_iter()), Some("abc"));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_two_texts_compare_as_strsim_says(a in any::<String>(), b in any::<String>()) {
        assert_equal_to_strsim(&a, &b);
        assert_bounds_hold(&a, &b);
    }

    #[test]
    fn measures_are_symmetric_and_in_range(a in "[a-d]{0,70}", b in "[a-d]{0,70}") {
        prop_assert_eq!(levenshtein(&a, &b), levenshtein(&b, &a));
        prop_assert_eq!(damerau(&a, &b), damerau(&b, &a));
        prop_assert!(damerau(&a, &b) <= levenshtein(&a, &b));
        for similarity in [jaro(&a, &b), jaro_winkler(&a, &b)] {
            prop_assert!((0.0..=1.0).contains(&similarity));
        }
    }
}
