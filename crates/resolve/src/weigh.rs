//! The exact weights of pairs that the caller names.

use sameas_graph::NodeId;
use sameas_matching::{Comparer, PairWeight, Threshold, Weigher};

use crate::job::{JobError, JobOptions, Stages};
use crate::rebuild::{Job, threads};
use crate::{Settings, model_file};

/// A record as a caller names it: source and key.
pub type RecordName = (String, String);

/// Weighs pairs of records by the model, as a rebuild would; a pair of which a record is not found has no weight.
///
/// Weights are as decisions see them, before evidence keeps them in hundredths of a bit.
///
/// # Errors
/// Names what is wrong with the settings, a source or the model file.
pub async fn weigh(
    settings: &Settings,
    options: &JobOptions,
    pairs: &[(RecordName, RecordName)],
) -> Result<Vec<Option<PairWeight>>, JobError> {
    let mut stages = Stages::new(&*options.progress);
    let threads = threads(options)?;
    let job = Job::read(settings, options, &threads, &mut stages).await?;
    let path = settings.model_path();
    model_file::refuse_lost_key(&path)?;
    let key = model_file::secret(&path, options.new_key)?;
    let Some(model) = model_file::read(&path, &job.plan, &key)? else {
        let what = "there is none; make it with `sameas train`".to_owned();
        return Err(JobError::ModelFile { path, what });
    };
    let weights = threads.install(|| {
        stages.begin("prepare", None);
        let prepared = job.prepared();
        let comparer = Comparer::of_model(&prepared, &job.plan, &model, &key);
        let threshold = Threshold::of(&settings.decide);
        let weigher = Weigher::new(&prepared, &comparer, &job.plan, &model, &key, threshold);
        stages.begin("weigh", Some(pairs.len() as u64));
        let references = job.records.references();
        let find = |(source, key): &RecordName| -> Option<NodeId> {
            references.find(references.source_id(source)?, key)
        };
        let rows = prepared.rows();
        let weigh = |(a, b): &(RecordName, RecordName)| {
            let (a, b) = (find(a)?, find(b)?);
            Some(weigher.weigh_pair(rows.of(a.get()), rows.of(b.get())))
        };
        pairs.iter().map(weigh).collect()
    });
    Ok(weights)
}
