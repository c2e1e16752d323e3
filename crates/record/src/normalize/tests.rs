use super::*;

/// Normalises one value; a missing one is empty.
fn normal(kind: FieldKind, raw: &str) -> String {
    let mut out = String::new();
    Normalizer::new(kind, None, &Locale::default()).normalize(raw, &mut out);
    out
}

#[test]
fn names_lose_titles_and_apostrophes() {
    assert_eq!(normal(FieldKind::Surname, "O'Brien"), "obrien");
}
