#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use arrow::util::pretty::pretty_format_batches;
use arrow_array::Array;
use arrow_schema::{Field, Schema};

use super::*;

fn find(text: &str, chunk_len: usize) -> Result<(Keys, u64), Flaw> {
    let mut finder = ShapeFinder::new();
    for chunk in text.as_bytes().chunks(chunk_len) {
        finder.decode(chunk)?;
    }
    finder.finish()?;
    Ok(finder.into_keys())
}

fn decode(keys: &Keys, text: &[u8], chunk_len: usize) -> Result<RecordBatch, Flaw> {
    let field = |(name, shape): (&String, &Shape)| Field::new(name, shape.data_type(), true);
    let schema = Arc::new(Schema::new(keys.iter().map(field).collect::<Vec<_>>()));
    let mut decoder = NdjsonDecoder::new(keys, schema, usize::MAX);
    for chunk in text.chunks(chunk_len) {
        assert_eq!(decoder.decode(chunk)?, chunk.len());
    }
    decoder.finish()?;
    Ok(decoder.take_batch().unwrap())
}

fn key(name: &str, shape: Shape) -> (String, Shape) {
    (name.to_owned(), shape)
}

#[test]
fn records_become_columns_however_the_bytes_arrive() {
    let text = concat!(
        r#"{"id":1,"name":"Zoë \"Z\"","tags":["a",null],"at":{"city":"Köln","no":7},"ok":true}"#,
        "\r\n\n",
        r#"{"name":null,"id":2.5,"at":{},"tags":[],"later":null}"#,
        "\n",
        r#"{"id":3,"at":null,"at2":{}}"#,
    );
    let (keys, rows) = find(text, usize::MAX).unwrap();
    assert_eq!(rows, 3);
    let whole = decode(&keys, text.as_bytes(), usize::MAX).unwrap();
    let shown = pretty_format_batches(std::slice::from_ref(&whole))
        .unwrap()
        .to_string();
    for part in [
        "| 2.5 |",
        "Zoë \"Z\"",
        "[a, ]",
        "{city: Köln, no: 7}",
        "{city: , no: }",
        "true",
    ] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    for chunk_len in [1, 2, 3, 7, 50] {
        assert_eq!(find(text, chunk_len).unwrap(), (keys.clone(), rows));
        assert_eq!(decode(&keys, text.as_bytes(), chunk_len).unwrap(), whole);
    }
}

#[test]
fn flaws_name_the_line_and_the_key_and_no_value() {
    let keys = Keys::from([
        key("n", Shape::Int),
        key("t", Shape::Text),
        key("o", Shape::Object(Keys::new())),
    ]);
    let kind = |key: &str, expected, found| Problem::Kind {
        key: key.to_owned(),
        expected,
        found,
    };
    let cases: &[(&[u8], u64, Problem)] = &[
        (
            b"{\"n\":1}\n{\"n\":\"canary\"}",
            2,
            kind("n", "a whole number", "text"),
        ),
        (b"{\"t\":1}", 1, kind("t", "text", "a whole number")),
        (b"{\"n\":1.5}", 1, kind("n", "a whole number", "a number")),
        (
            b"{\"n\":18446744073709551615}",
            1,
            kind("n", "a whole number", "a whole number beyond 64 bits"),
        ),
        (b"{\"t\":[\"canary\"]}", 1, kind("t", "text", "a list")),
        (
            b"{\"o\":{\"x\":1}}",
            1,
            kind("o", "an object without keys", "an object"),
        ),
        (
            b"\n\n{\"n\":1,\"n\":2}\n",
            3,
            Problem::RepeatedKey {
                key: "n".to_owned(),
            },
        ),
        (b"[{\"n\":1}]", 1, Problem::NotAnObject),
        (b"{\"n\":1}\n\"canary\"\n", 2, Problem::NotAnObject),
        (
            b"{\"n\":1,\n\"t\":\"canary\"}",
            1,
            Problem::NotJson { column: 7 },
        ),
        (b"{\"t\":\"canary}", 1, Problem::NotJson { column: 13 }),
        (b"{\"n\":1} {\"n\":2}", 1, Problem::NotJson { column: 9 }),
        (b"{\"t\":\"\xff\"}", 1, Problem::InvalidUtf8),
    ];
    for (text, line, problem) in cases {
        let flaw = decode(&keys, text, 4).unwrap_err();
        assert_eq!(flaw, Flaw::new(*line, problem.clone()));
        assert!(!flaw.to_string().contains("canary"));
    }
}

#[test]
fn long_texts_are_cut_and_longer_records_refused() {
    let long = "é".repeat(CELL_KEPT_MAX);
    let text = format!("{{\"t\":\"{long}\"}}");
    let batch = decode(&Keys::from([key("t", Shape::Text)]), text.as_bytes(), 4096).unwrap();
    assert_eq!(batch.column(0).to_data().buffers()[1].len(), CELL_KEPT_MAX);

    let mut decoder = NdjsonDecoder::new(&Keys::new(), Arc::new(Schema::empty()), 1);
    let chunk = vec![b' '; 1 << 20];
    let flaw = (0..=RECORD_LEN_MAX >> 20)
        .find_map(|_| decoder.decode(&chunk).err())
        .unwrap();
    assert_eq!(
        flaw.problem(),
        &Problem::RecordTooLong {
            len_max: RECORD_LEN_MAX
        }
    );
}
