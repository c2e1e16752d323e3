//! Columns and SQL expressions, scanned.

use super::*;

async fn people() -> Source {
    let folder = Folder::with(
        "a.csv",
        "id,First Name,surname,Surname,born,a.b\n1,Ann,lee,LEE,2001-02-03,x\n2,Bob,roe,ROE,1999-12-31,y\n",
    );
    let source = folder.open("a.csv").await.unwrap();
    // The source remembers the file; its folder has to outlive it.
    std::mem::forget(folder.dir);
    source
}

#[tokio::test]
async fn expressions_keep_the_case_of_names() {
    let source = people().await;
    let texts = [
        "surname",
        "Surname",
        "UPPER(\"First Name\") || ' ' || Surname",
        "\"a.b\"",
        "extract(year from cast(born as date))",
        "case when surname = 'lee' then 'L' end",
        "regexp_replace(surname, 'e+', 'E')",
        "strpos(surname, 'e')",
    ];
    let found = rows(&source, &request("concat('k', id)", &texts), 2)
        .await
        .unwrap();
    let expected = table(&[
        ["k1", "lee", "LEE", "ANN LEE", "x", "2001", "L", "lE", "2"],
        ["k2", "roe", "ROE", "BOB ROE", "y", "1999", "", "roE", "3"],
    ]);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn only_records_for_which_the_condition_holds_are_read() {
    let source = people().await;
    let filter = Some("born > '2000' and \"First Name\" is not null".to_owned());
    let asked = ScanRequest {
        filter,
        ..request("id", &["a.b"])
    };
    assert_eq!(
        rows(&source, &asked, 2).await.unwrap(),
        table(&[["1", "x"]])
    );
    let wrong = ScanRequest {
        filter: Some("surname".to_owned()),
        ..request("id", &[])
    };
    assert!(matches!(
        source.check(&wrong),
        Err(ScanError::FilterType { .. })
    ));
}

#[tokio::test]
async fn wrong_names_are_answered_with_the_closest() {
    let source = people().await;
    let cases = [
        ("first name", "\"First Name\""),
        ("sirname", "\"surname\""),
        ("upper(surnam)", "\"surname\""),
        ("Born", "\"born\""),
        ("a.c", "\"a.b\""),
    ];
    for (text, closest) in cases {
        let error = source
            .check(&request("id", &[text]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("did you mean") && error.contains(closest),
            "{text}: {error}"
        );
    }
    let error = source.check(&request("id", &["postcode"])).unwrap_err();
    assert!(
        matches!(error, ScanError::UnknownColumn { ref closest, .. } if closest.is_empty()),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_no_scalar_expression_is_refused() {
    let source = people().await;
    let texts = [
        "",
        "count(id)",
        "row_number() over ()",
        "(select 1)",
        "id in (select id from t)",
        "exists (select 1)",
        "surname s",
        "id; drop table x",
        "drop table x",
        "now()",
        "random()",
        "uuid()",
        "current_date",
        "$1",
        "*",
        "no_such_function(id)",
        "surname['x']",
        "'open",
        "upper(1, 2)",
    ];
    for text in texts {
        let error = source.check(&request("id", &[text])).unwrap_err();
        let is_refused = matches!(
            error,
            ScanError::Expression { .. } | ScanError::UnknownColumn { .. }
        );
        assert!(is_refused, "{text}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn keys_are_exact_texts() {
    let source = people().await;
    let keys = ["cast(id as bigint)", "cast(born as date)", "id = '1'"];
    for key in keys {
        source.check(&request(key, &[])).unwrap();
    }
    let error = source
        .check(&request("cast(id as double)", &[]))
        .unwrap_err();
    assert!(matches!(error, ScanError::KeyType { .. }), "{error}");
}

#[tokio::test]
async fn fields_are_texts_or_lists_of_texts() {
    let record = r#"{"id":"1","tags":["a"],"deep":[["a"]],"at":{"x":1}}"#;
    let folder = Folder::with("a.ndjson", record);
    let source = folder.open("a.ndjson").await.unwrap();
    for text in ["id = '1'", "cast(id as double)", "tags", "at.x", "null"] {
        source.check(&request("id", &[text])).unwrap();
    }
    for text in ["deep", "at", "struct(id)", "named_struct('a', id)"] {
        let error = source.check(&request("id", &[text])).unwrap_err();
        let is_refused = matches!(error, ScanError::FieldType { .. });
        assert!(is_refused, "{text}: {error}");
    }
}

#[tokio::test]
async fn a_constant_needs_no_column() {
    let source = people().await;
    let found = rows(&source, &request("'k'", &["1"]), 2).await.unwrap();
    assert_eq!(found, table(&[["k", "1"], ["k", "1"]]));
}
