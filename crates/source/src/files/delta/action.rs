//! The actions of a log, as far as a reader needs them.

use std::collections::BTreeMap;

use arrow::json::LineDelimitedWriter;
use arrow_schema::{DataType, Field, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::file::reader::ChunkReader;
use serde::Deserialize;
use serde_json::Value;

use super::DeltaFault;

/// What is read of a checkpoint, whose statistics are many times that.
const CHECKPOINT_COLUMNS: [&str; 7] = [
    "add.path",
    "add.partitionValues",
    "add.deletionVector",
    "metaData.schemaString",
    "metaData.partitionColumns",
    "metaData.configuration",
    "protocol",
];
const SIDECAR_COLUMN: &str = "sidecar.path";

/// One line of a commit; others than these are of no concern to readers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Action {
    pub(super) protocol: Option<Protocol>,
    pub(super) meta_data: Option<Metadata>,
    pub(super) add: Option<Add>,
    pub(super) remove: Option<Remove>,
    pub(super) sidecar: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub(super) min_reader_version: i32,
    pub(super) reader_features: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    schema_string: String,
    partition_columns: Option<Vec<String>>,
    configuration: Option<BTreeMap<String, Option<String>>>,
}

/// Without `Debug`: paths and values of partitions are values of records.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Add {
    pub(super) path: String,
    partition_values: Option<BTreeMap<String, Option<String>>>,
    pub(super) deletion_vector: Option<DeletionVector>,
}

/// Without `Debug`, as [`Add`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub(super) path: String,
    pub(super) deletion_vector: Option<DeletionVector>,
}

/// Which rows of a file are deleted: together, this is the identity of the set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeletionVector {
    storage_type: String,
    path_or_inline_dv: String,
    offset: Option<i32>,
}

/// The schema of a table: a struct of Spark's.
#[derive(Deserialize)]
struct TableSchema {
    fields: Vec<TableField>,
}

#[derive(Deserialize)]
struct TableField {
    name: String,
    #[serde(rename = "type")]
    data_type: Value,
}

/// Reads a commit; fails with the line that is none of one. One without any is not written yet.
pub(super) fn of_commit(bytes: &[u8]) -> Result<Vec<Action>, usize> {
    let actions = of_lines(bytes)?;
    if actions.is_empty() {
        Err(1)
    } else {
        Ok(actions)
    }
}

fn of_lines(bytes: &[u8]) -> Result<Vec<Action>, usize> {
    let lines = bytes.split(|&byte| byte == b'\n').zip(1..);
    let lines = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    lines
        .map(|(line, number)| serde_json::from_slice(line).map_err(|_| number))
        .collect()
}

/// A checkpoint that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable;

/// Reads a part of a checkpoint, and hands its actions on until one is refused.
pub(super) fn of_checkpoint<R: ChunkReader + 'static, E>(
    bytes: R,
    mut take: impl FnMut(Action) -> Result<(), E>,
) -> Result<Result<(), E>, Unreadable> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|_| Unreadable)?;
    let columns = CHECKPOINT_COLUMNS.into_iter().chain([SIDECAR_COLUMN]);
    let mask = ProjectionMask::columns(reader.parquet_schema(), columns);
    let batches = reader.with_projection(mask).build();
    for batch in batches.map_err(|_| Unreadable)? {
        let batch = batch.map_err(|_| Unreadable)?;
        let mut lines = Vec::new();
        let mut writer = LineDelimitedWriter::new(&mut lines);
        writer.write(&batch).map_err(|_| Unreadable)?;
        writer.finish().map_err(|_| Unreadable)?;
        for action in of_lines(&lines).map_err(|_| Unreadable)? {
            if let Err(refused) = take(action) {
                return Ok(Err(refused));
            }
        }
    }
    Ok(Ok(()))
}

impl Metadata {
    /// Returns a property of the table.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.configuration.as_ref()?.get(name)?.as_deref()
    }

    /// Returns the columns that the table is partitioned by.
    pub(super) fn partition_fields(&self) -> Result<Vec<Field>, DeltaFault> {
        let fields = self.fields();
        let of = |name: &String| {
            let field = fields.iter().find(|field| field.name == *name);
            let written = field.map(|field| &field.data_type);
            let data_type = written.and_then(|written| type_of(written.as_str()?));
            let data_type = data_type.ok_or_else(|| DeltaFault::Partition {
                column: name.clone(),
                data_type: written.map_or_else(|| "any type".to_owned(), Value::to_string),
            })?;
            Ok(Field::new(name, data_type, true))
        };
        self.partition_columns.iter().flatten().map(of).collect()
    }

    /// Returns the other columns of simple types, as the table has them; files may have others.
    pub(super) fn data_fields(&self) -> Vec<Field> {
        let is_partition =
            |name: &String| self.partition_columns.iter().flatten().any(|p| p == name);
        let fields = self
            .fields()
            .into_iter()
            .filter(|field| !is_partition(&field.name));
        let typed = fields.filter_map(|field| {
            let data_type = type_of(field.data_type.as_str()?)?;
            Some(Field::new(field.name, data_type, true))
        });
        typed.collect()
    }

    fn fields(&self) -> Vec<TableField> {
        let schema: Option<TableSchema> = serde_json::from_str(&self.schema_string).ok();
        schema.map(|schema| schema.fields).unwrap_or_default()
    }
}

impl Add {
    /// Returns the value of a partition column in all rows of the file.
    pub(super) fn value_of(&self, field: &Field) -> Result<ScalarValue, DeltaFault> {
        let known = self.partition_values.as_ref();
        let text = known.and_then(|known| known.get(field.name())?.clone());
        // An empty text stands for none, whatever the type.
        let text = text.filter(|text| !text.is_empty());
        let value = match text {
            Some(text) => ScalarValue::try_from_string(text, field.data_type()),
            None => ScalarValue::try_new_null(field.data_type()),
        };
        value.map_err(|_| DeltaFault::Partition {
            column: field.name().clone(),
            data_type: field.data_type().to_string(),
        })
    }
}

/// Returns the type of a primitive of Delta's.
fn type_of(name: &str) -> Option<DataType> {
    Some(match name {
        "string" => DataType::Utf8,
        "byte" => DataType::Int8,
        "short" => DataType::Int16,
        "integer" => DataType::Int32,
        "long" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
        decimal => {
            let inside = decimal.strip_prefix("decimal(")?.strip_suffix(')')?;
            let (precision, scale) = inside.split_once(',')?;
            let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
            DataType::Decimal128(precision, scale)
        }
    })
}
