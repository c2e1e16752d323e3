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

/// The engine writes such a call with its other name behind it, which was taken for a second name.
#[tokio::test]
async fn functions_may_be_called_by_their_other_names() {
    let source = people().await;
    let texts = [
        "length(surname)",
        "ifnull(surname, 'x') || char_length(surname)",
    ];
    let found = rows(&source, &request("id", &texts), 1).await.unwrap();
    assert_eq!(found, table(&[["1", "3", "lee3"], ["2", "3", "roe3"]]));
    let refused = source.check(&request("id", &["length(surname) as len"]));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("second name"), "{refused}");
}

#[test]
fn a_chain_that_would_exhaust_the_engine_is_refused() {
    // As much stack as a program's first thread has, on which names are resolved.
    let thread = std::thread::Builder::new().stack_size(8 << 20);
    let check = || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(check_chains());
    };
    thread.spawn(check).unwrap().join().unwrap();
}

async fn check_chains() {
    let source = people().await;
    for (start, operator, most) in [
        ("id", "||", 200),
        ("id = id", " or id = ", 99),
        ("id", "::varchar || ", 100),
    ] {
        let asked = |len: usize| {
            let filter = start.to_owned() + &format!("{operator}id").repeat(len) + " is null";
            ScanRequest {
                filter: Some(filter),
                ..request("id", &[])
            }
        };
        source.check(&asked(most)).unwrap();
        let refused = source.check(&asked(5_000)).unwrap_err().to_string();
        assert!(refused.contains("more than 200 operators"), "{operator}");
    }
    let listed = format!("id not in ('{}')", vec!["a-b or c"; 1_000].join("','"));
    let asked = ScanRequest {
        filter: Some(listed),
        ..request("id", &[])
    };
    source.check(&asked).unwrap();
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
        matches!(error, ScanError::UnknownColumn { ref hint, .. } if hint.is_empty()),
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

/// A file with another delimiter was asked whether it has a header.
#[tokio::test]
async fn a_delimiter_in_the_only_column_is_named() {
    for (text, expected) in [
        ("id;name\n1;Ann\n", "put delimiter = \";\" under"),
        ("id\tname\n1\tAnn\n", "put delimiter = \"\\t\" under"),
        ("id|name\n1|Ann\n", "put delimiter = \"|\" under"),
        ("number\n1\n", "header line?"),
    ] {
        let folder = Folder::with("parted.csv", text);
        let source = folder.open("parted.csv").await.unwrap();
        let error = source.check(&request("id", &["name"])).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// A header cell near a mapped name was quoted, and in a file without a header it is a value. Names
/// are offered only of files in whose header some name of the request stands.
#[tokio::test]
async fn cells_of_a_file_without_a_header_are_not_offered_as_names() {
    let near = format!("{CANARY}1");
    let record = format!("{near},Jane,Doe\n2,Ann,Lee\n");
    let folder = Folder::with("bare.csv", &record);
    let texts = [CANARY, "jane", "upper(Jan)", "lower('Jane', Doo)", "Jane +"];
    for text in texts {
        let source = folder.open("bare.csv").await.unwrap();
        let error = source.check(&request(CANARY, &[])).unwrap_err();
        let said = error.to_string().replace(&format!("{CANARY:?}"), "");
        assert!(!format!("{said} {error:?}").contains(&near), "{error:?}");
        assert!(
            said.contains("3 columns") && said.contains("header line"),
            "{said}"
        );
        let error = source.check(&request(text, &["name"])).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("did you mean"), "{text}: {said}");
    }
    folder.write("good.csv", "id,Name\n1,Ann\n");
    let source = folder.open("*.csv").await.unwrap();
    for text in [CANARY, "Jan", "name"] {
        let error = source.check(&request("id", &[text])).unwrap_err();
        let said = format!("{error} {error:?}").replace(&format!("{text:?}"), "");
        assert!(!said.contains(&near) && !said.contains("Jane"), "{said}");
        assert_eq!(
            said.contains("did you mean \"Name\""),
            text == "name",
            "{said}"
        );
    }
}

/// Arrow writes the fields of a structure into the name of its type, and the keys of a map-like
/// object are values. Types are told in words of our own.
#[tokio::test]
async fn keys_of_objects_stay_out_of_errors_and_types() {
    let record = format!(r#"{{"id":"1","mails":{{"{CANARY}":true}},"many":[{{"{CANARY}":"x"}}]}}"#);
    let folder = Folder::with("a.ndjson", record);
    let source = folder.open("a.ndjson").await.unwrap();
    let cases = [
        ("mails", "\"mails\" is a structure"),
        ("many", "\"many\" is a list of structures"),
        ("upper(mails)", "\"mails\" is a structure"),
        ("mails + 1", "\"mails\" is a structure"),
        ("mails = 'x'", "\"mails\" is a structure"),
        ("mails || many", "\"many\" is a list of structures"),
        ("cast(mails as bigint)", "\"mails\" is a structure"),
        ("cast(many as bigint)", "\"many\" is a list of structures"),
        ("case when mails then id end", ""),
        ("mails.other", "Field other not found"),
        ("many.other", ""),
        ("mails['x'", ""),
        ("coalesce(mails, id)", ""),
        ("nullif(mails, 1)", ""),
        ("mails in ('x')", ""),
        ("mails like 'x'", ""),
        ("mails is true", ""),
        ("not mails", ""),
        ("-mails", ""),
        ("mails between 1 and 2", ""),
        ("substr(id, mails)", ""),
        (
            "no_such_function(mails)",
            "Invalid function 'no_such_function'",
        ),
    ];
    for (text, expected) in cases {
        let requests = [
            request("id", &[text]),
            request(text, &[]),
            ScanRequest {
                filter: Some(text.to_owned()),
                ..request("id", &[])
            },
        ];
        for asked in requests {
            if let Err(error) = source.check(&asked) {
                let said = shown(&error);
                assert!(said.contains(expected), "{text}: {said}");
            } else {
                assert!(expected.is_empty(), "{text}");
            }
        }
    }
    let types: Vec<_> = source
        .columns()
        .iter()
        .map(|column| &*column.data_type)
        .collect();
    assert_eq!(types, ["text", "a structure", "a list of structures"]);
}
