//! Files, globs and folders, scanned.

use super::*;

#[tokio::test]
async fn a_file_a_glob_a_folder_and_lists_are_found() {
    let folder = Folder::with("data/a.csv", "id,name\n1,x\n");
    folder.write("data/b [1].csv", "name,id\ny,2\n");
    folder.write("data/sub/c%20é.csv", "id,more\n3,z\n");
    folder.write("data/_tmp.csv", "no\n");
    folder.write("data/.hidden/d.csv", "no\n");
    folder.write("data/notes.txt", "no\n");
    let ids = |found: Rows| {
        found
            .into_iter()
            .filter_map(|mut row| row.swap_remove(0))
            .collect::<String>()
    };
    let cases = [
        ("data/a.csv", "1"),
        ("./data/../data/a.csv", "1"),
        ("data/b [1].csv", "2"),
        ("data/?.csv", "1"),
        ("data/[ab]*.csv", "12"),
        ("data/**/*.csv", "123"),
        ("data", "123"),
        ("data/", "123"),
        ("data/sub/", "3"),
    ];
    for (uri, expected) in cases {
        let source = folder
            .open(uri)
            .await
            .map_err(|error| error.to_string())
            .unwrap();
        let found = rows(&source, &request("id", &[]), 2).await.unwrap();
        assert_eq!(ids(found), expected, "{uri}");
    }
    let url = url::Url::from_file_path(folder.path("data/sub/c%20é.csv")).unwrap();
    assert_eq!(
        ids(folder.rows(url.as_str(), "id", &[]).await.unwrap()),
        "3"
    );
    let twice = OneOrMany::Many(vec![
        "data/a.csv".to_owned(),
        "data/a*.csv".to_owned(),
        "data/sub".to_owned(),
    ]);
    let source = folder.open_all(twice).await.unwrap();
    assert_eq!(
        ids(rows(&source, &request("id", &[]), 2).await.unwrap()),
        "13"
    );
}

#[tokio::test]
async fn files_of_a_folder_are_joined_by_column_name() {
    let folder = Folder::with("a.csv", "id,name\n1,x\n");
    folder.write("b.csv", "name,extra,id\ny,e,2\n");
    let source = folder.open(".").await.unwrap();
    let names: Vec<_> = source
        .columns()
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, ["id", "name", "extra"]);
    let found = rows(&source, &request("id", &["name", "extra"]), 2)
        .await
        .unwrap();
    assert_eq!(found, table(&[["1", "x", ""], ["2", "y", "e"]]));
}

#[tokio::test]
async fn places_without_data_are_named() {
    let folder = Folder::with("notes.txt", "x");
    folder.write("empty/readme.md", "x");
    folder.write("mixed/a.csv", "id\n1\n");
    folder.write("mixed/b.ndjson", "{\"id\":1}\n");
    let missing = folder.open("no.csv").await.unwrap_err();
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing}");
    assert!(
        missing
            .to_string()
            .contains(folder.path("no.csv").to_str().unwrap())
    );
    assert!(matches!(
        folder.open("no*.csv").await,
        Err(OpenError::NoMatch { .. })
    ));
    assert!(matches!(
        folder.open("empty").await,
        Err(OpenError::EmptyFolder { .. })
    ));
    assert!(matches!(
        folder.open("mixed").await,
        Err(OpenError::MixedFormats { .. })
    ));
    assert!(matches!(
        folder.open("notes.txt").await,
        Err(OpenError::UnknownFormat { .. })
    ));
    assert!(matches!(
        folder.open("").await,
        Err(OpenError::NoUri { .. })
    ));
    assert!(matches!(
        folder.open_all(OneOrMany::Many(Vec::new())).await,
        Err(OpenError::NoUri { .. })
    ));
    assert!(matches!(
        folder.open("ftp://host/a.csv").await,
        Err(OpenError::Address { .. })
    ));
    assert!(matches!(
        folder.open("a[.csv").await,
        Err(OpenError::Address { .. })
    ));
}

#[tokio::test]
async fn a_format_in_settings_wins_over_extensions() {
    let mut folder = Folder::with("notes.txt", "id\n1\n");
    folder.write("mixed/a.csv", "id\n1\n");
    folder.write("mixed/b.ndjson", "{\"id\":2}\n");
    folder.format = Some(FileFormat::Csv);
    assert_eq!(
        folder.rows("notes.txt", "id", &[]).await.unwrap(),
        table(&[["1"]])
    );
    assert_eq!(
        folder.rows("mixed", "id", &[]).await.unwrap(),
        table(&[["1"]])
    );
    folder.format = Some(FileFormat::Ndjson);
    assert_eq!(
        folder.rows("mixed", "id", &[]).await.unwrap(),
        table(&[["2"]])
    );
}

#[cfg(not(feature = "object-stores"))]
#[tokio::test]
async fn object_stores_need_their_feature_and_keep_secrets() {
    let error = Folder::new()
        .open("https://user:hunter2@host/a.csv?sig=x")
        .await
        .unwrap_err();
    assert!(matches!(error, OpenError::ObjectStoresOff { .. }));
    assert!(
        !error.to_string().contains("hunter2") && !error.to_string().contains("sig"),
        "{error}"
    );
}

/// Files of a folder that are not read were left out in silence.
#[tokio::test]
async fn files_that_a_folder_holds_and_no_one_reads_are_told() {
    let mut folder = Folder::with("data/a.csv", "id\n1\n");
    for name in [
        "_late.csv",
        "b.csv.bak",
        "sub/notes.txt",
        "_old/c.csv",
        "d.ndjson",
    ] {
        folder.write(&format!("data/{name}"), "id\n2\n");
    }
    for name in [
        "_SUCCESS",
        ".b.csv.crc",
        ".git/d.csv",
        "sub/_metadata",
        "sub/.x",
    ] {
        folder.write(&format!("data/{name}"), "x");
    }
    folder.format = Some(FileFormat::Csv);
    let source = folder.open("data").await.unwrap();
    let names = [
        "_late.csv",
        "_old/",
        "b.csv.bak",
        "d.ndjson",
        "sub/notes.txt",
    ];
    let names = names.map(|name| format!("{}/{name}", folder.path("data").display()));
    assert_eq!(source.skipped_files().count, 5);
    assert_eq!(source.skipped_files().names, names);

    let files = ["data", "data/_late.csv", "data"].map(str::to_owned);
    let source = folder
        .open_all(OneOrMany::Many(files.into()))
        .await
        .unwrap();
    assert_eq!(source.skipped_files().count, 4);
    for number in 0..9 {
        folder.write(&format!("data/{number}.txt"), "x");
    }
    let source = folder.open("data").await.unwrap();
    let skipped = source.skipped_files();
    assert_eq!((skipped.count, skipped.names.len()), (14, 5));
    let source = folder.open("data/*.csv").await.unwrap();
    assert_eq!(source.skipped_files().count, 0);
}
