//! What `sameas init` makes of files that nobody has written settings for: quality against a truth,
//! what the file says, and what it refuses.

mod renamed;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sameas_tests::{Layout, Ran, SOURCES, Systems, run, sameas};
use serde_json::Value;

/// Sets in `../shared/data`, their files, and the least pairwise F1 at the threshold `init` chose.
const SETS: [(&str, &[&str], f64); 7] = [
    ("fake_1000", &["records"], 0.93),
    ("febrl1", &["records"], 0.995),
    ("febrl2", &["records"], 0.995),
    ("febrl3", &["records"], 0.995),
    ("febrl4", &["a", "b"], 0.995),
    ("dblp_acm", &["dblp", "acm"], 0.96),
    ("senzing", &["customers", "reference", "watchlist"], 0.90),
];

/// Runs `init` on files.
fn init(out: &Path, more: &[&str], files: &[PathBuf]) -> Ran {
    let mut arguments = vec!["init", "--quiet", "--out", out.to_str().unwrap()];
    arguments.extend(more);
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    run(&arguments)
}

/// Runs `init`, `rebuild` and `evaluate`; returns the pairwise F1.
fn f1_of(out: &Path, files: &[PathBuf], truth: &Path) -> f64 {
    let found = init(out, &[], files);
    assert_eq!(found.code, Some(0), "{found:?}");
    let settings = out.join("sameas.toml");
    let rebuilt = sameas(&settings, &["rebuild", "--quiet"]);
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
    let truth = truth.to_str().unwrap();
    let told = sameas(
        &settings,
        &["evaluate", "--truth", truth, "--format", "json"],
    );
    assert_eq!(told.code, Some(0), "{told:?}");
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["missing"], 0);
    told["pairwise"]["f1"].as_f64().unwrap()
}

#[test]
fn settings_that_nobody_touched_reach_what_is_promised() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let root = tempfile::tempdir().unwrap();
    let mut table = format!("{:<12}{:>9}{:>9}\n", "set", "F1", "bound");
    let mut is_low = false;
    let mut line = |set: &str, f1: f64, bound: f64| {
        let mark = if f1 < bound { "  TOO LOW" } else { "" };
        is_low |= f1 < bound;
        let _ = writeln!(table, "{set:<12}{f1:>9.4}{bound:>9.3}{mark}");
    };
    if !data.is_dir() {
        // Print macros would be captured.
        let told = format!(
            "\n{} is not there: {} sets of it are not held to their bounds, only generated ones are\n",
            data.display(),
            SETS.len()
        );
        let _ = std::io::stderr().write_all(told.as_bytes());
    } else {
        for (set, names, bound) in SETS {
            let folder = data.join(set);
            let files: Vec<_> = names
                .iter()
                .map(|name| folder.join(format!("{name}.csv")))
                .collect();
            line(
                set,
                f1_of(&root.path().join(set), &files, &folder.join("truth.csv")),
                bound,
            );
        }
    }
    let firms = Firms::write(root.path());
    line(
        "firms",
        f1_of(&root.path().join("firms"), &firms.files, &firms.truth),
        0.9,
    );
    let people = systems(root.path());
    line(
        "people",
        f1_of(&root.path().join("people"), &people.files, &people.truth),
        0.9,
    );
    let songs = songs(root.path());
    line(
        "songs",
        f1_of(&root.path().join("songs"), &songs.files, &songs.truth),
        0.9,
    );
    // Print macros would be captured.
    let _ = std::io::stderr().write_all(format!("\n{table}").as_bytes());
    assert!(!is_low, "\n{table}");
}

#[test]
fn columns_of_other_languages_meet_and_labels_are_left_out() {
    let root = tempfile::tempdir().unwrap();
    let firms = Firms::write(root.path());
    let found = init(root.path(), &["--format", "json"], &firms.files);
    assert_eq!(found.code, Some(0), "{found:?}");
    let report: Value = serde_json::from_str(&found.stdout).unwrap();
    let columns = |source: usize, field: &str| -> String {
        let fields = report["sources"][source]["fields"].as_array().unwrap();
        let found = fields.iter().find(|pair| pair[0] == field);
        found.unwrap_or_else(|| panic!("no {field} in {report:#}"))[1][0]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for (field, german, english) in [
        ("company", "Firma", "account_name"),
        ("street", "Strasse", "addr1"),
        ("postcode", "PLZ", "zip_code"),
        ("phone", "Telefon", "tel"),
    ] {
        assert_eq!(columns(0, field), german);
        assert_eq!(columns(1, field), english);
    }
    assert_eq!(report["sources"][0]["key"], "Kundennr");
    let left_out = report["sources"][1]["left_out"].to_string();
    assert!(left_out.contains("cluster_id"), "{left_out}");
    let text = fs::read_to_string(root.path().join("sameas.toml")).unwrap();
    // Reasons stand in the file, values of records do not.
    assert!(text.contains("cluster_id: it looks like a label"), "{text}");
    assert!(!text.to_lowercase().contains("brandau"), "{text}");
}

/// Two numbers that are each within some hundredths of each other are no evidence of one place.
#[test]
fn latitude_and_longitude_become_a_place() {
    let root = tempfile::tempdir().unwrap();
    let mut one = "id,company,city,lat,lng\n".to_owned();
    let mut other = "nr,firma,ort,Breitengrad,Längengrad\n".to_owned();
    for n in 0..60 {
        let (company, city) = (format!("Firm{n} Name{}", n % 7), format!("Town{}", n % 9));
        let (lat, lon) = (40.0 + f64::from(n) / 7.0, 5.0 + f64::from(n) / 11.0);
        let _ = writeln!(one, "a{n},{company},{city},{lat:.5},{lon:.5}");
        let lat = lat + 0.0004;
        let _ = writeln!(
            other,
            "b{n},{company} GmbH,{city},\"{}\",\"{}\"",
            format!("{lat:.5}").replace('.', ","),
            format!("{lon:.5}").replace('.', ",")
        );
    }
    let files = [("one.csv", one), ("other.csv", other)].map(|(name, text)| {
        fs::write(root.path().join(name), text).unwrap();
        root.path().join(name)
    });
    let out = root.path().join("out");
    let found = init(&out, &[], &files);
    assert_eq!(found.code, Some(0), "{found:?}");
    let settings = fs::read_to_string(out.join("sameas.toml")).unwrap();
    for line in [
        "coordinates = \"\"\"concat(\"lat\", ' ', \"lng\")\"\"\"",
        "field = \"coordinates\"",
        "\"km <= 1\"",
    ] {
        assert!(settings.contains(line), "{line} in\n{settings}");
    }
    let settings = out.join("sameas.toml");
    let rebuilt = sameas(&settings, &["rebuild", "--quiet"]);
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
    let told = sameas(&settings, &["explain", "one", "a3", "other", "b3"]);
    assert!(told.stdout.contains("km <= 0.1"), "{told:?}");
}

#[test]
fn settings_that_are_there_stay_unless_forced() {
    let root = tempfile::tempdir().unwrap();
    let firms = Firms::write(root.path());
    fs::write(root.path().join("sameas.toml"), "# mine").unwrap();
    let refused = init(root.path(), &[], &firms.files);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    assert_eq!(
        fs::read_to_string(root.path().join("sameas.toml")).unwrap(),
        "# mine"
    );
    assert_eq!(init(root.path(), &["--force"], &firms.files).code, Some(0));
}

#[test]
fn a_file_without_a_key_names_the_remedy() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("twice.csv");
    fs::write(&file, "name,city\nAda Lang,Graz\nAda Lang,Graz\n").unwrap();
    let refused = init(&root.path().join("out"), &[], &[file]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--key twice=COLUMN"), "{refused:?}");
}

/// Numbers that look drawn and are the same every time (Lehmer's generator, Park and Miller 1988).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        (self.0 >> 8) as usize % bound
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    /// One slip of the hand in a text.
    fn slip(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        let at = 1 + self.below(chars.len() - 2);
        match self.below(3) {
            0 => chars.swap(at, at + 1),
            1 => drop(chars.remove(at)),
            _ => chars.insert(at, chars[at]),
        }
        chars.into_iter().collect()
    }
}

struct Firms {
    files: Vec<PathBuf>,
    truth: PathBuf,
}

impl Firms {
    /// Firms in a German system and an English one that name everything differently.
    fn write(root: &Path) -> Self {
        const FIRST: &[&str] = &[
            "Brandau",
            "Kessler",
            "Lindner",
            "Hofstetter",
            "Vogt",
            "Reuss",
            "Amsel",
            "Drexler",
            "Pohl",
            "Sievert",
            "Tauber",
            "Wendel",
            "Zorn",
            "Ullrich",
            "Nagel",
            "Merten",
        ];
        const WHAT: &[&str] = &[
            "Maschinenbau",
            "Elektrotechnik",
            "Logistik",
            "Bau",
            "Software",
            "Metallwaren",
            "Druckerei",
            "Spedition",
            "Optik",
            "Textil",
            "Anlagen",
            "Holz",
        ];
        const FORM: &[&str] = &["GmbH", "AG", "GmbH & Co. KG", "KG", "e.K."];
        const STREET: &[&str] = &[
            "Bahnhofstraße",
            "Hauptstraße",
            "Gartenweg",
            "Lindenallee",
            "Industriestraße",
            "Am Markt",
            "Schulgasse",
            "Mühlweg",
        ];
        const TOWN: &[(&str, &str)] = &[
            ("Berlin", "10115"),
            ("Hamburg", "20095"),
            ("München", "80331"),
            ("Köln", "50667"),
            ("Leipzig", "04109"),
            ("Kassel", "34117"),
            ("Ulm", "89073"),
        ];
        let mut draw = Draw(4_711);
        let mut german = "Kundennr;Firma;Strasse;PLZ;Ort;Telefon;Anlagedatum\n".to_owned();
        let mut english = "id,account_name,addr1,zip_code,town,tel,cluster_id\n".to_owned();
        let mut truth = "source,key,entity\n".to_owned();
        for number in 0..600 {
            let name = format!("{} {}", draw.of(FIRST), draw.of(WHAT));
            let (form, street, house) = (draw.of(FORM), draw.of(STREET), 1 + draw.below(140));
            let (town, code) = TOWN[draw.below(TOWN.len())];
            let code = format!("{}{:02}", &code[..3], draw.below(60));
            let phone = format!("{}{:06}", 30 + draw.below(60), draw.below(1_000_000));
            let _ = writeln!(
                german,
                "K{number:05};{name} {form};{street} {house};{code};{town};0{phone};{}.0{}.2019 10:15:00",
                1 + draw.below(28),
                1 + draw.below(9)
            );
            let _ = writeln!(truth, "kunden,K{number:05},{number}");
            if draw.below(3) == 0 {
                continue;
            }
            let name = if draw.below(5) == 0 {
                draw.slip(&name)
            } else {
                name
            };
            let form = if draw.below(3) == 0 { "" } else { form };
            let street = street.replace("straße", "str.").replace("ß", "ss");
            let phone = if draw.below(4) == 0 {
                String::new()
            } else {
                format!("+49{phone}")
            };
            let key = 90_000 - number;
            let _ = writeln!(
                english,
                "{key},{name} {form},{street} {house},{code},{town},{phone},{number}"
            );
            let _ = writeln!(truth, "accounts,{key},{number}");
        }
        let path = |name: &str, text: &str| {
            let path = root.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        Self {
            files: vec![path("kunden.csv", &german), path("accounts.csv", &english)],
            truth: path("firms-truth.csv", &truth),
        }
    }
}

/// People in three systems of different formats.
fn systems(root: &Path) -> Firms {
    let below = root.join("systems");
    fs::create_dir(&below).unwrap();
    Systems::new(1_000, 11).write(&below, &Layout::default());
    let file = |name: &&str| {
        let part = fs::read_dir(below.join(name)).unwrap().next().unwrap();
        let part = part.unwrap().path();
        let format = part.extension().unwrap().to_str().unwrap();
        let file = root.join(format!("{name}.{format}"));
        fs::copy(&part, &file).unwrap();
        file
    };
    Firms {
        files: SOURCES.iter().map(file).collect(),
        truth: below.join("truth.csv"),
    }
}

/// Songs in one file, some of them twice or three times.
fn songs(root: &Path) -> Firms {
    const WORDS: &[&str] = &[
        "river", "night", "golden", "heart", "train", "blue", "summer", "dance", "shadow",
        "morning", "road", "fire", "letter", "silver", "moon", "wild", "garden", "stone", "glass",
        "winter", "dream", "city", "ocean", "song",
    ];
    const BANDS: &[&str] = &[
        "The Larks",
        "Mira Holt",
        "Ash & Ember",
        "Quiet Sons",
        "Paper Kites Club",
        "Dora Lind",
        "North Ferry",
        "The Oaks",
        "Velvet Tram",
        "Ilse Brandt",
        "Red Canoe",
        "Tall Wires",
    ];
    let mut draw = Draw(815);
    let mut records = "track_id,song_title,artist,album,release_year,duration\n".to_owned();
    let mut truth = "source,key,entity\n".to_owned();
    let mut key = 0;
    for entity in 0..500 {
        let title = format!("{} {} {}", draw.of(WORDS), draw.of(WORDS), draw.of(WORDS));
        let (band, album) = (
            draw.of(BANDS),
            format!("{} {}", draw.of(WORDS), draw.of(WORDS)),
        );
        let (year, seconds) = (1_970 + draw.below(50), 150 + draw.below(200));
        for copy in 0..=draw.below(3) {
            let title = if copy > 0 && draw.below(4) == 0 {
                draw.slip(&title)
            } else {
                title.clone()
            };
            let title = if copy > 0 && draw.below(6) == 0 {
                format!("{title} (live)")
            } else {
                title
            };
            let year = if copy > 0 && draw.below(8) == 0 {
                String::new()
            } else {
                year.to_string()
            };
            let seconds = seconds + copy * draw.below(3);
            key += 1;
            let _ = writeln!(records, "t{key},{title},{band},{album},{year},{seconds}");
            let _ = writeln!(truth, "songs,t{key},{entity}");
        }
    }
    let (file, told) = (root.join("songs.csv"), root.join("songs-truth.csv"));
    fs::write(&file, records).unwrap();
    fs::write(&told, truth).unwrap();
    Firms {
        files: vec![file],
        truth: told,
    }
}
