//! The measures themselves, over one contingency table of entities and clusters.

use rayon::slice::ParallelSliceMut;

use super::{Evaluation, Quality};

/// How often each entity of the truth meets each cluster.
#[derive(Debug)]
pub(super) struct Agreement {
    record_count: u64,
    entity_sizes: Vec<u64>,
    cluster_sizes: Vec<u64>,
    /// Entity, cluster, and how many records they share; only where they share any.
    cells: Vec<(u32, u32, u64)>,
}

impl Agreement {
    /// Counts records by their entity and cluster; codes are dense.
    pub(super) fn new(entities: &[u32], clusters: &[u32]) -> Self {
        let both = entities.iter().zip(clusters);
        let mut pairs: Vec<u64> = both
            .map(|(&entity, &cluster)| u64::from(entity) << 32 | u64::from(cluster))
            .collect();
        pairs.par_sort_unstable();
        let cell = |run: &[u64]| ((run[0] >> 32) as u32, run[0] as u32, run.len() as u64);
        let cells = pairs.chunk_by(|a, b| a == b).map(cell).collect();
        Self {
            record_count: entities.len() as u64,
            entity_sizes: sizes(entities),
            cluster_sizes: sizes(clusters),
            cells,
        }
    }

    /// Computes all measures.
    pub(super) fn evaluation(&self, missing: u64, extra: u64) -> Evaluation {
        let true_pairs = pairs(self.cells.iter().map(|&(_, _, count)| count));
        let all_true = pairs(self.entity_sizes.iter().copied());
        let all_found = pairs(self.cluster_sizes.iter().copied());
        let exact = self.cells.iter().filter(|cell| self.is_exact(cell)).count() as u64;
        let true_entities = self.entity_sizes.len();
        let found_entities = self.cluster_sizes.iter().filter(|&&size| size > 0).count();
        Evaluation {
            pairwise: Quality::new(share(true_pairs, all_found), share(true_pairs, all_true)),
            b_cubed: self.b_cubed(),
            exact_cluster: Quality::new(
                share(exact, found_entities as u64),
                share(exact, true_entities as u64),
            ),
            true_pairs,
            false_pairs: all_found - true_pairs,
            missed_pairs: all_true - true_pairs,
            records: self.record_count,
            missing,
            extra,
            true_entities: true_entities as u64,
            found_entities: found_entities as u64,
            largest_found: self.cluster_sizes.iter().copied().max().unwrap_or(0),
            warnings: warnings(all_found, all_true, missing, self.record_count),
        }
    }

    fn b_cubed(&self) -> Quality {
        let (mut precision, mut recall) = (0.0, 0.0);
        for &(entity, cluster, count) in &self.cells {
            let square = (count as f64).powi(2);
            precision += square / self.cluster_sizes[cluster as usize] as f64;
            recall += square / self.entity_sizes[entity as usize] as f64;
        }
        Quality::new(
            precision / self.record_count as f64,
            recall / self.record_count as f64,
        )
    }

    fn is_exact(&self, &(entity, cluster, count): &(u32, u32, u64)) -> bool {
        count == self.entity_sizes[entity as usize] && count == self.cluster_sizes[cluster as usize]
    }
}

impl Quality {
    fn new(precision: f64, recall: f64) -> Self {
        let sum = precision + recall;
        let f1 = if sum > 0.0 {
            2.0 * precision * recall / sum
        } else {
            0.0
        };
        Self {
            precision,
            recall,
            f1,
        }
    }
}

fn sizes(codes: &[u32]) -> Vec<u64> {
    let count = codes.iter().max().map_or(0, |&max| max as usize + 1);
    let mut sizes = vec![0; count];
    for &code in codes {
        sizes[code as usize] += 1;
    }
    sizes
}

fn pairs(counts: impl Iterator<Item = u64>) -> u64 {
    counts
        .map(|count| count * count.saturating_sub(1) / 2)
        .sum()
}

/// Says what the figures do not mean.
fn warnings(found: u64, wanted: u64, missing: u64, records: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    if found == 0 {
        warnings.push(
            "no two records of the truth are together in the graph: precision 1 says nothing"
                .to_owned(),
        );
    }
    if wanted == 0 {
        warnings.push("every entity of the truth has one record: recall 1 says nothing".to_owned());
    }
    if missing > 0 {
        warnings.push(format!(
            "the graph lacks {missing} of the {records} records of the truth ({:.1} %), which count as alone; are source and key spelt as in the settings?",
            100.0 * missing as f64 / records as f64
        ));
    }
    warnings
}

/// Returns part of whole; all of nothing is 1.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}
