//! Similarity kernels beside `strsim`: how much faster, and whether equal to the bit.
//!
//! `cargo run --release -p sameas-matching --example kernels -- speed` prints the median ratio of each
//! kernel over kinds of names; `… -- check 10000000` compares so many random pairs.
#![expect(
    clippy::print_stdout,
    reason = "a measuring program prints what it measured"
)]

mod names;

use std::hint::black_box;
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

use rayon::prelude::*;
use sameas_matching::{
    Signature, damerau, damerau_within, jaro, jaro_winkler, jaro_winkler_may_reach,
    jaro_winkler_reaches, levenshtein, levenshtein_may_be_within, levenshtein_within,
};

use self::names::{Dice, Pair, kinds};

/// How many pairs of a kind are measured: too many for a branch predictor to learn by heart.
const PAIR_COUNT: usize = 20_000;
/// Pairs after which contenders take turns: fewer than a scheduler's slice lasts, so that what
/// else runs on the machine hits few turns, and the median of a turn is undisturbed.
const TURN_LEN: usize = 500;
/// How often each turn is taken; the median counts.
const ROUNDS: usize = 31;
/// The least Jaro-Winkler similarity of a typical lowest level.
const REACH: f64 = 0.88;
/// The most edits of a typical lowest level.
const EDITS: u32 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count = arguments.get(1).and_then(|count| count.parse().ok());
    match arguments.first().map(String::as_str) {
        Some("check") => check(count.unwrap_or(10_000_000)),
        _ => speed(),
    }
}

fn speed() -> ExitCode {
    println!(
        "{:28} {:>8} {:>8} {:>6} {:>9} {:>6}",
        "ns a pair (median)", "strsim", "ours", "ratio", "as levels", "ratio"
    );
    let mut ratios: [Vec<f64>; 4] = Default::default();
    for (kind, pairs) in kinds(PAIR_COUNT) {
        let signed: Vec<(Signature, Signature)> = pairs
            .iter()
            .map(|(a, b)| (Signature::of(a), Signature::of(b)))
            .collect();
        let level = |test: fn(&Signature, &Signature, &str, &str) -> bool| {
            let (pairs, signed) = (&pairs, &signed);
            move |turn: Range<usize>| {
                for ((a, b), (of_a, of_b)) in pairs[turn.clone()].iter().zip(&signed[turn]) {
                    black_box(test(of_a, of_b, a, b));
                }
            }
        };
        let reaches = |of_a: &Signature, of_b: &Signature, a: &str, b: &str| {
            jaro_winkler_may_reach(of_a, of_b, REACH) && jaro_winkler_reaches(a, b, REACH)
        };
        let measured = [
            (
                "jaro",
                race(&mut [
                    &mut over(&pairs, strsim::jaro),
                    &mut over(&pairs, jaro),
                    &mut |_| (),
                ]),
            ),
            (
                "jaro_winkler",
                race(&mut [
                    &mut over(&pairs, strsim::jaro_winkler),
                    &mut over(&pairs, jaro_winkler),
                    &mut level(reaches),
                ]),
            ),
            (
                "levenshtein",
                race(&mut [
                    &mut over(&pairs, strsim::levenshtein),
                    &mut over(&pairs, levenshtein),
                    &mut level(|of_a, of_b, a, b| {
                        levenshtein_may_be_within(of_a, of_b, EDITS)
                            && levenshtein_within(a, b, EDITS)
                    }),
                ]),
            ),
            (
                "damerau",
                race(&mut [
                    &mut over(&pairs, strsim::osa_distance),
                    &mut over(&pairs, damerau),
                    &mut level(|of_a, of_b, a, b| {
                        levenshtein_may_be_within(of_a, of_b, EDITS) && damerau_within(a, b, EDITS)
                    }),
                ]),
            ),
        ];
        for ((kernel, [strsim, ours, levels]), ratios) in measured.into_iter().zip(&mut ratios) {
            let label = format!("{kernel} {kind}");
            println!(
                "{label:28} {strsim:>8.1} {ours:>8.1} {:>6.1} {levels:>9.1} {:>6.1}",
                strsim / ours,
                strsim / levels
            );
            ratios.push(strsim / ours);
        }
    }
    for (kernel, ratios) in ["jaro", "jaro_winkler", "levenshtein", "damerau"]
        .iter()
        .zip(&mut ratios)
    {
        println!(
            "{kernel}: {:.1} times strsim (median of kinds)",
            median(ratios)
        );
    }
    ExitCode::SUCCESS
}

/// Runs a kernel over all pairs.
fn over<'p, R>(
    pairs: &'p [Pair],
    kernel: impl Fn(&str, &str) -> R + 'p,
) -> impl FnMut(Range<usize>) + 'p {
    move |turn| {
        for (a, b) in &pairs[turn] {
            black_box(kernel(black_box(a), black_box(b)));
        }
    }
}

/// Returns the nanoseconds a pair of three contenders that take turns: the median of each turn
/// over the rounds, and the mean of the turns.
fn race(contenders: &mut [&mut dyn FnMut(Range<usize>); 3]) -> [f64; 3] {
    let turns: Vec<usize> = (0..PAIR_COUNT).step_by(TURN_LEN).collect();
    let mut times: [Vec<Vec<f64>>; 3] = std::array::from_fn(|_| vec![Vec::new(); turns.len()]);
    for round in 0..ROUNDS {
        for (turn, &from) in turns.iter().enumerate() {
            for place in 0..contenders.len() {
                // Whoever begins finds the values cold.
                let who = (round + place) % contenders.len();
                let start = Instant::now();
                contenders[who](from..from + TURN_LEN);
                let nanoseconds = start.elapsed().as_nanos() as f64;
                times[who][turn].push(nanoseconds / TURN_LEN as f64);
            }
        }
    }
    times.map(|mut of_turns| {
        let sum: f64 = of_turns.iter_mut().map(|times| median(times)).sum();
        sum / turns.len() as f64
    })
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Compares random pairs with `strsim`, to the bit.
fn check(count: u64) -> ExitCode {
    let chunk_len = 10_000;
    let differing: u64 = (0..count.div_ceil(chunk_len))
        .into_par_iter()
        .map(|chunk| {
            let mut dice = Dice::new(chunk);
            let pairs = chunk_len.min(count - chunk * chunk_len);
            (0..pairs)
                .filter(|_| !equal_to_strsim(&dice.any_pair()))
                .count() as u64
        })
        .sum();
    println!("{count} random pairs, {differing} with a result that is not strsim's to the bit");
    ExitCode::from(u8::from(differing > 0))
}

fn equal_to_strsim((a, b): &Pair) -> bool {
    jaro(a, b).to_bits() == strsim::jaro(a, b).to_bits()
        && jaro_winkler(a, b).to_bits() == strsim::jaro_winkler(a, b).to_bits()
        && levenshtein(a, b) as usize == strsim::levenshtein(a, b)
        && damerau(a, b) as usize == strsim::osa_distance(a, b)
}
