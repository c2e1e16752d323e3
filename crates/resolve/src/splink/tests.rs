#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use serde_json::{Value, json};

use super::{ImportReport, ImportRequest, import_splink};
use crate::{Existing, Settings};

fn level(sql: &str, m: f64, u: f64) -> Value {
    json!({ "sql_condition": sql, "m_probability": m, "u_probability": u })
}

fn null(sql: &str) -> Value {
    json!({ "sql_condition": sql, "is_null_level": true })
}

/// A model as Splink 3 writes it: rules are texts, names need no quotes.
fn model(levels: &[Value], rules: &[&str]) -> Value {
    json!({
        "link_type": "dedupe_only",
        "probability_two_random_records_match": 0.01,
        "comparisons": [{ "output_column_name": "surname", "comparison_levels": levels }],
        "blocking_rules_to_generate_predictions": rules,
        "bayes_factor_column_prefix": "bf_",
        "unique_id_column_name": "id",
        "sql_dialect": "duckdb",
    })
}

/// Returns what was said and the settings, or what was refused.
fn import(model: &Value) -> Result<(ImportReport, Settings, String), String> {
    import_of(model, &["crm.csv"])
}

fn import_of(model: &Value, files: &[&str]) -> Result<(ImportReport, Settings, String), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    fs::write(&path, model.to_string()).unwrap();
    let out = folder.path().join("out");
    let request = ImportRequest {
        model: path,
        folder: out.clone(),
        files: files.iter().map(Into::into).collect(),
        existing: Existing::Keep,
    };
    let imported = import_splink(&request, [1; 32]);
    let report = imported.map_err(|error| {
        assert!(!out.exists(), "nothing is written");
        error.to_string()
    })?;
    let settings = Settings::load(&report.settings).unwrap();
    let model = fs::read_to_string(&report.model).unwrap();
    Ok((report, settings, model))
}

#[test]
fn a_model_of_splink_3_becomes_settings_and_a_model() {
    let levels = [
        null("surname_l IS NULL OR surname_r IS NULL"),
        json!({ "sql_condition": "surname_l = surname_r", "m_probability": 0.8, "u_probability": 0.01,
            "tf_adjustment_column": "surname", "tf_adjustment_weight": 0.5, "tf_minimum_u_value": 0.001 }),
        level("\"surname_l\" = \"Maiden Name_r\"", 0.1, 0.02),
        level("ELSE", 0.1, 0.97),
    ];
    let rules = ["l.surname = r.surname and substr(l.town, 1, 3) = substr(r.town, 1, 3)"];
    let (report, settings, model) = import(&model(&levels, &rules)).unwrap();
    let compare = &settings.comparisons[0];
    let levels = compare.level.as_ref().unwrap();
    assert_eq!(levels[1].when, "surname_l = Maiden_Name_r");
    let frequency = levels[0].frequency.as_ref().unwrap();
    assert!((frequency.strength - 0.5).abs() < 1e-12 && (frequency.floor - 0.001).abs() < 1e-12);
    assert_eq!(settings.blocks[0].on, ["surname", "town.prefix3"]);
    assert_eq!(settings.sources[0].key, "id");
    assert!(model.contains("\"prior\": 0.01"), "{model}");
    // Whose surname is compared with whose maiden name depends on the order.
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    assert!(report.warnings[0].contains("asks different things of the two records"));
}

#[test]
fn what_cannot_be_carried_over_is_named_and_nothing_is_written() {
    let otherwise = level("ELSE", 0.1, 0.9);
    let exact = level("surname_l = surname_r", 0.9, 0.1);
    let rules = ["l.surname = r.surname"];
    let adjusted = json!({ "sql_condition": "levenshtein(surname_l, surname_r) < 2",
        "m_probability": 0.5, "u_probability": 0.5, "tf_adjustment_column": "surname" });
    for (levels, rules, expected) in [
        (vec![exact.clone()], &rules[..], "has no level ELSE"),
        (
            vec![
                level("soundex(surname_l) = soundex(surname_r)", 0.9, 0.1),
                otherwise.clone(),
            ],
            &rules[..],
            "comparison `surname`, level `soundex(surname_l) = soundex(surname_r)`: unknown function `soundex`",
        ),
        (
            vec![level("surname_l = surname_r", 0.0, 0.1), otherwise.clone()],
            &rules[..],
            "m is 0, which is no probability",
        ),
        (
            vec![adjusted, otherwise.clone()],
            &rules[..],
            "need a level that is nothing but its equality",
        ),
        (
            vec![exact.clone(), otherwise.clone()],
            &["1 = 1"][..],
            "no blocking rule can be carried over",
        ),
        (
            vec![level("surname_l = (", 0.9, 0.1), otherwise.clone()],
            &rules[..],
            "is not SQL",
        ),
    ] {
        let refused = import(&model(&levels, rules)).unwrap_err();
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
}

#[test]
fn what_differs_from_splink_is_warned_of_with_its_place() {
    let levels = [
        level("surname_l = surname_r", 0.9, 0.1),
        null("surname_l IS NULL OR surname_r IS NULL"),
        json!({ "sql_condition": "ELSE", "m_probability": 0.1 }),
    ];
    let rules = [
        "l.surname = r.surname and levenshtein(l.dob, r.dob) <= 1",
        "l.given = r.surname and l.surname = r.given",
        "l.given = r.surname",
        "lower(l.town) = lower(r.town)",
    ];
    let mut model = model(&levels, &rules);
    model["sql_dialect"] = "spark".into();
    let (report, settings, _) = import(&model).unwrap();
    let told = report.warnings.join("\n");
    for expected in [
        "sql_dialect is spark",
        "level ELSE: was not trained",
        "blocking rule 1 (`l.surname = r.surname and levenshtein(l.dob, r.dob) <= 1`): `levenshtein(l.dob, r.dob) <= 1` is not asked",
        "blocking rule 2 (`l.given = r.surname and l.surname = r.given`): exchanged columns",
        "blocking rule 3 (`l.given = r.surname`): is left out",
        "blocking rule 4 (`lower(l.town) = lower(r.town)`): `lower(\"town\")` is computed",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(report.blocks, 3);
    // A null level that stands after others decides only where they do not hold.
    let missing = settings.comparisons[0].missing.as_deref();
    assert_eq!(
        missing,
        Some("(surname_l IS NULL OR surname_r IS NULL) AND ((surname_l = surname_r)) IS NOT TRUE")
    );
}

/// A model that links data sets, imported for one file, held all its records to be of different
/// customers: nothing was ever compared, and nobody said so.
#[test]
fn a_model_that_links_data_sets_asks_for_a_file_each() {
    let levels = [
        level("surname_l = surname_r", 0.9, 0.1),
        level("ELSE", 0.1, 0.9),
    ];
    let mut model = model(&levels, &["l.surname = r.surname"]);
    model["link_type"] = json!("link_only");
    let refused = import_of(&model, &["all.csv"]).unwrap_err();
    assert!(
        refused.contains("name a file for each data set"),
        "{refused}"
    );
    let (report, settings, _) = import_of(&model, &[]).unwrap();
    assert!(settings.decide.one_per_source.is_empty());
    let told = report.warnings.join("\n");
    assert!(told.contains("one_per_source"), "{told}");
    let (_, settings, _) = import_of(&model, &["a.csv", "b.csv"]).unwrap();
    assert_eq!(settings.decide.one_per_source, ["a", "b"]);
}

/// Only settings were looked for, so an import into the folder of a trained model replaced it.
#[test]
fn a_model_that_is_there_stays_unless_forced() {
    let levels = [
        level("surname_l = surname_r", 0.9, 0.1),
        level("ELSE", 0.1, 0.9),
    ];
    let folder = tempfile::tempdir().unwrap();
    let (splink, out) = (folder.path().join("splink.json"), folder.path().join("out"));
    fs::write(
        &splink,
        model(&levels, &["l.surname = r.surname"]).to_string(),
    )
    .unwrap();
    fs::create_dir(&out).unwrap();
    let trained = out.join("sameas.model.json");
    fs::write(&trained, "{ \"format\": 1 }").unwrap();
    let mut request = ImportRequest {
        model: splink,
        folder: out.clone(),
        files: vec!["crm.csv".into()],
        existing: Existing::Keep,
    };
    let refused = import_splink(&request, [1; 32]).unwrap_err().to_string();
    assert!(refused.contains("--force"), "{refused}");
    assert!(!out.join("sameas.toml").exists(), "nothing is written");
    assert_eq!(fs::read_to_string(&trained).unwrap(), "{ \"format\": 1 }");
    request.existing = Existing::Replace;
    for _ in 0..2 {
        import_splink(&request, [1; 32]).unwrap();
    }
    assert!(fs::read_to_string(&trained).unwrap().contains("surname"));
}
