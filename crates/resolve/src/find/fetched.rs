//! What is asked of sources that keep their candidates to themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sameas_graph::SourceId;
use sameas_record::{FieldId, PartitionIngest, Records, Schema, SourceParts, SourcePlan, assemble};
use sameas_source::{ScanRequest, SourceSettings};

use crate::ingest::{OnFailure, Unread};
use crate::job::{JobError, JobOptions};
use crate::opened::OpenedSources;
use crate::{Settings, ingest};

/// What is asked of a source whose candidates are fetched.
#[derive(Clone)]
pub(super) struct Fetched {
    pub(super) request: ScanRequest,
    pub(super) plan: Arc<SourcePlan>,
}

impl Fetched {
    /// Returns what is asked for whoever may not see some fields: nothing of what they are made of,
    /// so that neither faults nor time tell of it.
    pub(super) fn without(&self, hidden: &[FieldId]) -> Self {
        if hidden.is_empty() {
            return self.clone();
        }
        let mut plan = SourcePlan::clone(&self.plan);
        plan.fields.retain(|plan| !hidden.contains(&plan.field));
        let used = plan.fields.iter().flat_map(|plan| &plan.columns);
        let kept: BTreeSet<usize> = used.copied().collect();
        let kept: Vec<usize> = kept.into_iter().collect();
        // Column 0 is the key, of the batch but not of the request.
        for column in plan.fields.iter_mut().flat_map(|plan| &mut plan.columns) {
            *column = 1 + kept.partition_point(|kept| kept < column);
        }
        let names = std::iter::once(0).chain(kept.iter().copied());
        plan.columns = names.map(|at| self.plan.columns[at].clone()).collect();
        let columns = kept.iter().map(|at| self.request.columns[at - 1].clone());
        Self {
            request: ScanRequest {
                columns: columns.collect(),
                ..self.request.clone()
            },
            plan: Arc::new(plan),
        }
    }
}

/// Says what is asked of the sources whose candidates are fetched.
pub(super) async fn fetched(
    settings: &Settings,
    records: &Records,
    options: &JobOptions,
    unread: &mut Vec<Unread>,
) -> Result<BTreeMap<SourceId, Fetched>, JobError> {
    let mut some = settings.clone();
    let is_read = |source: &SourceSettings| !unread.iter().any(|u| u.source == source.name);
    some.sources
        .retain(|source| source.fetches_candidates() && is_read(source));
    let mut on_failure = OnFailure::GoOn(unread);
    let opened = ingest::open(&some, records.schema(), &*options.progress, &mut on_failure).await?;
    let numbered = opened.into_iter().filter_map(|open| {
        let source = records.references().source_id(&open.plan.name)?;
        let (request, plan) = (open.request, open.plan);
        Some((source, Fetched { request, plan }))
    });
    Ok(numbered.collect())
}

/// Candidates of one source that are fetched.
pub(super) struct Asked<'f> {
    pub(super) of: &'f Fetched,
    pub(super) keys: Vec<&'f str>,
}

impl Asked<'_> {
    /// Reads the candidates of the source.
    pub(super) async fn records(
        &self,
        of: &Fetched,
        opened: &OpenedSources,
        schema: &Schema,
    ) -> Result<Records, String> {
        let plan = &of.plan;
        let mut ingest = PartitionIngest::new(plan);
        let fetched = opened.fetch(&plan.name, &of.request, &self.keys).await;
        for batch in fetched.map_err(|error| error.to_string())? {
            ingest.push(&batch).map_err(|error| error.to_string())?;
        }
        let read = SourceParts {
            plan: (**plan).clone(),
            parts: vec![ingest.finish()],
        };
        let keyed = read.in_key_order();
        let assembled = keyed.and_then(|keyed| assemble(vec![keyed], schema.clone()));
        assembled.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use sameas_record::{DuplicateKeys, FieldPlan, Locale};

    use super::*;

    #[test]
    fn nothing_is_asked_of_what_hidden_fields_are_made_of() {
        let names = ["a", "b", "c"].map(|name| (name.to_owned(), None));
        let schema = Schema::new(&BTreeMap::from(names));
        let fields: Vec<FieldId> = schema.ids().collect();
        let plan = |field: usize, columns: &[usize]| FieldPlan {
            field: fields[field],
            columns: columns.to_vec(),
            part: None,
        };
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let all = Fetched {
            request: ScanRequest {
                key: "id".to_owned(),
                columns: names(&["first", "shared", "last"]),
                filter: Some("open".to_owned()),
            },
            plan: Arc::new(SourcePlan {
                name: "crm".to_owned(),
                locale: Locale::default(),
                duplicate_keys: DuplicateKeys::default(),
                columns: names(&["id", "first", "shared", "last"]),
                fields: vec![plan(0, &[1, 2]), plan(1, &[2, 3]), plan(2, &[3])],
            }),
        };
        let seen = all.without(&fields[..1]);
        assert_eq!(seen.request.columns, ["shared", "last"]);
        assert_eq!(seen.request.filter, all.request.filter);
        assert_eq!(seen.plan.columns, ["id", "shared", "last"]);
        assert_eq!(seen.plan.fields, [plan(1, &[1, 2]), plan(2, &[2])]);
        assert_eq!(all.without(&[]).plan, all.plan);
        assert!(all.without(&fields).request.columns.is_empty());
    }
}
