//! Files with something wrong in them, scanned.

use super::*;
use crate::error::StoreCause;

#[tokio::test]
async fn broken_text_names_file_and_line_and_never_a_value() {
    let cases: &[(&str, Vec<u8>, &str)] = &[
        (
            "a.csv",
            format!("id,name\n1,{CANARY}\n2\n").into(),
            "line 3: the record has 1 cells",
        ),
        (
            "b.csv",
            format!("id,name\n{CANARY},2,{CANARY}\n").into(),
            "line 2: the record has more than 2",
        ),
        (
            "c.csv",
            format!("id,name\n1,\"{CANARY}\n").into(),
            "line 2: a quote is opened",
        ),
        (
            "d.csv",
            format!("id,name\n1,\"x\"{CANARY}\n").into(),
            "line 2: text follows a closing quote",
        ),
        (
            "e.csv",
            [format!("id,name\n1,{CANARY}").as_bytes(), b"\xff\n"].concat(),
            "line 2: the text is not UTF-8",
        ),
        ("f.csv", b"\xff\xfei\0d\0".to_vec(), "UTF-16"),
        (
            "g.ndjson",
            format!("{{\"id\":1}}\n{{\"id\":{CANARY}}}\n").into(),
            "line 2: the line stops being JSON",
        ),
        (
            "h.ndjson",
            format!("[{{\"id\":\"{CANARY}\"}}]").into(),
            "line 1: the line is no JSON object",
        ),
        (
            "i.ndjson",
            format!("{{\"id\":\"{CANARY}\",\"id\":2}}").into(),
            "no single type",
        ),
        (
            "j.ndjson",
            format!("{{\"id\":\"{CANARY}\",\"id\":\"x\"}}").into(),
            "line 1: key \"id\" stands twice",
        ),
        (
            "k.ndjson",
            [b"{\"id\":\"\xff", CANARY.as_bytes(), b"\"}"].concat(),
            "not UTF-8",
        ),
        (
            "l.csv",
            b"id,id\n1,2\n".to_vec(),
            "gives cells 1 and 2 one name",
        ),
        ("m.csv", Vec::new(), "m.csv is empty"),
        ("n.csv", b"\n\r\n".to_vec(), "n.csv is empty"),
        ("o.ndjson", Vec::new(), "o.ndjson is empty"),
        ("p.ndjson", b"\n \r\n".to_vec(), "p.ndjson is empty"),
    ];
    for (name, content, expected) in cases {
        let folder = Folder::with(name, content);
        let error = folder.rows(name, "id", &[]).await.unwrap_err();
        assert!(
            error.contains(expected) && error.contains(name),
            "{name}: {error}"
        );
        assert!(error.starts_with("source `crm`: "), "{error}");
    }
}

#[tokio::test]
async fn failing_expressions_keep_their_values_to_themselves() {
    let folder = Folder::with("a.csv", format!("id,name\n1,{CANARY}\n"));
    let texts = [
        "cast(name as bigint)",
        "cast(name as date)",
        "1 / (character_length(name) - 11)",
        "to_timestamp(name)",
    ];
    for text in texts {
        let error = folder.rows("a.csv", "id", &[text]).await.unwrap_err();
        assert!(
            error.contains("cannot be computed for some record"),
            "{text}: {error}"
        );
    }
    let cast = folder
        .rows("a.csv", "id", &["try_cast(name as bigint)"])
        .await
        .unwrap();
    assert_eq!(cast, table(&[["1", ""]]));
}

#[tokio::test]
async fn errors_of_the_engine_lose_their_text() {
    let quoting = [
        DataFusionError::Execution(CANARY.to_owned()),
        DataFusionError::Internal(CANARY.to_owned()),
        DataFusionError::External(CANARY.into()),
        DataFusionError::Context(
            CANARY.to_owned(),
            Box::new(DataFusionError::Plan(CANARY.to_owned())),
        ),
        DataFusionError::Shared(Arc::new(DataFusionError::Execution(CANARY.to_owned()))),
        arrow_schema::ArrowError::CsvError(CANARY.to_owned()).into(),
        arrow_schema::ArrowError::JsonError(CANARY.to_owned()).into(),
        arrow_schema::ArrowError::CastError(CANARY.to_owned()).into(),
        arrow_schema::ArrowError::ExternalError(CANARY.into()).into(),
        datafusion::parquet::errors::ParquetError::General(CANARY.to_owned()).into(),
        std::io::Error::other(CANARY).into(),
    ];
    for error in quoting {
        shown(&ScanError::from_stream("crm", &error));
    }
}

#[tokio::test]
async fn a_file_that_changes_fails_the_scan() {
    let folder = Folder::with("a.csv", "id,name\n1,x\n");
    let source = folder.open("a.csv").await.unwrap();
    folder.write("a.csv", "id,name\n1,x\n2,y\n");
    let error = rows(&source, &request("id", &[]), 2).await.unwrap_err();
    assert!(matches!(error, ScanError::Changed { .. }), "{error}");

    let source = folder.open("a.csv").await.unwrap();
    std::fs::remove_file(folder.path("a.csv")).unwrap();
    let error = rows(&source, &request("id", &[]), 1).await.unwrap_err();
    assert!(matches!(error, ScanError::Changed { .. }), "{error}");
}

#[tokio::test]
async fn what_a_store_says_is_kept_by_its_kind() {
    let quoting = object_store::Error::Generic {
        store: "S3",
        source: CANARY.into(),
    };
    assert!(shown(&StoreCause::new(&quoting)).contains("check its address"));
    let denied = std::io::Error::new(std::io::ErrorKind::PermissionDenied, CANARY);
    let denied = object_store::Error::Generic {
        store: "file",
        source: Box::new(denied),
    };
    assert_eq!(shown(&StoreCause::new(&denied)), "permission denied");
}

/// Derived `Debug` printed the first record of a file without a header, keys of objects and cells
/// that were being decoded.
#[tokio::test]
async fn a_source_prints_no_names_that_may_be_values() {
    let folder = Folder::with("a.csv", format!("{CANARY},Jane\n"));
    folder.write(
        "a.ndjson",
        format!(r#"{{"id":{{"{CANARY}":1}},"{CANARY}":2}}"#),
    );
    for uri in ["a.csv", "a.ndjson"] {
        let source = folder.open(uri).await.unwrap();
        let shown = format!("{source:?} {source:#?} {:?}", source.columns());
        assert!(!shown.contains(CANARY), "{shown}");
        assert!(shown.contains("crm"), "{shown}");
    }
}
