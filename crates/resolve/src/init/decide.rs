//! When evidence links, and what never shares a cluster, from what a first model found.

use super::block::{Choice, Reach};
use super::key::PERSONAL;
use super::map::Fields;
use super::recognise::Subject;
use super::repeats::Verdict;
use super::role::Role;
use crate::Settings;
use crate::evaluate::wilson;

/// What is said of decisions.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) remarks: Vec<String>,
    /// Sources of which only the user knows whether they hold each entity once.
    pub(super) perhaps_once: Vec<String>,
    pub(super) reach: Reach,
}

/// Decides and says why.
pub(super) fn choose(settings: &mut Settings, subject: Subject, choice: &Choice) -> Said {
    let mut said = Said {
        reach: reach(settings, subject, choice),
        ..Said::default()
    };
    match said.reach {
        Reach::Narrow => clean_sources(settings, choice, &mut said),
        Reach::Wide => presume_clean(settings, &mut said),
    }
    apart(settings, choice, &mut said.remarks);
    said
}

/// Lists of things are presumed to hold each once where the first model leaves open what a match is.
///
/// Editions of an article are as much alike as two entries of one, so such a model takes them for
/// repetitions. Whoever lists articles or songs rarely lists one twice, and even where some are, to
/// leave those apart costs less than to join all that are alike.
fn reach(settings: &Settings, subject: Subject, choice: &Choice) -> Reach {
    let is_list = settings.sources.len() > 1 && subject == Subject::Thing;
    if is_list && choice.is_doubtful && choice.has_few_records {
        Reach::Wide
    } else {
        Reach::Narrow
    }
}

fn presume_clean(settings: &mut Settings, said: &mut Said) {
    let names = settings.sources.iter().map(|source| source.name.clone());
    settings.decide.one_per_source = names.collect();
    said.remarks.push(
        "UNSURE: each source is presumed to hold each entity once, for nothing tells one that is listed twice from two that are alike, so a record links to the best of its candidates alone; take a source out of one_per_source if it repeats much".to_owned(),
    );
}

/// A single source has no other to be compared with.
fn clean_sources(settings: &mut Settings, choice: &Choice, said: &mut Said) {
    if settings.sources.len() < 2 {
        return;
    }
    for source in &settings.sources {
        // Sources are numbered by name among all references.
        let rank = settings
            .sources
            .iter()
            .filter(|other| other.name < source.name)
            .count();
        let Some(repeats) = choice.repeats.get(rank) else {
            continue;
        };
        let name = &source.name;
        let surely = if repeats.is_copied { "" } else { "surely " };
        let figures = format!(
            "of {} records looked at {} {surely}have a partner in other sources, {} of them beyond the first of their entity; {} more repeat another where no source, or one that repeats it as often, knows it too",
            repeats.records, repeats.partnered, repeats.surplus, repeats.doubtful
        );
        let (is_clean, told) = match repeats.verdict() {
            Verdict::Clean => (
                true,
                format!("`{name}` seems to hold each entity once: {figures}"),
            ),
            Verdict::Doubtful => (
                true,
                format!(
                    "UNSURE: `{name}` seems to hold each entity once: {figures}; if those are copies, not a series, take it out of one_per_source, or none of its duplicates is ever found"
                ),
            ),
            Verdict::Presumed => (
                true,
                format!(
                    "UNSURE: `{name}` is presumed to hold each entity once: {figures}; take it out of one_per_source if it repeats some, or none of its duplicates is ever found"
                ),
            ),
            Verdict::Copied => {
                said.perhaps_once.push(name.clone());
                (
                    false,
                    format!(
                        "UNSURE: `{name}` and another source are largely copies, so what both repeat may be duplicates: {figures}; name it in one_per_source if it holds each entity once, but then none of its duplicates is ever found"
                    ),
                )
            }
            Verdict::Unknown => (
                false,
                format!(
                    "UNSURE: `{name}` may hold each entity once: {figures}, too few to tell; if it does, name it in one_per_source"
                ),
            ),
            Verdict::Repeating => (false, format!("`{name}` repeats entities: {figures}")),
        };
        if is_clean {
            settings.decide.one_per_source.push(name.clone());
        }
        said.remarks.push(told);
    }
}

/// How often pairs that are surely of one entity differ in a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Differing {
    /// The comparison's name.
    pub(super) comparison: String,
    /// Pairs that have both values.
    pub(super) compared: u64,
    /// Those of them that differ wholly.
    pub(super) apart: u64,
    /// Whether it tells generations: father and son bear one name, and only this differs.
    pub(super) of_generations: bool,
}

/// What one entity has one of, and its pairs hardly ever differ in, holds clusters apart.
const DIFFERING_MAX: f64 = 0.01;

impl Differing {
    /// Returns whether pairs hardly ever differ, as surely as so many pairs can tell.
    fn is_hardly(&self) -> bool {
        let compared = self.compared as f64;
        self.compared > 0 && wilson(self.apart as f64 / compared, compared).high < DIFFERING_MAX
    }

    /// Returns whether pairs differ more often than hardly ever, as surely as so many can tell.
    fn is_more_than_hardly(&self) -> bool {
        let compared = self.compared as f64;
        self.compared > 0 && wilson(self.apart as f64 / compared, compared).low > DIFFERING_MAX
    }
}

/// Returns the comparisons of what a person surely has one of: the date of birth, the numbers that
/// authorities gave, and the generation that tells father from son.
pub(super) fn may_hold_apart(settings: &Settings, fields: &Fields) -> Vec<usize> {
    let is_own = |field: &str| {
        let Some(found) = fields.fields.get(field) else {
            return false;
        };
        found.mapped.values().all(|mapped| mapped.is_sure)
            && match found.role {
                Role::BirthDate | Role::Suffix => true,
                Role::Identifier => PERSONAL.contains(&field),
                _ => false,
            }
    };
    let comparisons = settings.comparisons.iter().enumerate();
    comparisons
        .filter(|(_, comparison)| is_own(&comparison.field))
        .map(|(index, _)| index)
        .collect()
}

fn apart(settings: &mut Settings, choice: &Choice, remarks: &mut Vec<String>) {
    for found in &choice.differing {
        let Differing {
            comparison,
            compared,
            apart: differing,
            of_generations,
        } = found;
        let figures =
            format!("{differing} of {compared} pairs differ in it that are sure without it");
        if found.is_hardly() {
            settings.decide.apart.push(comparison.clone());
            remarks.push(format!(
                "`{comparison}` holds records apart where it differs: {figures}"
            ));
        } else if *of_generations && !found.is_more_than_hardly() {
            settings.decide.apart.push(comparison.clone());
            remarks.push(format!(
                "UNSURE: `{comparison}` holds records apart where it differs, for it tells father from son: {figures}, too few to tell; if one person has several here, take it out of apart"
            ));
        } else {
            remarks.push(format!(
                "`{comparison}` may differ within an entity: {figures}; if it never does, name it in apart"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use sameas_source::SourceSettings;

    use super::*;

    fn differing(compared: u64, differing: u64) -> Differing {
        Differing {
            comparison: "date_of_birth".to_owned(),
            compared,
            apart: differing,
            of_generations: false,
        }
    }

    /// Of few pairs that say nothing against it, a generation holds apart what it tells apart by
    /// its meaning.
    #[test]
    fn a_generation_holds_apart_until_pairs_say_otherwise() {
        assert!(!differing(0, 0).is_more_than_hardly());
        assert!(!differing(6, 0).is_more_than_hardly());
        assert!(!differing(1_000, 9).is_more_than_hardly());
        assert!(differing(6, 3).is_more_than_hardly());
        assert!(differing(1_000, 100).is_more_than_hardly());
    }

    /// Six pairs that agreed were enough to hold all records apart that differ.
    #[test]
    fn a_few_pairs_that_agree_hold_nothing_apart() {
        assert!(!differing(0, 0).is_hardly());
        assert!(!differing(6, 0).is_hardly());
        assert!(differing(1_000, 0).is_hardly());
        assert!(differing(10_000, 40).is_hardly());
        assert!(!differing(10_000, 100).is_hardly());
    }

    /// What the first model could not tell decides only where things are listed, in several sources.
    #[test]
    fn lists_of_things_hold_each_once_where_nothing_tells_repetitions() {
        let once = |count: usize, subject: Subject, is_doubtful: bool| {
            let source = |number: usize| SourceSettings {
                name: format!("s{number}"),
                ..SourceSettings::default()
            };
            let mut settings = Settings {
                sources: (0..count).map(source).collect(),
                ..Settings::default()
            };
            let choice = Choice {
                is_doubtful,
                has_few_records: true,
                ..Choice::default()
            };
            choose(&mut settings, subject, &choice);
            settings.decide.one_per_source.len()
        };
        assert_eq!(once(2, Subject::Thing, true), 2);
        assert_eq!(once(2, Subject::Thing, false), 0);
        assert_eq!(once(2, Subject::Person, true), 0);
        assert_eq!(once(1, Subject::Thing, true), 0);
    }
}
