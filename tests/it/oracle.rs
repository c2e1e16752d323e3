//! The product's evidence, counts and clusters against the naive way: all pairs, no blocking
//! machinery, texts instead of numbers, breadth-first search.

mod likeness;
mod naive;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use sameas_graph::{Constraints, Decision, Evidence, Partition, SourceId, cluster};
use sameas_matching::{Blocking, Comparer, MatchingPlan, Prepared, Threshold, Weighed, Weigher};
use sameas_record::Records;
use sameas_resolve::Settings;
use sameas_store::GraphFolder;
use sameas_tests::rebuild;

use naive::{Edge, Naive};
use world::{Row, World, rows};

/// Stored weights have steps of a hundredth of a bit, and the product adds in another order.
const BITS_APART_MAX: f64 = 0.02;

/// A pair this near to a threshold may fall on either side.
const TOO_NEAR_BITS: f64 = 0.001;

/// How records are prepared: with hints, as few are, or without, as many of few pairs are.
type Prepare = for<'a> fn(&'a Records, &MatchingPlan, &[SourceId]) -> Prepared<'a>;
const PREPARE: [Prepare; 2] = [
    |records, plan, exclusive| Prepared::new(records, plan, exclusive),
    |records, plan, exclusive| Prepared::without_hints(records, plan, exclusive),
];

/// From how many records on the pairs of a block are looked at eight at a time: in all blocks, in
/// those that are large, and in none, as where the processor cannot.
const SCREENED_LEN: [usize; 3] = [2, 8, usize::MAX];

/// Weighs the records of a world as a rebuild does, and clusters them; says at most how many pairs
/// of blocks were refused, too.
fn product(
    world: &World,
    threshold: Threshold,
    (prepare, screened_len): (Prepare, usize),
) -> (Weighed, Partition, u64) {
    let records: Records = world.records();
    let plan = world.plan(&records);
    let exclusive = world.exclusive(&records);
    let prepared = prepare(&records, &plan, &exclusive);
    let blocking = Blocking::new(&prepared, &plan, &world.budget);
    let model = world.model(&plan);
    let comparer = Comparer::of_model(&prepared, &plan, &model, &World::key());
    let weigher = Weigher::new(
        &prepared,
        &comparer,
        &plan,
        &model,
        &World::key(),
        threshold,
    )
    .with_screened_len(screened_len);
    let told = AtomicU64::new(0);
    let weighed = weigher.weigh_all(&blocking, plan.rules.len(), &|pairs| {
        told.fetch_add(pairs, Ordering::Relaxed);
    });
    let predicted: u64 = blocking.costs().iter().map(|cost| cost.pairs).sum();
    assert_eq!(told.into_inner(), predicted, "all pairs are told of");
    let refused = blocking.costs().iter().map(|cost| cost.refused_pairs).sum();
    let mut evidence = weighed.evidence.clone();
    let partition = cluster(records.references(), &mut evidence, &Constraints::default());
    (weighed, partition, refused)
}

/// Returns every way in which records are prepared and pairs looked at.
fn ways() -> impl Iterator<Item = (Prepare, usize)> {
    let ways = PREPARE.into_iter();
    ways.flat_map(|prepare| SCREENED_LEN.map(|len| (prepare, len)))
}

fn assert_equal_edges(found: &[Evidence], naive: &Naive, threshold: Threshold) {
    let mut found: BTreeMap<(u32, u32), &Evidence> = found
        .iter()
        .map(|e| ((e.left.get(), e.right.get()), e))
        .collect();
    for (pair, edge) in &naive.edges {
        let near = |at: f64| (edge.bits - at).abs() < TOO_NEAR_BITS;
        if edge.linked_by.is_none() && (near(threshold.link) || near(threshold.review)) {
            found.remove(pair);
            continue;
        }
        let evidence = found.remove(pair);
        let expected = edge.decision(threshold);
        assert_eq!(evidence.map(|e| e.decision), expected, "{pair:?} {edge:?}");
        if let Some(evidence) = evidence {
            assert_equal_edge(evidence, edge);
        }
    }
    assert!(
        found.is_empty(),
        "edges of pairs that no rule makes: {found:?}"
    );
}

fn assert_equal_edge(evidence: &Evidence, edge: &Edge) {
    let levels: Vec<u8> = (0..edge.levels.len())
        .map(|c| evidence.pattern.level(c))
        .collect();
    assert_eq!(levels, edge.levels, "{edge:?}");
    assert_eq!(evidence.rule.index(), edge.rule(), "{edge:?}");
    let apart = (evidence.weight.bits() - edge.evidence_bits()).abs();
    assert!(apart <= BITS_APART_MAX, "{} but {edge:?}", evidence.weight);
}

fn assert_equal_clusters(partition: &Partition, evidence: &[Evidence], count: usize) {
    let links = evidence.iter().filter(|e| e.decision == Decision::Link);
    let links: Vec<(u32, u32)> = links.map(|e| (e.left.get(), e.right.get())).collect();
    let expected = naive::clusters(count, &links);
    let found = (0..partition.cluster_count() as u32)
        .map(|c| partition.members(sameas_graph::ClusterId::new(c)).to_vec())
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn evidence_is_that_of_the_naive_way(rows in rows(2..45), seed in any::<u64>()) {
        let world = World::new(rows, seed);
        let threshold = world.threshold();
        let naive = Naive::of(&world);
        for way in ways() {
            let (weighed, partition, refused_max) = product(&world, threshold, way);
            assert_equal_edges(&weighed.evidence, &naive, threshold);
            prop_assert_eq!(&weighed.pairs_of_rule, &naive.pairs_of_rule);
            let distinct = weighed.pairs_of_rule.iter().sum::<u64>();
            prop_assert_eq!(distinct, naive.edges.len() as u64, "each pair counts once");
            prop_assert!(naive.refused_pairs <= refused_max, "no refused pair is hidden");
            assert_equal_clusters(&partition, &weighed.evidence, world.rows.len());
        }
    }

    #[test]
    fn a_higher_threshold_only_splits(rows in rows(2..45), seed in any::<u64>()) {
        let world = World::new(rows, seed);
        let low = world.threshold();
        let high = Threshold { link: low.link + 2.5, ..low };
        let clusters = |threshold| product(&world, threshold, (PREPARE[0], SCREENED_LEN[0])).1;
        let (loose, strict) = (clusters(low), clusters(high));
        for members in (0..strict.cluster_count()).map(|c| {
            strict.members(sameas_graph::ClusterId::new(c as u32))
        }) {
            let cluster = |&node: &u32| loose.cluster_of(sameas_graph::NodeId::new(node));
            let first = cluster(&members[0]);
            prop_assert!(members.iter().all(|node| cluster(node) == first));
        }
    }
}

/// Rows enough for hot blocks, refined and refused ones.
fn many_rows(seed: u64, count: usize) -> Vec<Row> {
    let mut draw = sameas_tests::Draw::new(seed);
    (0..count).map(|_| Row::drawn(&mut draw)).collect()
}

#[test]
fn hot_blocks_are_refined_as_the_naive_way_refines_them() {
    let (mut hot, mut refused) = (0, 0);
    for seed in 0..4 {
        let world = World::new(many_rows(seed, 220), seed);
        let threshold = world.threshold();
        let naive = Naive::of(&world);
        for way in ways() {
            let (weighed, _, refused_max) = product(&world, threshold, way);
            assert!(naive.refused_pairs <= refused_max, "seed {seed}");
            assert_equal_edges(&weighed.evidence, &naive, threshold);
            assert_eq!(weighed.pairs_of_rule, naive.pairs_of_rule);
        }
        hot += naive.hot_blocks;
        refused += naive.refused_pairs;
    }
    assert!(
        hot > 20 && refused > 100,
        "{hot} hot blocks, {refused} pairs refused"
    );
}

#[test]
fn a_rebuild_from_files_clusters_as_the_naive_way_does() {
    for seed in 10..13 {
        let mut world = World::new(many_rows(seed, 120), seed);
        // Constraints refuse links; that is the business of another test.
        world.one_per_source.clear();
        let folder = tempfile::tempdir().unwrap();
        let path = world.write(folder.path());
        let report = rebuild(&path, 2);
        let settings = Settings::load(&path).unwrap();
        let plan = plan_of(&settings);
        let text = std::fs::read_to_string(settings.model_path()).unwrap();
        let trained = serde_json::from_str(&text).unwrap();
        let threshold = Threshold::of(&settings.decide);
        let naive = Naive::with(&world, &plan, &trained);
        let expected: Vec<_> = naive
            .pairs_of_rule
            .iter()
            .map(|&pairs| Some(pairs))
            .collect();
        let found: Vec<_> = report.rules.iter().map(|rule| rule.first_pairs).collect();
        assert_eq!(found, expected, "seed {seed}");
        let links: Vec<_> = naive.links(threshold).collect();
        assert_eq!(report.links, links.len() as u64, "seed {seed}");
        let graph = GraphFolder::open(&settings.graph_path()).unwrap();
        let graph = graph.current().unwrap().unwrap().load().unwrap();
        let clusters = naive::clusters(world.rows.len(), &links);
        let found = (0..graph.partition.cluster_count() as u32).map(|c| {
            graph
                .partition
                .members(sameas_graph::ClusterId::new(c))
                .to_vec()
        });
        assert_eq!(
            found.collect::<std::collections::BTreeSet<_>>(),
            clusters,
            "seed {seed}"
        );
        for evidence in &graph.evidence {
            let edge = &naive.edges[&(evidence.left.get(), evidence.right.get())];
            assert_equal_edge(evidence, edge);
        }
    }
}

fn plan_of(settings: &Settings) -> MatchingPlan {
    let (compare, block, rule) = (&settings.comparisons, &settings.blocks, &settings.rules);
    MatchingPlan::new(&settings.schema(), compare, block, rule).unwrap()
}
