//! What a scan is asked for.

use crate::descriptor::{FieldMapping, SourceSettings};

/// The columns of one scan.
///
/// Each text is the exact name of a column if there is such a column, and else a SQL expression over
/// columns, in which names keep their case and odd ones stand in double quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRequest {
    /// The record key.
    pub key: String,
    /// What else is read, in this order.
    pub columns: Vec<String>,
    /// The condition; records for which it does not hold are not read.
    pub filter: Option<String>,
}

impl ScanRequest {
    /// Returns the request that settings make, each text once, and for each canonical field, in the
    /// order of their names, the columns it is made from.
    pub fn for_settings(settings: &SourceSettings) -> (Self, Vec<Vec<usize>>) {
        let mut columns = Vec::new();
        let indices = settings
            .fields
            .values()
            .map(|mapping| {
                texts_of(mapping)
                    .iter()
                    .map(|text| place(&mut columns, text))
                    .collect()
            })
            .collect();
        let key = settings.key.clone();
        (
            Self {
                key,
                columns,
                filter: settings.filter.clone(),
            },
            indices,
        )
    }
}

fn texts_of(mapping: &FieldMapping) -> &[String] {
    match mapping {
        FieldMapping::From(from) | FieldMapping::Part { from, .. } => from.as_slice(),
    }
}

fn place(columns: &mut Vec<String>, text: &str) -> usize {
    if let Some(index) = columns.iter().position(|column| column == text) {
        return index;
    }
    columns.push(text.to_owned());
    columns.len() - 1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::descriptor::OneOrMany;

    #[test]
    fn a_text_that_fields_share_is_read_once() {
        let one = |text: &str| FieldMapping::From(OneOrMany::One(text.to_owned()));
        let many = FieldMapping::From(OneOrMany::Many(vec!["mail".to_owned(), "name".to_owned()]));
        let settings = SourceSettings {
            name: "crm".to_owned(),
            uri: Some(OneOrMany::One("a.csv".to_owned())),
            key: "id".to_owned(),
            fields: BTreeMap::from([
                ("email".to_owned(), many),
                ("given_name".to_owned(), one("name")),
                ("surname".to_owned(), one("name")),
            ]),
            ..SourceSettings::default()
        };
        let (request, indices) = ScanRequest::for_settings(&settings);
        assert_eq!(request.columns, ["mail", "name"]);
        assert_eq!(indices, [vec![0, 1], vec![1], vec![1]]);
    }
}
