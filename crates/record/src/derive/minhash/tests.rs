use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

type Of = fn(&str, u8, &mut dyn FnMut(&str));

fn bands(of: Of, value: &str, percent: u8) -> Vec<String> {
    let mut all = Vec::new();
    of(value, percent, &mut |band| all.push(band.to_owned()));
    all
}

fn shares_band(of: Of, a: &str, b: &str, percent: u8) -> bool {
    let (a, b) = (bands(of, a, percent), bands(of, b, percent));
    a.iter().any(|band| b.contains(band))
}

/// The parts of a value, the obvious way.
fn grams(value: &str) -> BTreeSet<String> {
    let characters: Vec<char> = value.chars().collect();
    match characters.len() {
        0..=2 => [value.to_owned()].into(),
        _ => characters.windows(3).map(String::from_iter).collect(),
    }
}

/// How likely values of a similarity share a band, by the formula.
fn chance(bands: Bands, similarity: f64) -> f64 {
    1.0 - (1.0 - similarity.powf(bands.rows.into())).powf(bands.count.into())
}

#[test]
fn bands_find_what_is_asked_for_and_no_more_than_they_must() {
    for percent in 1..=99 {
        let bands = Bands::of(percent);
        assert!(
            (1..=BANDS_MAX).contains(&bands.count),
            "{percent}: {bands:?}"
        );
        let similarity = f64::from(percent) / 100.0;
        if percent >= 10 {
            assert!(chance(bands, similarity) >= 0.9, "{percent}: {bands:?}");
        }
        let narrower = Bands {
            count: BANDS_MAX,
            rows: bands.rows + 1,
        };
        assert!(chance(narrower, similarity) < 0.9, "{percent}: {bands:?}");
    }
    assert_eq!(Bands::of(50), Bands { count: 18, rows: 3 });
}

/// Each function finds two sets equal in their least with the probability of their Jaccard similarity.
#[test]
fn values_share_bands_as_often_as_their_similarity_says() {
    for percent in [30, 50, 70, 90] {
        let of_bands = Bands::of(percent);
        for shared in [10_u32, 25, 40, 50, 55] {
            let own = 60 - shared;
            let similarity = f64::from(shared) / f64::from(60 + own);
            let text = |case: u32, side: u32| {
                let words = (0..60).map(|n| {
                    let own = if n < shared {
                        String::new()
                    } else {
                        format!("y{side}")
                    };
                    format!("w{case}x{n}{own}")
                });
                words.collect::<Vec<_>>().join(" ")
            };
            let cases = 0..400;
            let found = cases
                .filter(|&case| shares_band(of_words, &text(case, 0), &text(case, 1), percent));
            let found = found.count() as f64 / 400.0;
            let expected = chance(of_bands, similarity);
            assert!(
                (found - expected).abs() < 0.085,
                "{percent}, {similarity}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn words_are_those_of_tokens_and_their_order_says_nothing() {
    let title = "the silent history of rain in northern valleys";
    let turned = "valleys: northern rain, in silent history (of)";
    assert_eq!(bands(of_words, title, 60), bands(of_words, turned, 60));
    assert_ne!(bands(of_grams, title, 60), bands(of_grams, turned, 60));
    assert!(bands(of_words, "the of a", 60).is_empty());
    assert_eq!(bands(of_grams, "a", 60).len(), Bands::of(60).count as usize);
}

proptest! {
    /// Bands depend on the set of parts alone, each is told by its number, and equal parts give equal bands.
    #[test]
    fn bands_are_those_of_the_set_of_parts(a in "[ab é]{0,9}", b in "[ab é]{0,9}", percent in 20_u8..96) {
        let (of_a, of_b) = (bands(of_grams, &a, percent), bands(of_grams, &b, percent));
        prop_assert_eq!(of_a.len(), Bands::of(percent).count as usize);
        if grams(&a) == grams(&b) {
            prop_assert_eq!(&of_a, &of_b);
        }
        let distinct: BTreeSet<&String> = of_a.iter().collect();
        prop_assert_eq!(distinct.len(), of_a.len());
        // Values without a part in common share no band.
        if grams(&a).is_disjoint(&grams(&b)) {
            prop_assert!(of_a.iter().all(|band| !of_b.contains(band)));
        }
    }
}
