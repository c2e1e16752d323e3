//! What the name of a file tells about its content.

use crate::descriptor::FileFormat;

/// How a text file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    None,
    /// With gzip.
    Gzip,
    /// With zstd.
    Zstd,
    /// In a way that is not read.
    Unknown,
}

/// Returns the format that the extension of a file tells, below the extension of its compression.
pub(crate) fn format_of(name: &str) -> Option<FileFormat> {
    let name = name.to_ascii_lowercase();
    match extension_of(uncompressed(&name).0) {
        "csv" | "tsv" => Some(FileFormat::Csv),
        "ndjson" | "jsonl" | "json" => Some(FileFormat::Ndjson),
        "parquet" | "pq" => Some(FileFormat::Parquet),
        "arrow" | "feather" | "ipc" => Some(FileFormat::Arrow),
        _ => None,
    }
}

/// Returns how a file is compressed.
pub(crate) fn compression_of(name: &str) -> Compression {
    uncompressed(&name.to_ascii_lowercase()).1
}

/// Returns the separator that the extension of a CSV file tells.
pub(crate) fn delimiter_of(name: &str) -> u8 {
    let name = name.to_ascii_lowercase();
    if extension_of(uncompressed(&name).0) == "tsv" {
        b'\t'
    } else {
        b','
    }
}

/// Returns the extensions of a format, or of all formats, in words.
pub(crate) fn extensions(format: Option<FileFormat>) -> String {
    match format {
        Some(FileFormat::Csv) => ".csv or .tsv",
        Some(FileFormat::Ndjson) => ".ndjson, .jsonl or .json",
        Some(FileFormat::Parquet) => ".parquet or .pq",
        Some(FileFormat::Arrow) => ".arrow, .feather or .ipc",
        None => ".csv, .tsv, .ndjson, .jsonl, .json, .parquet, .pq, .arrow, .feather or .ipc",
    }
    .to_owned()
}

fn uncompressed(name: &str) -> (&str, Compression) {
    let compression = match extension_of(name) {
        "gz" => Compression::Gzip,
        "zst" => Compression::Zstd,
        "bz2" | "xz" | "lz4" | "br" | "zip" => Compression::Unknown,
        _ => return (name, Compression::None),
    };
    (
        name.rsplit_once('.').map_or(name, |(stem, _)| stem),
        compression,
    )
}

fn extension_of(name: &str) -> &str {
    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
    file.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_format_and_compression() {
        assert_eq!(format_of("a.b/c.csv.gz"), Some(FileFormat::Csv));
        assert_eq!(compression_of("a.b/c.csv.gz"), Compression::Gzip);
        assert_eq!(format_of("a.csv/c"), None);
        assert_eq!(format_of("A.CSV"), Some(FileFormat::Csv));
        assert_eq!(delimiter_of("x.tsv.zst"), b'\t');
        assert_eq!(compression_of("x.parquet"), Compression::None);
    }
}
