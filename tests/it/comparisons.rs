//! Comparisons of words and places as settings ask for them, from files to levels.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sameas_matching::PairWeight;
use sameas_resolve::{RecordName, Settings};
use sameas_tests::{Draw, files_below, options, rebuild, sameas};

const SETTINGS: &str = r#"
[[source]]
name = "crm"
uri = "crm.csv"
key = "id"
[source.fields]
name = "name"
title = "title"
maker = "maker"
place = "concat(lat, ' ', lon)"

[[source]]
name = "shop"
uri = "shop.csv"
key = "id"
[source.fields]
name = "name"
title = "title"
maker = "maker"
place = "place"

[fields]
name = "full_name"
title = "text"
maker = "company"
place = "coordinates"

[[block]]
on = ["maker.prefix1"]
[[block]]
on = ["name.last_token"]
[[rule]]
name = "same title by the same name"
when = "name: same last_token and title: tf_idf >= 0.99"

[[compare]]
field = "name"
levels = ["exact", "initials"]
[[compare]]
field = "title"
levels = ["exact", "tf_idf >= 0.9", "soft_tf_idf >= 0.9", "soft_tf_idf >= 0.5"]
[[compare]]
field = "maker"
levels = ["exact", "monge_elkan >= 0.95", "monge_elkan >= 0.8"]
[[compare]]
field = "place"
levels = ["exact", "km <= 0.5", "km <= 30"]
[[compare]]
name = "shelf"
field = "maker"
levels = ["exact and place: km <= 30", "title: monge_elkan >= 0.9"]

[decide]
review = 0.01
"#;

/// A record of `crm`, one of `shop`, and the level of each comparison: 0 is missing.
const PAIRS: &[([&str; 5], [&str; 4], [u8; 5])] = &[
    (
        [
            "John Adam Smith",
            "Portable quartz radio",
            "Acme GmbH",
            "48.137154",
            "11.576124",
        ],
        [
            "J. Smith",
            "quartz radio, portable",
            "ACME",
            "48.1375, 11.5755",
        ],
        [2, 2, 1, 2, 1],
    ),
    (
        [
            "Anna-Maria Weiss",
            "zephyrine longwave receiver",
            "Martha Lighting Ltd",
            "0",
            "0",
        ],
        [
            "Anna Weiss",
            "zephyrene longwave receiver",
            "Marhta Lighting",
            "48° 8' 15\" N, 11° 34' 34\" E",
        ],
        [2, 3, 2, 0, 2],
    ),
    (
        [
            "Юлия Смирнова",
            "obsidian kettle",
            "Northern Tea Traders",
            "52.520008",
            "13.404954",
        ],
        [
            "Iuliia Smirnova",
            "obsidien lantern",
            "Northern Tea",
            "POINT (13.0645 52.3906)",
        ],
        [1, 4, 3, 3, 3],
    ),
    (
        ["Ida Jung", "brass compass", "Orion", "-33.8679", "151.2073"],
        ["Otto Lang", "wool blanket", "Vesta", "-33.8679,151.2073"],
        [3, 5, 4, 1, 3],
    ),
];

/// Writes the pairs among other records, of which there are so many.
fn write(folder: &Path, others: usize) -> PathBuf {
    let (mut crm, mut shop) = (
        "id,name,title,maker,lat,lon\n".to_owned(),
        "id,name,title,maker,place\n".to_owned(),
    );
    let quoted = |cells: &[&str]| {
        let cells = cells
            .iter()
            .map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")));
        cells.collect::<Vec<_>>().join(",")
    };
    for (number, (left, right, _)) in PAIRS.iter().enumerate() {
        let _ = writeln!(crm, "pair{number},{}", quoted(left));
        let _ = writeln!(shop, "pair{number},{}", quoted(right));
    }
    let mut draw = Draw::new(1);
    let names = ["Ann", "Bea", "Carl", "Dora", "Emil", "Fritz"];
    let words = [
        "portable", "radio", "kettle", "wool", "brass", "lamp", "receiver", "blanket",
    ];
    for number in 0..others {
        let name = format!("{} Other{}", draw.pick(&names), draw.below(20));
        let title = format!(
            "{} {} {}",
            draw.pick(&words),
            draw.pick(&words),
            draw.below(30)
        );
        let maker = format!("Maker {}", draw.below(9));
        let (lat, lon) = (draw.below(80), draw.below(170));
        let _ = writeln!(crm, "other{number},{name},{title},{maker},{lat}.5,{lon}.25");
        let _ = writeln!(
            shop,
            "other{number},{name},{title} sale,{maker},\"{lat}.5001,{lon}.25\""
        );
    }
    fs::write(folder.join("crm.csv"), crm).unwrap();
    fs::write(folder.join("shop.csv"), shop).unwrap();
    let settings = folder.join("sameas.toml");
    fs::write(&settings, SETTINGS).unwrap();
    settings
}

fn weigh(settings: &Path) -> Vec<PairWeight> {
    let settings = Settings::load(settings).unwrap_or_else(|error| panic!("{error}"));
    let named = |source: &str, number: usize| (source.to_owned(), format!("pair{number}"));
    let pairs = (0..PAIRS.len()).map(|number| (named("crm", number), named("shop", number)));
    let pairs: Vec<(RecordName, RecordName)> = pairs.collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let weights = runtime.block_on(sameas_resolve::weigh(&settings, &options(2), &pairs));
    let weights = weights.unwrap_or_else(|error| panic!("{error}"));
    weights.into_iter().map(Option::unwrap).collect()
}

#[test]
fn settings_ask_for_words_and_places() {
    let folder = tempfile::tempdir().unwrap();
    let settings = write(folder.path(), 60);
    rebuild(&settings, 2);
    for (number, (weight, (.., expected))) in weigh(&settings).iter().zip(PAIRS).enumerate() {
        let levels: Vec<u8> = (0..5).map(|c| weight.pattern.level(c)).collect();
        assert_eq!(levels, expected, "pair {number}");
    }
    // The rule weighs words too: the titles of the first pair are the same words.
    let found = sameas(&settings, &["explain", "crm", "pair0", "shop", "pair0"]);
    assert!(
        found.stdout.contains("same title by the same name"),
        "{found:?}"
    );
    assert!(found.stdout.contains("km <= 0.5"), "{found:?}");
    let model = fs::read_to_string(folder.path().join("sameas.model.json")).unwrap();
    assert!(model.contains("\"words\"") && !model.contains("portable"));
}

/// How rare a word is stands in the model, so records that come and go change no other pair's weight.
#[test]
fn other_records_change_no_weight() {
    let folder = tempfile::tempdir().unwrap();
    let settings = write(folder.path(), 60);
    rebuild(&settings, 2);
    let before = weigh(&settings);
    write(folder.path(), 600);
    assert_eq!(weigh(&settings), before);
}

#[test]
fn threads_and_the_order_of_rows_change_nothing() {
    let left = |threads: usize, reversed: bool| {
        let folder = tempfile::tempdir().unwrap();
        let settings = write(folder.path(), 200);
        if reversed {
            for file in ["crm.csv", "shop.csv"] {
                let text = fs::read_to_string(folder.path().join(file)).unwrap();
                let (head, rows) = text.split_once('\n').unwrap();
                let rows: Vec<&str> = rows.lines().rev().collect();
                let text = format!("{head}\n{}\n", rows.join("\n"));
                fs::write(folder.path().join(file), text).unwrap();
            }
        }
        rebuild(&settings, threads);
        let mut left = files_below(&folder.path().join("graph"));
        let model = fs::read(folder.path().join("sameas.model.json")).unwrap();
        left.insert("model".into(), model);
        left
    };
    let expected = left(1, false);
    for (threads, reversed) in [(2, false), (1, true), (4, true)] {
        assert!(
            left(threads, reversed) == expected,
            "{threads} threads, reversed: {reversed}"
        );
    }
}
