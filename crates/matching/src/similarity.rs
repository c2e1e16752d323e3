//! Similarity of two values: bit-parallel kernels, exact bounds that spare them, token sets.
//!
//! Kernels work on bytes when both values are ASCII and at most 64 bytes long (nearly all
//! normalised values are), on two words of bytes when both are at most eight characters of at most
//! two bytes, and allocate nothing there; other values go by characters or through `strsim`, which
//! defines every result. Where the processor compares many bytes at a time, kernels are compiled
//! for it (`vectors`); it is asked once, at run time, and results are the same. Only the first
//! [`COMPARED_LEN_MAX`] characters of a value are compared, so that no pair of hostile values can
//! hold up a rebuild.

mod closest;
mod edit;
#[cfg(target_arch = "x86_64")]
mod ends;
mod initials;
mod jaro;
mod machine;
mod measure;
mod positions;
mod short;
mod signature;
mod sketch;
mod tokens;
#[cfg(target_arch = "x86_64")]
mod vectors;

pub use closest::closest;
pub use edit::{damerau, damerau_within, levenshtein, levenshtein_within};
pub use initials::agrees_in_initials;
pub use jaro::{jaro, jaro_winkler, jaro_winkler_reaches};
pub(crate) use measure::{Known, WordPair};
pub use signature::{Signature, jaro_winkler_may_reach, levenshtein_may_be_within};
#[cfg(target_arch = "x86_64")]
pub(crate) use sketch::SketchLanes;
pub(crate) use sketch::{Alphabet, Reach, SKETCH_LEN, may_be_initial, may_be_within, sketch};
pub use tokens::{jaccard, overlap};
#[cfg(target_arch = "x86_64")]
pub(crate) use vectors::Vectors;

/// The most characters of a value that similarity looks at.
pub const COMPARED_LEN_MAX: usize = 256;

/// The longest value in bytes that the bit-parallel kernels take: one bit a position.
const KERNEL_LEN_MAX: usize = u64::BITS as usize;

/// Returns the bytes of both values if the bit-parallel kernels can take them.
#[inline]
fn as_kernel_input<'a>(a: &'a str, b: &'a str) -> Option<(&'a [u8], &'a [u8])> {
    let fits = |value: &str| value.len() <= KERNEL_LEN_MAX && value.is_ascii();
    (fits(a) && fits(b)).then_some((a.as_bytes(), b.as_bytes()))
}

/// Cuts a value down to what is compared.
fn clip(value: &str) -> &str {
    if value.len() <= COMPARED_LEN_MAX {
        return value;
    }
    value
        .char_indices()
        .nth(COMPARED_LEN_MAX)
        .map_or(value, |(end, _)| &value[..end])
}

#[cfg(test)]
mod tests;
