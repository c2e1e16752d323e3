#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use arrow_array::cast::AsArray;
use arrow_schema::{Field, Schema};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

type Rows = Vec<Vec<Option<String>>>;

fn decoder(columns: &[&str], row_limit: usize) -> CsvDecoder {
    let fields: Vec<_> = columns
        .iter()
        .map(|name| Field::new(*name, DataType::Utf8, true))
        .collect();
    CsvDecoder::new(b',', Arc::new(Schema::new(fields)), row_limit)
}

fn decode(text: &[u8], columns: &[&str], chunk_len: usize) -> Result<Rows, Flaw> {
    let mut decoder = decoder(columns, usize::MAX);
    for chunk in text.chunks(chunk_len) {
        assert_eq!(decoder.decode(chunk)?, chunk.len());
    }
    decoder.finish()?;
    Ok(taken(&mut decoder))
}

/// Decodes by the states alone, which the windows must agree with.
fn decode_by_steps(text: &[u8], columns: &[&str]) -> (Rows, Vec<u64>, Option<Flaw>) {
    let mut decoder = decoder(columns, usize::MAX);
    decoder.keep_starts();
    let mut run = || {
        let mut at = 0;
        while at < text.len() {
            at += decoder.step(&text[at..])?;
            decoder.position = at as u64;
        }
        decoder.finish()
    };
    let flaw = run().err();
    (taken_whole(&mut decoder), decoder.take_starts(), flaw)
}

/// Decodes in chunks and small batches.
fn decode_in_chunks(
    text: &[u8],
    columns: &[&str],
    chunk_len: usize,
) -> (Rows, Vec<u64>, Option<Flaw>) {
    let mut decoder = decoder(columns, 3);
    decoder.keep_starts();
    let (mut rows, mut starts) = (Rows::new(), Vec::new());
    let mut run = || {
        for chunk in text.chunks(chunk_len) {
            let mut at = 0;
            while at < chunk.len() {
                at += decoder.decode(&chunk[at..])?;
                if decoder.is_full() {
                    rows.extend(taken(&mut decoder));
                    starts.extend(decoder.take_starts());
                }
            }
        }
        decoder.finish()
    };
    let flaw = run().err();
    rows.extend(taken_whole(&mut decoder));
    starts.extend(decoder.take_starts());
    (rows, starts, flaw)
}

fn taken(decoder: &mut CsvDecoder) -> Rows {
    let batch = decoder.take_batch().unwrap();
    (0..batch.num_rows())
        .map(|row| {
            batch
                .columns()
                .iter()
                .map(|column| cell(column, row))
                .collect()
        })
        .collect()
}

/// Returns what was decoded, without the record that a flaw may have cut.
fn taken_whole(decoder: &mut CsvDecoder) -> Rows {
    let whole = decoder.row_count;
    for builder in &mut decoder.wanted.builders {
        // A batch needs columns of one length.
        let column = builder.finish();
        for text in column.iter().take(whole) {
            builder.append_option(text);
        }
    }
    taken(decoder)
}

fn cell(column: &ArrayRef, row: usize) -> Option<String> {
    column
        .is_valid(row)
        .then(|| column.as_string::<i32>().value(row).to_owned())
}

fn rows(text: &str, columns: &[&str]) -> Rows {
    let whole = decode(text.as_bytes(), columns, usize::MAX).unwrap();
    for chunk_len in 1..7 {
        let chunked = decode(text.as_bytes(), columns, chunk_len).unwrap();
        assert_eq!(whole, chunked, "chunks of {chunk_len}");
    }
    whole
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts
        .iter()
        .map(|text| (!text.is_empty()).then(|| (*text).to_owned()))
        .collect()
}

#[test]
fn cells_are_split_however_the_bytes_arrive() {
    let text = "a,b,c\n1,\"x, \"\"y\"\"\nz\",3\r\n,é\"é,\n\n\r\n7,,9";
    let expected = [
        some(&["1", "x, \"y\"\nz", "3"]),
        some(&["", "é\"é", ""]),
        some(&["7", "", "9"]),
    ];
    assert_eq!(rows(text, &["a", "b", "c"]), expected);
}

#[test]
fn only_wanted_columns_are_kept_in_the_order_asked() {
    assert_eq!(
        rows("a,b,c\n1,2,3\n", &["c", "none", "a"]),
        [some(&["3", "", "1"])]
    );
    assert_eq!(rows("a,b\n1,2\n3,4\n", &[]).len(), 2);
}

#[test]
fn a_delimiter_at_the_end_of_a_file_leaves_an_empty_cell() {
    assert_eq!(rows("a,b\n1,", &["a", "b"]), [some(&["1", ""])]);
}

#[test]
fn lone_returns_end_records() {
    assert_eq!(
        rows("a,b\r1,2\r3,4", &["a", "b"]),
        [some(&["1", "2"]), some(&["3", "4"])]
    );
}

#[test]
fn flaws_name_the_line_of_the_record() {
    let cases: &[(&[u8], u64, Problem)] = &[
        (
            b"a,b\n1,2\n3\n",
            3,
            Problem::Ragged {
                expected: 2,
                found: 1,
            },
        ),
        (
            b"a,b\n1,2,3\n",
            2,
            Problem::Ragged {
                expected: 2,
                found: 3,
            },
        ),
        (
            b"a,b\n\"1\n\n\",2\n1\n",
            5,
            Problem::Ragged {
                expected: 2,
                found: 1,
            },
        ),
        (b"a,b\r\n1,2\r\n\xff,2\r\n", 3, Problem::InvalidUtf8),
        (b"a,b\n1,2\n1,\"2\n3,4\n", 3, Problem::OpenQuote),
        (b"a,b\n\"1\"x,2\n", 2, Problem::StrayQuote),
    ];
    for (text, line, problem) in cases {
        for chunk_len in [1, 2, 3, usize::MAX] {
            let flaw = decode(text, &["a", "b"], chunk_len).unwrap_err();
            assert_eq!(flaw, Flaw::new(*line, problem.clone()));
        }
    }
}

#[test]
fn a_cell_of_any_length_is_cut_between_characters() {
    let long = "é".repeat(CELL_KEPT_MAX);
    let text = format!("a,b\n\"{long}\",1\n{long},2\n");
    let found = decode(text.as_bytes(), &["a", "b"], 4093).unwrap();
    for row in &found {
        let len = row[0].as_ref().unwrap().len();
        assert!((CELL_KEPT_MAX - 1..=CELL_KEPT_MAX).contains(&len));
    }
    assert_eq!(found[1][1].as_deref(), Some("2"));
}

#[test]
fn what_does_not_lie_whole_in_a_window_is_decoded_too() {
    let long = "é".repeat(WINDOW_LEN);
    for (text, row_count) in [
        (format!("a,b\nx{long},\"{long}\"\n{long},1\n"), 2),
        (format!("a,b\r{}", "é,1\r".repeat(WINDOW_LEN)), WINDOW_LEN),
        (format!("a,b\n\"{}\",1", "x\"\"\n".repeat(WINDOW_LEN)), 1),
    ] {
        let expected = decode_by_steps(text.as_bytes(), &["a", "b"]);
        assert_eq!((expected.0.len(), &expected.2), (row_count, &None));
        let found = decode_in_chunks(text.as_bytes(), &["a", "b"], usize::MAX);
        assert!(found == expected);
    }
}

fn cell_text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[aé;]([aé; \"]{0,3}|[a-z]{60,70})".prop_map(String::from),
        1 => Just(String::new()),
        4 => "\"([aé,\n\r]|\"\"){0,5}\"".prop_map(String::from),
    ]
}

/// A record of two cells, or seldom of something else.
fn record_text() -> impl Strategy<Value = String> {
    let line_break =
        prop_oneof![4 => Just("\n"), 4 => Just("\r\n"), 1 => Just("\r"), 1 => Just("\n\n\r\n")];
    let cells = prop_oneof![
        60 => vec(cell_text(), 2),
        1 => vec(cell_text(), 0..4),
        1 => vec(Just("\"a\"a".to_owned()), 2),
        1 => vec(Just("\"a".to_owned()), 1),
    ];
    (cells, line_break).prop_map(|(cells, line_break)| cells.join(",") + line_break)
}

proptest! {
    #[test]
    fn windows_agree_with_the_states(
        records in vec(record_text(), 0..60),
        repeat in prop_oneof![Just(1_usize), Just(40)],
        wrong_byte in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
        chunk_len in prop_oneof![1..200_usize, Just(5_000), Just(usize::MAX)],
    ) {
        let mut text = format!("a,b\n{}", records.concat().repeat(repeat)).into_bytes();
        if let Some(index) = wrong_byte {
            let place = index.index(text.len());
            text[place] = 0xff;
        }
        let expected = decode_by_steps(&text, &["a", "b"]);
        prop_assert_eq!(decode_in_chunks(&text, &["a", "b"], chunk_len), expected);
    }
}
