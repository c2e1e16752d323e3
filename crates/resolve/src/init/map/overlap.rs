//! What a column means by the values it shares with columns of other sources.

use super::Profile;
use crate::init::recognise::Meaning;
use crate::init::role::Role;
use crate::init::sample::ColumnSample;

/// Columns of which this share of values is shared mean the same.
const SHARED_MIN: f64 = 0.3;

/// Columns that share more than this surely do.
const SHARED_SURELY_MIN: f64 = 0.6;

/// Fewer different values are shared by columns of any meaning.
const DISTINCT_MIN: f64 = 30.0;

/// Columns of so few different values are flags, which share values whatever they mean.
const FEW_MIN: f64 = 5.0;

/// Columns of few different values mean the same if they share this much.
const SHARED_FEW_MIN: f64 = 0.8;

/// Gives columns that their names say nothing of the meaning of another source's column with the same values.
///
/// All is decided by what was known before; of two columns of which nothing is known, that of the
/// later source takes the field of the earlier one.
pub(super) fn learn(profiles: &mut [Profile]) {
    let before: Vec<Vec<Meaning>> = profiles.iter().map(|p| p.meanings.clone()).collect();
    for source in 0..profiles.len() {
        for column in 0..before[source].len() {
            if column == profiles[source].key {
                continue;
            }
            let has_many = profiles[source].sample.columns[column].distinct() >= DISTINCT_MIN;
            let learnt = if has_many {
                by_known(profiles, &before, source, column)
                    .or_else(|| by_unknown(profiles, source, column))
            } else {
                by_few(profiles, &before, source, column)
            };
            if let Some(learnt) = learnt {
                profiles[source].meanings[column] = learnt;
            }
        }
    }
}

/// Tells whether a meaning is a guess by values alone.
fn is_open(meaning: &Meaning) -> bool {
    meaning.score == 0.0 && !meaning.is_sure && meaning.role != Role::Label
}

/// Returns the columns that say something of the entity: numbers of houses are numbers of records too.
fn beside_key<'a>(
    profile: &'a Profile,
    meanings: &'a [Meaning],
) -> impl Iterator<Item = (&'a ColumnSample, &'a Meaning)> {
    let columns = profile.sample.columns.iter().zip(meanings).enumerate();
    columns
        .filter(|(column, _)| *column != profile.key)
        .map(|(_, column)| column)
}

/// Learns from a column whose meaning is sure.
fn by_known(
    profiles: &[Profile],
    before: &[Vec<Meaning>],
    source: usize,
    column: usize,
) -> Option<Meaning> {
    let meaning = &before[source][column];
    if meaning.is_sure || meaning.role == Role::Label {
        return None;
    }
    let sketch = &profiles[source].sample.columns[column];
    let others = profiles
        .iter()
        .zip(before)
        .enumerate()
        .filter(|(other, _)| *other != source);
    let (shared, known) = others
        .flat_map(|(_, (profile, meanings))| beside_key(profile, meanings))
        .filter(|(_, known)| known.is_sure && !known.role.is_left_out())
        .map(|(other, known)| (sketch.overlap(other), known))
        .max_by(|x, y| x.0.total_cmp(&y.0))?;
    // What a name tells, though not surely, takes more to be overruled.
    let least = if is_open(meaning) {
        SHARED_MIN
    } else {
        SHARED_SURELY_MIN
    };
    (shared >= least).then(|| Meaning {
        is_sure: shared >= SHARED_SURELY_MIN,
        score: 0.0,
        because: format!(
            "{:.0} % of its values are in another source's column",
            shared * 100.0
        ),
        ..known.clone()
    })
}

/// Learns from a column of few different values that are nearly the same: states, genres.
fn by_few(
    profiles: &[Profile],
    before: &[Vec<Meaning>],
    source: usize,
    column: usize,
) -> Option<Meaning> {
    let profile = &profiles[source];
    let sketch = &profile.sample.columns[column];
    let is_telling = profile.shapes[column].letters > 0.8 && sketch.distinct() >= FEW_MIN;
    if !is_telling || !is_open(&before[source][column]) {
        return None;
    }
    let is_class = |meaning: &Meaning| {
        let role = matches!(
            meaning.role,
            Role::State | Role::Country | Role::Group | Role::City
        );
        meaning.is_sure && role
    };
    let others = profiles
        .iter()
        .zip(before)
        .enumerate()
        .filter(|(other, _)| *other != source);
    let (_, (other, known)) = others
        .flat_map(|(_, (profile, meanings))| beside_key(profile, meanings))
        .filter(|(other, known)| is_class(known) && other.distinct() >= FEW_MIN)
        .map(|(other, known)| (sketch.overlap(other), (other, known)))
        .filter(|(shared, _)| *shared >= SHARED_FEW_MIN)
        .max_by(|x, y| x.0.total_cmp(&y.0))?;
    Some(Meaning {
        is_sure: false,
        score: 0.0,
        because: format!(
            "nearly all of its values are in another source's column `{}`",
            other.name
        ),
        ..known.clone()
    })
}

/// Learns the field from a column of an earlier source of which as little is known.
fn by_unknown(profiles: &[Profile], source: usize, column: usize) -> Option<Meaning> {
    let is_generic = |meaning: &Meaning| {
        let is_idle = matches!(
            meaning.role,
            Role::Word | Role::Code | Role::Text | Role::Internal | Role::Number | Role::Identifier
        );
        is_open(meaning) && is_idle
    };
    if !is_generic(&profiles[source].meanings[column]) {
        return None;
    }
    let sketch = &profiles[source].sample.columns[column];
    let earlier = profiles[..source].iter();
    let (shared, known) = earlier
        .flat_map(|profile| beside_key(profile, &profile.meanings))
        .filter(|(_, known)| is_open(known) && known.role != Role::Internal)
        .map(|(other, known)| (sketch.overlap(other), known))
        .max_by(|x, y| x.0.total_cmp(&y.0))?;
    (shared >= SHARED_MIN).then(|| Meaning {
        because: format!(
            "{:.0} % of its values are in another source's column, of which nothing more is known",
            shared * 100.0
        ),
        ..known.clone()
    })
}
