//! CSV and NDJSON, scanned.

use std::fmt::Write as _;
use std::io::Write as _;

use super::*;

#[tokio::test]
async fn csv_columns_are_text_as_they_stand() {
    let folder = Folder::with(
        "crm.csv",
        "\u{feff}id,Zip Code,na.me,\"a \"\"q\"\"\"\r\n007,01234,\"Ann, \"\"A\"\"\nB\",x\r\n8,,é,\r\n",
    );
    let found = folder
        .rows("crm.csv", "id", &["na.me", "Zip Code", "a \"q\""])
        .await
        .unwrap();
    let expected = table(&[["007", "Ann, \"A\"\nB", "01234", "x"], ["8", "é", "", ""]]);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_header_alone_is_a_source_without_rows() {
    for text in ["id,name\n", "id,name", "\u{feff}id,name\r\n\r\n"] {
        let folder = Folder::with("crm.csv", text);
        let source = folder.open("crm.csv").await.unwrap();
        assert_eq!(source.row_count().await.unwrap(), RowCount::Exact(0));
        assert!(
            rows(&source, &request("id", &["name"]), 2)
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn delimiters_come_from_settings_or_the_extension() {
    let mut folder = Folder::with("a.tsv", "id\tname\n1\tx,y\n");
    assert_eq!(
        folder.rows("a.tsv", "id", &["name"]).await.unwrap(),
        table(&[["1", "x,y"]])
    );
    folder.write("b.csv", "id;name\n1;x,y\n");
    folder.delimiter = Some(';');
    assert_eq!(
        folder.rows("b.csv", "id", &["name"]).await.unwrap(),
        table(&[["1", "x,y"]])
    );
    for delimiter in ['"', '\n', 'é'] {
        folder.delimiter = Some(delimiter);
        assert!(matches!(
            folder.open("b.csv").await,
            Err(OpenError::Delimiter { .. })
        ));
    }
}

#[tokio::test]
async fn json_records_are_typed_by_all_lines() {
    let folder = Folder::with(
        "crm.ndjson",
        "{\"id\":1,\"age\":30,\"tags\":[\"a\",\"b\"]}\n{\"id\":2,\"age\":30.5,\"at\":{\"city\":\"Bonn\"}}\n",
    );
    let source = folder.open("crm.ndjson").await.unwrap();
    let types: BTreeMap<_, _> = source
        .columns()
        .iter()
        .map(|column| (&*column.name, &*column.data_type))
        .collect();
    assert_eq!(
        (types["id"], types["age"]),
        ("a whole number", "a floating-point number")
    );
    assert_eq!(source.row_count().await.unwrap(), RowCount::Exact(2));
    let found = rows(&source, &request("id", &["age", "tags", "at.city"]), 2)
        .await
        .unwrap();
    assert_eq!(
        found,
        table(&[["1", "30.0", "[a, b]", ""], ["2", "30.5", "", "Bonn"]])
    );
}

#[tokio::test]
async fn a_json_key_of_mixed_types_hurts_only_who_maps_it() {
    let folder = Folder::with(
        "a.ndjson",
        "{\"id\":1,\"zip\":1,\"n\":1}\n{\"id\":2,\"zip\":\"x\",\"n\":2}\n",
    );
    folder.write("b.ndjson", "{\"id\":3,\"n\":true}\n");
    assert_eq!(
        folder.rows("a.ndjson", "id", &["n"]).await.unwrap(),
        table(&[["1", "1"], ["2", "2"]])
    );
    let error = folder.rows("a.ndjson", "id", &["zip"]).await.unwrap_err();
    assert!(
        error.contains("\"zip\"") && error.contains("a.ndjson line 2"),
        "{error}"
    );
    let error = folder
        .rows("*.ndjson", "id", &["coalesce(n, 0)"])
        .await
        .unwrap_err();
    assert!(
        error.contains("\"n\"") && error.contains("b.ndjson"),
        "{error}"
    );
}

#[tokio::test]
async fn compressed_text_is_read_by_its_extension() {
    let text = "id,name\n1,Ann\n2,Bob\n";
    let folder = Folder::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    folder.write("a.csv.gz", &gzip);
    folder.write("b.csv.zst", zstd::encode_all(text.as_bytes(), 1).unwrap());
    let expected = table(&[["1", "Ann"], ["2", "Bob"]]);
    for uri in ["a.csv.gz", "b.csv.zst"] {
        assert_eq!(folder.rows(uri, "id", &["name"]).await.unwrap(), expected);
    }
    folder.write("c.csv.gz", &gzip[..gzip.len() - 9]);
    let error = folder.rows("c.csv.gz", "id", &["name"]).await.unwrap_err();
    assert!(error.contains("cannot be decompressed"), "{error}");
    folder.write("d.csv.bz2", "BZh");
    assert!(matches!(
        folder.open("d.csv.bz2").await,
        Err(OpenError::Compression { .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_change_nothing_but_the_order() {
    let folder = Folder::new();
    for file in 0..5 {
        let mut text = String::from("name,id\n");
        for row in 0..20_000 {
            writeln!(text, "\"name,\n{row}\",{file}-{row}").unwrap();
        }
        folder.write(&format!("part-{file}.csv"), text);
    }
    let source = folder.open("*.csv").await.unwrap();
    assert_eq!(source.row_count().await.unwrap(), RowCount::Exact(100_000));
    let one = rows(&source, &request("id", &["name"]), 1).await.unwrap();
    assert_eq!(one.len(), 100_000);
    for partitions in [2, 3, 8] {
        let streams = source
            .scan(&request("id", &["name"]), partitions)
            .await
            .unwrap();
        assert_eq!(streams.len(), partitions);
        assert!(
            rows(&source, &request("id", &["name"]), partitions)
                .await
                .unwrap()
                == one
        );
    }
}

#[tokio::test]
async fn row_counts_of_long_texts_are_projected() {
    let line = "17,some name of a fixed length\n";
    let folder = Folder::with("crm.csv", format!("id,name\n{}", line.repeat(200_000)));
    let source = folder.open("crm.csv").await.unwrap();
    let RowCount::Estimate(count) = source.row_count().await.unwrap() else {
        panic!("an estimate")
    };
    assert!((199_000..=201_000).contains(&count), "{count}");
}

#[tokio::test]
async fn a_cell_of_100_mib_is_survived() {
    let folder = Folder::new();
    let cell = "x".repeat(100 << 20);
    folder.write(
        "a.csv",
        format!("id,name,other\n1,{cell},{cell}\n2,\"{cell}\",Bob\n"),
    );
    folder.write(
        "a.ndjson",
        format!("{{\"id\":1,\"name\":\"{cell}\",\"other\":\"Bob\"}}\n"),
    );
    for uri in ["a.csv", "a.ndjson"] {
        let found = folder
            .rows(uri, "id", &["character_length(name)", "right(other, 3)"])
            .await;
        let found = found.unwrap();
        assert_eq!(found[0][1].as_deref(), Some("131072"));
        assert!(found.iter().any(|row| row[2].as_deref() == Some("Bob")));
    }
}

/// A batch was full as soon as it had 16 MiB of text, also in the middle of a record: its columns
/// then differed in length and the scan failed. It is full only between records.
#[tokio::test]
async fn a_batch_that_is_full_of_text_ends_with_a_record() {
    let cell = "x".repeat(100 << 10);
    let mut text = String::from("id,first,second,last\n");
    for row in 0..200 {
        writeln!(text, "{row},{cell},{cell},end {row}").unwrap();
    }
    let folder = Folder::with("a.csv", text);
    let found = folder
        .rows(
            "a.csv",
            "id",
            &["character_length(second)", "first", "last"],
        )
        .await;
    let found = found.unwrap();
    assert_eq!(found.len(), 200);
    for row in &found {
        let (id, last) = (row[0].as_deref().unwrap(), row[3].as_deref());
        assert_eq!(last, Some(format!("end {id}").as_str()));
    }
}
