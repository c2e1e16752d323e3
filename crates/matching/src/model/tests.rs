#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sameas_record::Schema;

use super::*;
use crate::{BlockSettings, CompareSettings};

/// A change of settings that a model must notice.
type Change = fn(&mut CompareSettings);

/// A comparison with every kind of setting that a model must have been trained for.
fn email() -> CompareSettings {
    CompareSettings {
        name: Some("mail".to_owned()),
        field: "email".to_owned(),
        levels: Some(vec![
            "exact".to_owned(),
            "work: exact".to_owned(),
            "damerau <= 1".to_owned(),
        ]),
        scope: Some(Scope::Household),
        frequency: true,
        ..CompareSettings::default()
    }
}

fn plan(compare: CompareSettings, work: FieldKind) -> MatchingPlan {
    let fields = [
        ("email", FieldKind::Email),
        ("home", FieldKind::Email),
        ("work", work),
    ];
    let fields = fields.map(|(name, kind)| (name.to_owned(), Some(kind)));
    let block = BlockSettings {
        on: vec!["email".to_owned()],
        ..BlockSettings::default()
    };
    MatchingPlan::new(&Schema::new(&fields.into()), &[compare], &[block], &[]).unwrap()
}

/// A model that fits the comparison above.
fn model() -> Model {
    let plan = plan(email(), FieldKind::Email);
    let comparison = &plan.comparisons[0];
    let level = |level: String| LevelParameters {
        level,
        m: 0.5,
        u: 0.25,
        related: Some(0.3),
    };
    Model {
        format: MODEL_FORMAT,
        prior: 0.01,
        related: None,
        records: 10,
        key_id: String::new(),
        comparisons: vec![ComparisonParameters {
            conditions: Vec::new(),
            name: comparison.name.clone(),
            field: "email".to_owned(),
            kinds: plan.kinds_of(comparison),
            scope: comparison.scope,
            levels: comparison
                .level_names()
                .into_iter()
                .skip(1)
                .map(level)
                .collect(),
            frequency: Some(FrequencyTable {
                rest: 0.001,
                frequent: BTreeMap::from([("00ff".to_owned(), 0.2)]),
            }),
        }],
        interactions: Vec::new(),
        calibration: None,
        words: BTreeMap::new(),
    }
}

/// A model knew its comparisons by name alone, so one of other values, other kinds or another scope
/// went on with old weights. It now knows what its levels asked, and refuses other questions.
#[test]
fn a_model_of_another_question_is_refused_and_says_train() {
    assert_eq!(
        model().check(&plan(email(), FieldKind::Email)),
        Ok(()),
        "the case fits"
    );
    let cases: [(&str, Change, FieldKind); 7] = [
        (
            "`mail` instead of `post`",
            |c| c.name = Some("post".into()),
            FieldKind::Email,
        ),
        (
            "field `email` of `mail` instead of `home`",
            |c| c.field = "home".into(),
            FieldKind::Email,
        ),
        ("kinds of the fields of `mail`", |_| {}, FieldKind::Text),
        (
            "scope of `mail`",
            |c| c.scope = Some(Scope::Person),
            FieldKind::Email,
        ),
        (
            "scope of `mail`",
            |c| c.scope = Some(Scope::Open),
            FieldKind::Email,
        ),
        (
            "frequency of `mail`",
            |c| c.frequency = false,
            FieldKind::Email,
        ),
        ("levels of `mail`", |c| c.levels = None, FieldKind::Email),
    ];
    for (says, change, work) in cases {
        let mut compare = email();
        change(&mut compare);
        let error = model().check(&plan(compare, work)).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
        assert!(error.contains("train again with `sameas train`"), "{error}");
    }
}

/// Frequencies were read unchecked, and a rest of 0 makes every rare value weigh infinitely.
#[test]
fn frequencies_that_are_no_probabilities_are_refused() {
    let plan = plan(email(), FieldKind::Email);
    for wrong in [0.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
        for change in [0, 1] {
            let mut model = model();
            let table = model.comparisons[0].frequency.as_mut().unwrap();
            match change {
                0 => table.rest = wrong,
                _ => _ = table.frequent.insert("0a".to_owned(), wrong),
            }
            let error = model.check(&plan).unwrap_err().to_string();
            assert!(error.contains("`mail`, frequency of values"), "{error}");
            assert!(!error.contains("0a"), "{error}");
        }
    }
}

#[test]
fn a_model_of_another_format_is_refused() {
    let mut model = model();
    model.format = 1;
    let error = model.check(&plan(email(), FieldKind::Email)).unwrap_err();
    assert_eq!(error, ModelError::Format { found: 1 });
    assert!(error.to_string().contains("`sameas train`"), "{error}");
}

/// What is in the form before this one is in this one too, and weighs what it weighed.
#[test]
fn a_model_of_the_form_before_is_read() {
    let plan = plan(email(), FieldKind::Email);
    let mut before = model();
    before.format = MODEL_FORMAT_OLDEST;
    let text = serde_json::to_string(&before).unwrap();
    assert!(
        !["words", "interactions", "calibration"]
            .iter()
            .any(|name| text.contains(name)),
        "{text}"
    );
    let read: Model = serde_json::from_str(&text).unwrap();
    assert_eq!(read.check(&plan), Ok(()));
    assert_eq!(read.digest(), before.digest());
}

#[test]
fn interactions_and_calibrations_that_cannot_be_used_are_refused() {
    let plan = plan(email(), FieldKind::Email);
    let interaction = |other: &str, level: &str, bits: f64| Interaction {
        comparisons: ["mail".to_owned(), other.to_owned()],
        levels: ["exact".to_owned(), level.to_owned()],
        bits,
    };
    for wrong in [
        interaction("post", "exact", 1.0),
        interaction("mail", "exact", 1.0),
        interaction("mail", "alike", 1.0),
        interaction("mail", "exact", -1.0),
        interaction("mail", "exact", f64::NAN),
    ] {
        let mut model = model();
        model.interactions = vec![wrong];
        let error = model.check(&plan).unwrap_err().to_string();
        assert!(error.contains("interactions"), "{error}");
        assert!(error.contains("train again with `sameas train`"), "{error}");
    }
    for (slope, offset) in [
        (0.0, 0.0),
        (-1.0, 0.0),
        (f64::NAN, 0.0),
        (1.0, f64::INFINITY),
    ] {
        let mut model = model();
        model.calibration = Some(Calibration {
            slope,
            offset,
            matches: 20,
            others: 20,
        });
        let error = model.check(&plan).unwrap_err().to_string();
        assert!(error.contains("calibration does not rise"), "{error}");
    }
}

#[test]
fn a_model_survives_its_text() {
    let text = serde_json::to_string(&model()).unwrap();
    assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), model());
}

#[test]
fn rounded_probabilities_survive_their_text() {
    let mut z = 1_u64;
    for scale in 0..14 {
        for _ in 0..2_000 {
            z = z
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            let drawn = ((z >> 11) as f64 / (1_u64 << 53) as f64) / 10_f64.powi(scale);
            let kept = rounded(drawn);
            assert!(
                (kept - drawn).abs() <= drawn * 1e-3,
                "{drawn} became {kept}"
            );
            let text = serde_json::to_string(&kept).expect("a number");
            let read: f64 = serde_json::from_str(&text).expect("a number");
            assert_eq!(read.to_bits(), kept.to_bits(), "{text}");
        }
    }
}
