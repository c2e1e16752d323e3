//! A few records out of many, as records of their own.

use std::ops::Range;

use sameas_graph::{ReferenceTableBuilder, SourceId};

use crate::column::MoreValues;
use crate::{Column, Dictionary, FieldId, Records, Schema, ValueId};

impl Records {
    /// Joins some nodes of one or several records of the same schema, in the order given.
    ///
    /// The new records have values and no names: their keys are their numbers. Each distinct value
    /// is stored once, so equal values have equal numbers again. Values of the hidden fields are
    /// not read: they are missing.
    ///
    /// Cost: the values of these nodes are copied. Reads of one column do not wait for one another.
    ///
    /// # Panics
    /// Panics if there is no part, or the schemas differ.
    pub fn excerpt(parts: &[(&Self, &[u32])], hidden: &[FieldId]) -> Self {
        let (first, _) = parts.first().expect("an excerpt has a part");
        let schema = first.schema().clone();
        assert!(
            parts.iter().all(|(records, _)| *records.schema() == schema),
            "parts of an excerpt have one schema"
        );
        let len = parts.iter().map(|(_, nodes)| nodes.len()).sum::<usize>();
        let mut references = ReferenceTableBuilder::new(vec![String::new()]);
        for node in 0..len {
            references.push(SourceId::new(0), &format!("{node:010}"));
        }
        let columns = schema.ids().map(|field| {
            let parts = parts.iter();
            let parts = parts.map(|(records, nodes)| (records.column(field), *nodes));
            if hidden.contains(&field) {
                Column::missing(len)
            } else {
                Column::excerpt(parts, len)
            }
        });
        let columns = columns.collect();
        Self::new(references.finish(), schema, columns)
    }
}

impl Records {
    /// Makes one record of normalised values, several a field if it has several; empty ones and
    /// repetitions are left out. Values are given by field.
    ///
    /// # Panics
    /// Panics unless there is one list a field of the schema.
    pub fn of_one(schema: Schema, values: &[Vec<String>]) -> Self {
        let mut references = ReferenceTableBuilder::new(vec![String::new()]);
        references.push(SourceId::new(0), "0");
        let columns = values.iter().map(|values| Column::of_one(values));
        let columns = columns.collect();
        Self::new(references.finish(), schema, columns)
    }

    /// Takes all values of some nodes for missing, and drops those that no other node has.
    pub fn forget(&mut self, nodes: &Range<u32>) {
        for column in &mut self.columns {
            column.forget(nodes);
        }
    }

    /// Returns how many bytes of memory values take.
    pub fn value_bytes(&self) -> u64 {
        self.columns.iter().map(Column::bytes).sum()
    }
}

impl Column {
    /// Makes a column without any value.
    fn missing(len: usize) -> Self {
        Self {
            dictionary: Dictionary::default(),
            first: vec![0; len],
            more: None,
        }
    }

    fn of_one(values: &[String]) -> Self {
        let mut dictionary = Dictionary::default();
        let mut ids: Vec<u32> = Vec::new();
        for value in values {
            let id = intern(&mut dictionary, value);
            if id != 0 && !ids.contains(&id) {
                ids.push(id);
            }
        }
        let more = MoreValues {
            starts: vec![0, ids.len().saturating_sub(1) as u32],
            ids: ids.iter().skip(1).copied().collect(),
        };
        Self {
            dictionary,
            first: vec![ids.first().copied().unwrap_or(0)],
            more: (!more.ids.is_empty()).then_some(more),
        }
    }

    fn forget(&mut self, nodes: &Range<u32>) {
        let mut dictionary = Dictionary::default();
        let old = &self.dictionary;
        let mut renamed = vec![0; old.len()];
        let mut rename = |id: u32| {
            let new = &mut renamed[id as usize];
            if *new == 0 {
                *new = intern(&mut dictionary, old.text(ValueId::new(id)));
            }
            *new
        };
        let mut more = MoreValues {
            starts: vec![0],
            ids: Vec::new(),
        };
        let mut first = Vec::with_capacity(self.first.len());
        for node in 0..self.first.len() {
            if nodes.contains(&(node as u32)) {
                first.push(0);
            } else {
                first.push(rename(self.first[node]));
                more.ids
                    .extend(self.more(node).iter().map(|&id| rename(id)));
            }
            more.starts.push(more.ids.len() as u32);
        }
        dictionary.seal();
        *self = Self {
            dictionary,
            first,
            more: (!more.ids.is_empty()).then_some(more),
        };
    }

    fn bytes(&self) -> u64 {
        let more = self.more.as_ref();
        let more = more.map_or(0, |more| more.starts.len() + more.ids.len());
        self.dictionary.bytes() + ((self.first.len() + more) * size_of::<u32>()) as u64
    }

    fn excerpt<'c>(parts: impl Iterator<Item = (&'c Self, &'c [u32])>, len: usize) -> Self {
        let mut dictionary = Dictionary::default();
        let mut first = Vec::with_capacity(len);
        let mut more = MoreValues {
            starts: vec![0],
            ids: Vec::new(),
        };
        for (column, nodes) in parts {
            let ids: Vec<u32> = nodes.iter().map(|&n| column.first[n as usize]).collect();
            let text = |&id: &u32| column.dictionary.text(ValueId::new(id));
            let texts: Vec<&str> = ids.iter().map(text).collect();
            for (&node, value) in nodes.iter().zip(texts) {
                first.push(intern(&mut dictionary, value));
                for id in column.more(node as usize) {
                    more.ids.push(intern(&mut dictionary, text(id)));
                }
                more.starts.push(more.ids.len() as u32);
            }
        }
        Self {
            dictionary,
            first,
            more: (!more.ids.is_empty()).then_some(more),
        }
    }

    /// Takes values with these content hashes for missing.
    pub(crate) fn ignore(&mut self, is_ignored: &dyn Fn(u64) -> bool) {
        let dictionary = &self.dictionary;
        let values = 0..dictionary.len() as u32;
        let kept = values.map(|id| id != 0 && !is_ignored(dictionary.hash(ValueId::new(id))));
        let kept: Vec<bool> = kept.collect();
        if kept.iter().skip(1).any(|kept| !kept) {
            self.keep_values(|id| kept[id as usize]);
        }
    }
}

fn intern(dictionary: &mut Dictionary, text: &str) -> u32 {
    match text {
        "" => 0,
        text => dictionary.intern(text).get(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::FieldKind;

    fn records(names: &[Option<&str>], towns: &[Option<&str>]) -> Records {
        let fields = [("name", FieldKind::GivenName), ("town", FieldKind::City)];
        let fields = fields.map(|(name, kind)| (name.to_owned(), Some(kind)));
        let mut references = ReferenceTableBuilder::new(vec!["crm".to_owned()]);
        for node in 0..names.len() {
            references.push(SourceId::new(0), &node.to_string());
        }
        let columns = [names, towns].map(|texts| Column::from_texts(texts.iter().copied()));
        let schema = Schema::new(&BTreeMap::from(fields));
        Records::new(references.finish(), schema, columns.into())
    }

    fn column<'r>(records: &'r Records, field: &str) -> &'r Column {
        records.column(records.schema().field_id(field).expect("it is a field"))
    }

    fn texts<'r>(records: &'r Records, field: &str) -> Vec<Vec<&'r str>> {
        let column = column(records, field);
        let text = |id| column.dictionary().text(id);
        let nodes = 0..records.len();
        nodes
            .map(|node| column.values(node).map(text).collect())
            .collect()
    }

    #[test]
    fn nodes_of_several_records_keep_their_values_and_share_numbers() {
        let many = records(
            &[Some("ann"), None, Some("bea"), Some("ann")],
            &[Some("rome"), Some("oslo"), None, Some("rome")],
        );
        let mut one = records(&[Some("bea")], &[Some("rome")]);
        let more = one.columns[0].dictionary.intern("ann").get();
        one.columns[0].more = Some(MoreValues {
            starts: vec![0, 1],
            ids: vec![more],
        });
        let excerpt = Records::excerpt(&[(&one, &[0]), (&many, &[3, 1])], &[]);
        let (name, town) = (vec!["bea", "ann"], vec!["rome"]);
        assert_eq!(texts(&excerpt, "name"), [name, vec!["ann"], vec![]]);
        assert_eq!(texts(&excerpt, "town"), [town.clone(), town, vec!["oslo"]]);
        let names = column(&excerpt, "name");
        assert_eq!(
            names.more(0),
            &[names.first(1).get()],
            "one value, one number"
        );
        assert!(!column(&excerpt, "town").is_multi_valued());
    }

    #[test]
    fn one_record_is_made_of_distinct_values() {
        let mut one = records(&[Some("ann")], &[None]);
        let lists = [vec!["bea", "", "ann", "bea"], vec![]];
        let lists = lists.map(|list| list.into_iter().map(str::to_owned).collect());
        one = Records::of_one(one.schema().clone(), &lists);
        assert_eq!(texts(&one, "name"), [["bea", "ann"]]);
        assert_eq!(texts(&one, "town"), [Vec::<&str>::new()]);
    }

    #[test]
    fn what_is_forgotten_is_nowhere() {
        let mut two = records(
            &[Some("ann"), Some("bea"), Some("cleo")],
            &[Some("rome"); 3],
        );
        let before = two.value_bytes();
        two.forget(&(1..2));
        assert_eq!(texts(&two, "name"), [vec!["ann"], vec![], vec!["cleo"]]);
        assert_eq!(texts(&two, "town"), [vec!["rome"], vec![], vec!["rome"]]);
        let names = column(&two, "name").dictionary();
        assert!(names.values().all(|(_, text)| text != "bea"));
        assert!(two.value_bytes() < before);
    }

    #[test]
    fn ignored_values_are_missing() {
        let mut one = records(&[Some("ann"), Some("bea")], &[None, None]);
        let hash = column(&one, "name").dictionary().hash(ValueId::new(1));
        let field = one.schema().field_id("name").expect("it is a field");
        one.ignore(field, &|other| other == hash);
        assert_eq!(texts(&one, "name"), [vec![], vec!["bea"]]);
    }
}
