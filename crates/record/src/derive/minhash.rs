//! `MinHash` bands: keys of which two values share one the likelier the more their parts overlap.
//!
//! The parts of a value are hashed by many functions; two values have the same least hash under one of
//! them with the probability that is their Jaccard similarity (Broder 1997). Some least hashes
//! together are a band, and bands are the derived values, so two values of similarity s share one of
//! b bands of r with the probability 1 - (1 - s^r)^b (Indyk and Motwani 1998).
//!
//! Cost: a multiplication for each part, band and row: about 8,000 for a title of 60 characters.

use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_64;

use super::tokens;

/// The most bands, which are keys of a record: half of what one record may have under one rule.
pub(super) const BANDS_MAX: u32 = 32;
/// How many of 100 pairs of the similarity that is asked for share no band, at most.
const MISSED_MAX: f64 = 0.1;
/// How many characters in a row are one part.
const GRAM_LEN: usize = 3;

/// The numbers of bands, and of least hashes in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bands {
    pub(super) count: u32,
    pub(super) rows: u32,
}

impl Bands {
    /// Returns the most selective bands that find nine in ten pairs of a similarity in percent.
    ///
    /// Products alone decide, so that every machine chooses the same.
    pub(super) fn of(percent: u8) -> Self {
        let similarity = f64::from(percent) / 100.0;
        let (mut best, mut shares) = (None, 1.0);
        for rows in 1.. {
            shares *= similarity;
            let (mut count, mut missed) = (0, 1.0);
            while missed > MISSED_MAX && count <= BANDS_MAX {
                missed *= 1.0 - shares;
                count += 1;
            }
            if count > BANDS_MAX {
                break;
            }
            best = Some(Self { count, rows });
        }
        best.unwrap_or(Self {
            count: BANDS_MAX,
            rows: 1,
        })
    }
}

/// Hands over the bands of the runs of three characters in a value; a shorter value is one part.
pub(super) fn of_grams(value: &str, percent: u8, emit: &mut dyn FnMut(&str)) {
    let starts = value.char_indices().map(|(at, _)| at);
    let mut starts: Vec<usize> = starts.chain([value.len()]).collect();
    if starts.len() <= GRAM_LEN {
        starts = vec![0; GRAM_LEN];
        starts.push(value.len());
    }
    let grams = starts.iter().zip(&starts[GRAM_LEN..]);
    let parts = grams.map(|(&from, &to)| xxh3_64(&value.as_bytes()[from..to]));
    emit_bands(&parts.collect::<Vec<_>>(), Bands::of(percent), emit);
}

/// Hands over the bands of the tokens of a value.
pub(super) fn of_words(value: &str, percent: u8, emit: &mut dyn FnMut(&str)) {
    let mut parts = Vec::new();
    tokens::tokens(value, &mut |token| parts.push(xxh3_64(token.as_bytes())));
    emit_bands(&parts, Bands::of(percent), emit);
}

fn emit_bands(parts: &[u64], bands: Bands, emit: &mut dyn FnMut(&str)) {
    if parts.is_empty() {
        return;
    }
    let mut text = String::new();
    for band in 0..bands.count {
        text.clear();
        write!(text, "{band}").expect("a string takes what is written");
        for row in 0..bands.rows {
            let least = least_hash(parts, u64::from(band * bands.rows + row));
            write!(text, " {least:x}").expect("a string takes what is written");
        }
        emit(&text);
    }
}

/// Returns the least that a hash function makes of any part.
fn least_hash(parts: &[u64], function: u64) -> u64 {
    let (flip, factor) = (scatter(2 * function), scatter(2 * function + 1) | 1);
    let hashes = parts.iter().map(|part| (part ^ flip).wrapping_mul(factor));
    hashes.min().unwrap_or(u64::MAX)
}

/// Returns a number all of whose bits depend on another (the finaliser of `SplitMix64`).
fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
