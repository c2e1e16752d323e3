//! Text columns of a file that somebody made about records: CSV, or Parquet by its extension.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::EvaluateError;
use crate::CsvQuotes;

/// Columns that only pairs have, and what to say of them where none are read.
const PAIR_COLUMNS: [&[u8]; 4] = [b"source_l", b"key_l", b"source_r", b"key_r"];
const PAIR_HINT: &str = "; its columns look like those of pairs: `train --labels` reads pairs with source_l, key_l, source_r, key_r and is_match, and `evaluate --truth` reads none";

/// Hears the number of a row, from 1, and what it holds.
pub(crate) type Each<'e, const N: usize> =
    &'e mut dyn FnMut(u64, [&str; N]) -> Result<(), EvaluateError>;

/// A file of rows.
pub(crate) struct Rows<'p> {
    path: &'p Path,
    /// Its columns, for telling what it lacks.
    needs: &'static str,
}

impl<'p> Rows<'p> {
    pub(crate) fn new(path: &'p Path, needs: &'static str) -> Self {
        Self { path, needs }
    }

    /// Reads the columns of all rows.
    ///
    /// # Errors
    /// Names the file, and the column or row that cannot be read; and passes on what `each` says.
    pub(crate) fn read<const N: usize>(
        &self,
        columns: [&'static str; N],
        each: Each<'_, N>,
    ) -> Result<(), EvaluateError> {
        if self.is_parquet() {
            self.parquet(columns, each)
        } else {
            self.csv(columns, each)
        }
    }

    /// Tells whether the file has a column.
    pub(crate) fn has(&self, column: &str) -> Result<bool, EvaluateError> {
        let file = self.open()?;
        if self.is_parquet() {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file);
            let builder = builder.map_err(|cause| self.parquet_error(cause))?;
            return Ok(builder.schema().column_with_name(column).is_some());
        }
        let mut reader = csv::Reader::from_reader(CsvQuotes::new(file));
        let header = reader.byte_headers();
        let header = header.map_err(|cause| self.csv_error(1, cause))?;
        Ok(header.iter().any(|name| name == column.as_bytes()))
    }

    fn is_parquet(&self) -> bool {
        let extension = self.path.extension();
        extension.is_some_and(|extension| extension == "parquet")
    }

    fn open(&self) -> Result<File, EvaluateError> {
        File::open(self.path).map_err(|cause| self.unreadable(cause))
    }

    fn csv<const N: usize>(
        &self,
        columns: [&'static str; N],
        each: Each<'_, N>,
    ) -> Result<(), EvaluateError> {
        let mut reader = csv::Reader::from_reader(CsvQuotes::new(self.open()?));
        let header = reader
            .byte_headers()
            .map_err(|cause| self.csv_error(1, cause))?
            .clone();
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(columns) {
            let found = header.iter().position(|name| name == column.as_bytes());
            *place = found.ok_or_else(|| self.lacks(column, &header.iter().collect::<Vec<_>>()))?;
        }
        let mut record = csv::ByteRecord::new();
        let mut row = 0;
        loop {
            row += 1;
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(cause) => return Err(self.csv_error(row, cause)),
            }
            let mut texts = [""; N];
            for (text, place) in texts.iter_mut().zip(places) {
                let found = std::str::from_utf8(&record[place]);
                *text = found.map_err(|_| self.error(row, "is not UTF-8"))?;
            }
            each(row, texts)?;
        }
    }

    fn parquet<const N: usize>(
        &self,
        columns: [&'static str; N],
        each: Each<'_, N>,
    ) -> Result<(), EvaluateError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(self.open()?)
            .map_err(|cause| self.parquet_error(cause))?;
        for column in columns {
            if builder.schema().column_with_name(column).is_none() {
                let fields = builder.schema().fields().iter();
                let names: Vec<&[u8]> = fields.map(|field| field.name().as_bytes()).collect();
                return Err(self.lacks(column, &names));
            }
        }
        let wanted = ProjectionMask::columns(builder.parquet_schema(), columns);
        let reader = builder.with_projection(wanted).build();
        let mut before = 0;
        for batch in reader.map_err(|cause| self.parquet_error(cause))? {
            let batch = batch.map_err(|cause| self.parquet_error(cause))?;
            self.batch(&batch, before, columns, each)?;
            before += batch.num_rows() as u64;
        }
        Ok(())
    }

    fn batch<const N: usize>(
        &self,
        batch: &RecordBatch,
        before: u64,
        names: [&'static str; N],
        each: Each<'_, N>,
    ) -> Result<(), EvaluateError> {
        let text = |name: &'static str| {
            let column = batch.column_by_name(name);
            let column = column.ok_or_else(|| self.lacks(name, &[]))?;
            cast(column, &DataType::LargeUtf8).map_err(|cause| self.parquet_error(cause))
        };
        let columns = names.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
        for index in 0..batch.num_rows() {
            let row = before + index as u64 + 1;
            let mut texts = [""; N];
            for (text, column) in texts.iter_mut().zip(&columns) {
                // A null is what CSV has as an empty cell.
                if column.is_valid(index) {
                    *text = column.as_string::<i64>().value(index);
                }
            }
            each(row, texts)?;
        }
        Ok(())
    }

    /// Returns that a file with these columns lacks one.
    fn lacks(&self, column: &'static str, names: &[&[u8]]) -> EvaluateError {
        let is_of_pairs = names.iter().any(|name| PAIR_COLUMNS.contains(name));
        EvaluateError::NoColumn {
            path: self.path.to_owned(),
            column,
            needs: self.needs,
            hint: if is_of_pairs { PAIR_HINT } else { "" },
        }
    }

    fn unreadable(&self, cause: std::io::Error) -> EvaluateError {
        EvaluateError::Read {
            path: self.path.to_owned(),
            cause,
        }
    }

    /// Refuses a row that does not name its record.
    pub(crate) fn refuse_blank<const N: usize>(
        &self,
        row: u64,
        named: [(&'static str, &str); N],
    ) -> Result<(), EvaluateError> {
        let is_blank = |cell: &&(&str, &str)| cell.1.trim().is_empty();
        match named.iter().find(is_blank) {
            None => Ok(()),
            Some(("source" | "source_l" | "source_r", _)) => {
                Err(self.error(row, "has an empty source"))
            }
            Some(_) => Err(self.error(row, "has an empty key")),
        }
    }

    /// Returns what is wrong with a row.
    pub(crate) fn error(&self, row: u64, what: &'static str) -> EvaluateError {
        EvaluateError::Row {
            path: self.path.to_owned(),
            row,
            what,
        }
    }

    fn csv_error(&self, row: u64, cause: csv::Error) -> EvaluateError {
        match cause.into_kind() {
            csv::ErrorKind::Io(cause) => self.unreadable(cause),
            csv::ErrorKind::UnequalLengths { .. } => {
                self.error(row, "has more or fewer columns than the header")
            }
            _ => self.error(row, "is not CSV"),
        }
    }

    fn parquet_error(
        &self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> EvaluateError {
        EvaluateError::Parquet {
            path: self.path.to_owned(),
            cause: cause.into(),
        }
    }
}
