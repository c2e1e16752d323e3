//! Similarity of value pairs: our kernels and bounds beside `strsim`, the naive way.
//!
//! Values are made up of syllables at a fixed seed; a third of the pairs differ by a typo or two.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sameas_matching::{
    Signature, damerau, damerau_within, jaro_winkler, jaro_winkler_may_reach, jaro_winkler_reaches,
    levenshtein, levenshtein_may_be_within,
};

const PAIR_COUNT: usize = 1_000;
const SYLLABLES: [&str; 16] = [
    "an", "ber", "chi", "da", "el", "fri", "go", "hen", "is", "jo", "ka", "lin", "mar", "no", "ri",
    "son",
];
/// The least Jaro-Winkler similarity of a typical lowest level.
const REACH: f64 = 0.88;
/// The most edits of a typical lowest level.
const EDITS: u32 = 2;

type Pair = (String, String);

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

    fn word(&mut self, syllable_count: usize) -> String {
        (0..syllable_count)
            .map(|_| SYLLABLES[self.roll(SYLLABLES.len())])
            .collect()
    }

    fn name(&mut self) -> String {
        let syllable_count = 2 + self.roll(2);
        self.word(syllable_count)
    }

    fn address(&mut self) -> String {
        let number = 1 + self.roll(300);
        format!(
            "{number} {} {} st {}",
            self.name(),
            self.name(),
            self.word(3)
        )
    }

    fn email(&mut self) -> String {
        let domain = ["mail.example", "post.example", "web.example"][self.roll(3)];
        format!("{}.{}{}@{domain}", self.name(), self.name(), self.roll(100))
    }

    fn typo(&mut self, text: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        let at = self.roll(letters.len() - 1);
        match self.roll(3) {
            0 => letters.swap(at, at + 1),
            1 => drop(letters.remove(at)),
            _ => letters[at] = 'x',
        }
        letters.into_iter().collect()
    }

    fn pairs(&mut self, value: fn(&mut Self) -> String) -> Vec<Pair> {
        (0..PAIR_COUNT)
            .map(|index| {
                let first = value(self);
                let second = if usize::is_multiple_of(index, 3) {
                    self.typo(&first)
                } else {
                    value(self)
                };
                (first, second)
            })
            .collect()
    }
}

fn similarity(criterion: &mut Criterion) {
    let mut dice = Dice(1);
    let fields = [
        ("name", dice.pairs(Dice::name)),
        ("address", dice.pairs(Dice::address)),
        ("email", dice.pairs(Dice::email)),
    ];
    for (field, pairs) in &fields {
        measure(
            criterion,
            field,
            "jaro_winkler_strsim",
            pairs,
            strsim::jaro_winkler,
        );
        measure(criterion, field, "jaro_winkler", pairs, jaro_winkler);
        measure(
            criterion,
            field,
            "levenshtein_strsim",
            pairs,
            strsim::levenshtein,
        );
        measure(criterion, field, "levenshtein", pairs, levenshtein);
        measure(
            criterion,
            field,
            "damerau_strsim",
            pairs,
            strsim::osa_distance,
        );
        measure(criterion, field, "damerau", pairs, damerau);
        measure_bounded(criterion, field, pairs);
    }
}

/// Measures one kernel over all pairs.
fn measure<R>(
    criterion: &mut Criterion,
    field: &str,
    kernel_name: &str,
    pairs: &[Pair],
    kernel: impl Fn(&str, &str) -> R,
) {
    let mut group = criterion.benchmark_group(format!("similarity/{kernel_name}"));
    group.throughput(Throughput::Elements(pairs.len() as u64));
    group.bench_function(format!("{field}/{PAIR_COUNT}"), |bencher| {
        bencher.iter(|| {
            for (a, b) in pairs {
                black_box(kernel(black_box(a), black_box(b)));
            }
        });
    });
    group.finish();
}

/// Measures what a level costs: the bound first, the kernel only where the bound lets a pair pass.
fn measure_bounded(criterion: &mut Criterion, field: &str, pairs: &[Pair]) {
    let signed: Vec<(Signature, Signature, &Pair)> = pairs
        .iter()
        .map(|pair| (Signature::of(&pair.0), Signature::of(&pair.1), pair))
        .collect();
    let mut group = criterion.benchmark_group("similarity/bounded");
    group.throughput(Throughput::Elements(pairs.len() as u64));
    group.bench_function(format!("jaro_winkler_{field}/{PAIR_COUNT}"), |bencher| {
        bencher.iter(|| {
            let reaches = |(a, b, pair): &&(Signature, Signature, &Pair)| {
                jaro_winkler_may_reach(a, b, REACH) && jaro_winkler_reaches(&pair.0, &pair.1, REACH)
            };
            signed.iter().filter(reaches).count()
        });
    });
    group.bench_function(format!("damerau_{field}/{PAIR_COUNT}"), |bencher| {
        bencher.iter(|| {
            let within = |(a, b, pair): &&(Signature, Signature, &Pair)| {
                levenshtein_may_be_within(a, b, EDITS) && damerau_within(&pair.0, &pair.1, EDITS)
            };
            signed.iter().filter(within).count()
        });
    });
    group.finish();
}

criterion_group!(benches, similarity);
criterion_main!(benches);
