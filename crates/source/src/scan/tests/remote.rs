//! Addresses of object stores, scanned.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use super::*;

/// Serves the files of a folder on a loopback port, whole or by ranges.
fn serve(root: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let root = root.clone();
            std::thread::spawn(move || while answer(&root, stream.as_ref().unwrap()).is_some() {});
        }
    });
    format!("http://{address}")
}

/// Answers one request; none when the client is gone.
fn answer(root: &Path, mut stream: &TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let headers: Vec<_> = lines
        .take_while(|line| !line.is_empty())
        .map(|line| line.to_lowercase())
        .collect();
    let Ok(content) = std::fs::read(root.join(path.trim_start_matches('/'))) else {
        write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        )
        .ok()?;
        return Some(());
    };
    let asked = headers
        .iter()
        .find_map(|header| header.strip_prefix("range: bytes="));
    let (status, range) = match asked.and_then(|range| range.split_once('-')) {
        Some((start, end)) => {
            let end = end
                .parse()
                .map_or(content.len(), |end: usize| content.len().min(end + 1));
            ("206 Partial Content", start.parse().ok()?..end)
        }
        None => ("200 OK", 0..content.len()),
    };
    let span = format!(
        "bytes {}-{}/{}",
        range.start,
        range.end.max(1) - 1,
        content.len()
    );
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: {span}\r\nETag: \"{}\"\r\n\
         Last-Modified: Mon, 23 Nov 2026 10:00:00 GMT\r\n\r\n",
        range.len(),
        content.len(),
    )
    .ok()?;
    if method == "GET" {
        stream.write_all(&content[range]).ok()?;
    }
    Some(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_format_is_read_over_http() {
    let folder = Folder::with("a.csv", "id,name\n1,x\n2,y\n");
    folder.write(
        "a.ndjson",
        "{\"id\":1,\"name\":\"x\"}\n{\"id\":2,\"name\":\"y\"}\n",
    );
    folder.write(
        "a.csv.zst",
        zstd::encode_all(&b"id,name\n1,x\n2,y\n"[..], 1).unwrap(),
    );
    let ids = arrow_array::Int64Array::from(vec![1, 2]);
    let names = arrow_array::StringArray::from(vec!["x", "y"]);
    let batch = binary::batch(vec![("id", Arc::new(ids)), ("name", Arc::new(names))]);
    binary::write_parquet(&folder.path("a.parquet"), std::slice::from_ref(&batch), 1);
    binary::write_arrow(&folder.path("a.arrow"), &[batch]);
    let root = serve(folder.dir.path().to_owned());
    for name in ["a.csv", "a.ndjson", "a.csv.zst", "a.parquet", "a.arrow"] {
        let found = folder
            .rows(&format!("{root}/{name}"), "id", &["name"])
            .await;
        assert_eq!(found, Ok(table(&[["1", "x"], ["2", "y"]])), "{name}");
    }
    let missing = folder.open(&format!("{root}/no.csv")).await.unwrap_err();
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing}");
}

#[tokio::test]
async fn addresses_with_queries_are_refused_without_showing_them() {
    let error = Folder::new()
        .open("https://user:hunter2@host/a.csv?sig=x")
        .await
        .unwrap_err();
    assert!(matches!(error, OpenError::Address { .. }), "{error}");
    assert!(
        !error.to_string().contains("hunter2") && !error.to_string().contains("sig"),
        "{error}"
    );
}
