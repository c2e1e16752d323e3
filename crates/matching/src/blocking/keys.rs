//! Keys of records under a rule, and words of (key, node) in order.

use rayon::prelude::*;

use super::PreparedRule;

/// The most keys one record has under one rule.
///
/// Of more, those with the smallest hashes are kept: a choice that depends on their content
/// alone, and two records that share many keys are likely to keep a shared one.
const KEY_COUNT_MAX: usize = 64;

/// How many leading hash bits choose the part in which keys are sorted.
const PART_BITS: u32 = 10;

/// Mixes two hashes into one (the finaliser of `SplitMix64` over their combination).
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.rotate_left(26) ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns the keys of a node, ascending, and whether it has more; none if a part of the rule is
/// missing.
pub(super) fn keys_of(rule: &PreparedRule<'_>, node: usize) -> (Vec<u64>, bool) {
    let (mut keys, mut is_cut) = (vec![0], false);
    let mut hashes = Vec::new();
    for (index, part) in rule.parts.iter().enumerate() {
        hashes.clear();
        part.for_each_hash(node, &mut |hash| hashes.push(hash));
        is_cut |= keep_smallest(&mut hashes);
        let keyed = hashes.iter().flat_map(|&hash| {
            let with = move |&key: &u64| mix(key ^ (index as u64 + 1), hash);
            keys.iter().map(with)
        });
        keys = keyed.collect();
        is_cut |= keep_smallest(&mut keys);
    }
    let is_cut = is_cut && !keys.is_empty();
    (keys, is_cut)
}

/// Sorts hashes and keeps the smallest of them; tells whether there were more.
fn keep_smallest(hashes: &mut Vec<u64>) -> bool {
    hashes.sort_unstable();
    hashes.dedup();
    let is_cut = hashes.len() > KEY_COUNT_MAX;
    hashes.truncate(KEY_COUNT_MAX);
    is_cut
}

pub(super) fn single_key(rule: &PreparedRule<'_>, node: usize) -> Option<u64> {
    let mut key = 0;
    for (index, part) in rule.parts.iter().enumerate() {
        let id = part.id(node);
        if id == 0 {
            return None;
        }
        key = mix(key ^ (index as u64 + 1), part.derived.hash(id));
    }
    Some(key)
}

/// Computes the keys of all nodes once, for rules under which a node has several; returns how many
/// nodes have more than are used.
pub(super) fn list_keys(rule: &mut PreparedRule<'_>, len: usize) -> u64 {
    let chunk_len = 16_384;
    let chunks: Vec<(Vec<u64>, Vec<u32>, u64)> = (0..len.div_ceil(chunk_len))
        .into_par_iter()
        .map(|chunk| {
            let (mut keys, mut counts) = (Vec::new(), Vec::with_capacity(chunk_len));
            let mut cut = 0;
            for node in chunk * chunk_len..len.min((chunk + 1) * chunk_len) {
                let (of_node, is_cut) = keys_of(rule, node);
                counts.push(of_node.len() as u32);
                keys.extend(of_node);
                cut += u64::from(is_cut);
            }
            (keys, counts, cut)
        })
        .collect();
    rule.key_starts = vec![0];
    let mut cut_records = 0;
    for (keys, counts, cut) in chunks {
        cut_records += cut;
        rule.keys.extend(keys);
        for count in counts {
            let start = rule.key_starts[rule.key_starts.len() - 1];
            rule.key_starts.push(start + u64::from(count));
        }
    }
    cut_records
}

/// Drops the low bits of a key, as packing a node beside it does.
pub(super) fn truncate(key: u64, node_bits: u32) -> u64 {
    key >> node_bits
}

pub(super) fn node_of(word: u64, node_bits: u32) -> u32 {
    (word & ((1 << node_bits) - 1)) as u32
}

pub(super) fn pack(key: u64, node: usize, node_bits: u32) -> u64 {
    (key >> node_bits << node_bits) | node as u64
}

/// Returns the words of a node's keys, which ascend; keys that differ in dropped bits alone make one word.
fn packed(keys: &[u64], node: usize, node_bits: u32) -> impl Iterator<Item = u64> {
    let distinct = keys.chunk_by(move |&a, &b| truncate(a, node_bits) == truncate(b, node_bits));
    distinct.map(move |keys| pack(keys[0], node, node_bits))
}

/// Returns all (key, node) words of a rule, sorted, and how many nodes have a key.
pub(super) fn sorted_words(rule: &PreparedRule<'_>, len: usize, node_bits: u32) -> (Vec<u64>, u64) {
    let chunk_len = 65_536;
    let parts: Vec<(Vec<u64>, u64)> = (0..len.div_ceil(chunk_len))
        .into_par_iter()
        .map(|chunk| {
            let nodes = chunk * chunk_len..len.min((chunk + 1) * chunk_len);
            let mut words = Vec::with_capacity(nodes.len());
            let mut keyed = 0;
            for node in nodes {
                let from = words.len();
                if let Some(window) = &rule.window {
                    let keys = window.keys_of(node as u32);
                    words.extend(keys.map(|key| pack(key, node, node_bits)));
                } else if rule.multi {
                    words.extend(packed(rule.keys(node), node, node_bits));
                } else if let Some(key) = single_key(rule, node) {
                    words.push(pack(key, node, node_bits));
                }
                keyed += u64::from(words.len() > from);
            }
            (words, keyed)
        })
        .collect();
    let keyed = parts.iter().map(|(_, keyed)| keyed).sum();
    let chunks: Vec<Vec<u64>> = parts.into_iter().map(|(words, _)| words).collect();
    (partition_sort(&chunks), keyed)
}

/// Sorts words by scattering them on their leading bits and sorting each part in parallel.
fn partition_sort(chunks: &[Vec<u64>]) -> Vec<u64> {
    let parts = 1 << PART_BITS;
    let part_of = |word: u64| (word >> (64 - PART_BITS)) as usize;
    let mut starts = vec![0usize; parts + 1];
    for &word in chunks.iter().flatten() {
        starts[part_of(word) + 1] += 1;
    }
    for part in 0..parts {
        starts[part + 1] += starts[part];
    }
    let mut sorted = vec![0; starts[parts]];
    let mut next = starts.clone();
    for &word in chunks.iter().flatten() {
        let slot = &mut next[part_of(word)];
        sorted[*slot] = word;
        *slot += 1;
    }
    let mut slices = Vec::with_capacity(parts);
    let mut rest = &mut sorted[..];
    for part in 0..parts {
        let (head, tail) = rest.split_at_mut(starts[part + 1] - starts[part]);
        slices.push(head);
        rest = tail;
    }
    slices.into_par_iter().for_each(<[u64]>::sort_unstable);
    sorted
}

/// Returns the runs of words that share a key, if they hold at least two.
pub(super) fn runs(words: &[u64], node_bits: u32) -> impl Iterator<Item = &[u64]> {
    words
        .chunk_by(move |a, b| a >> node_bits == b >> node_bits)
        .filter(|run| run.len() > 1)
}

/// Cuts words into pieces for parallel work, never within a key.
pub(super) fn chunk_bounds(words: &[u64], node_bits: u32) -> Vec<usize> {
    const CHUNK_LEN: usize = 32_768;
    let mut bounds = vec![0];
    let mut at = CHUNK_LEN;
    while at < words.len() {
        let key = words[at - 1] >> node_bits;
        at += words[at..].partition_point(|&word| word >> node_bits == key);
        bounds.push(at);
        at += CHUNK_LEN;
    }
    if bounds[bounds.len() - 1] < words.len() {
        bounds.push(words.len());
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two keys of a record that differed in the low bits alone, which its number replaces, put it
    /// into the block twice, and the pair of it and itself stopped a rebuild. Such keys are one.
    #[test]
    fn a_record_is_in_a_block_once() {
        let keys = [0x1_00, 0x1_01, 0x1_ff, 0x2_00, 0x3_10, 0x3_11];
        let words: Vec<u64> = packed(&keys, 7, 8).collect();
        assert_eq!(words, [0x1_07, 0x2_07, 0x3_07]);
    }
}
