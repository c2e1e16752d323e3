//! Blocking rules, chosen by what they cost and what they find.
//!
//! Cost is counted on the sample and scaled: a rule's pairs grow with the square of the records.
//! What should be found is estimated without labels: the pairs that a preliminary model, trained on
//! many narrow rules, links with confidence. Rules are then taken greedily, most newly found pairs for
//! the cost first, until little is missing; a pair that only one rule finds counts as half found,
//! because the pairs nobody was confident of have more errors than these.

use sameas_graph::{Bridges, Constraints, Evidence, MatchWeight};
use sameas_matching::{
    BlockSettings, Blocking, BudgetSettings, Comparer, DecideSettings, FrequencyKey, MatchingPlan,
    Model, Prepared, RIVAL_PAIRS_MAX, RuleCost, Threshold, TrainSettings, Training, Weigher,
    parse_key_part, train,
};
use sameas_record::{FieldKind, Records};

use super::decide::{self, Differing};
use super::map::Fields;
use super::moved::{self, Moved};
use super::recognise::Subject;
use super::repeats::{self, Repeats, Verdict};
use super::role::Role;
use super::threshold::Clusters;
use crate::Settings;
use crate::job::JobError;
use crate::rebuild::pair_weight;

/// A rule that makes more pairs a record than this is no candidate.
const PAIRS_PER_RULE_MAX: f64 = 25.0;

/// Where records have rivals and few fields that tell them apart, a rule may make so many, and all
/// together: the partner is rarely the record that is most alike, so many must be looked at.
const PAIRS_PER_RULE_WIDE_MAX: f64 = 60.0;
const PAIRS_WIDE_MAX: f64 = 160.0;

/// The share of the pairs of which rivals teach at most that rules may make by estimate: the records
/// at hand are a sample, and there will be more.
const SHARE_OF_RIVALS: f64 = 0.5;

/// A key that is hot for more of the records is no rule alone: most of what it should find it refuses.
const OFTEN_HOT: f64 = 0.25;

/// What all chosen rules may make together, in pairs a record.
const PAIRS_MAX: f64 = 80.0;

/// The most rules of the preliminary model, and of a step that costs them.
const RULES_MAX: usize = 48;
const COSTED_MAX: usize = 240;

/// Pairs less probable than this are left out of what is expected of a threshold: low posteriors are too
/// high, because fields that hang together count twice, and there are many of them.
const EVIDENCE_MIN: f64 = 0.5;

/// Among rivals low probabilities are of the best candidate, too, which others contest.
const EVIDENCE_OF_RIVALS_MIN: f64 = 0.02;

/// Among rivals the best candidate is confident from even odds on.
const CONFIDENT_RIVAL: f64 = 0.5;

/// Pairs from this probability on tell what one entity has one of.
const CERTAIN: f64 = 0.999;

/// Fewer confident pairs do not show which rules find them.
const PAIRS_LEAST: usize = 20;

/// How many rules there are at most where cost alone decides, and what each may make a record.
const RULES_BY_COST: usize = 10;
const PAIRS_BY_COST_MAX: f64 = 10.0;

/// A rule that newly finds less than this share is not worth its line.
const GAIN_MIN: f64 = 0.002;

/// A rule that was chosen, and why.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) on: Vec<String>,
    /// Pairs a record, over all records, estimated.
    pub(super) pairs: f64,
    /// The share of confident matches it finds, and that no rule before it found.
    pub(super) found: f64,
    pub(super) newly: f64,
    /// Blocks over the bound.
    pub(super) hot_count: u64,
    pub(super) largest: f64,
}

/// The chosen rules and what was learnt on the way.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) rules: Vec<Chosen>,
    /// By source, in the order of the reference table.
    pub(super) repeats: Vec<Repeats>,
    /// Of what might hold records apart.
    pub(super) differing: Vec<Differing>,
    /// Numbers of sources that are off by the same.
    pub(super) moved: Vec<Moved>,
    /// The share of confident matches that the rules find together.
    pub(super) recall: f64,
    /// How many confident matches there were.
    pub(super) confident: u64,
    /// Whether they were so few that rules were added by cost alone.
    pub(super) by_cost: bool,
    /// Whether the first model leaves open what a match is.
    pub(super) is_doubtful: bool,
    /// Whether records are so few that wider rules leave rivals that can teach.
    pub(super) has_few_records: bool,
}

/// How far rules reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reach {
    /// They bring records together that share what tells them apart.
    #[default]
    Narrow,
    /// They bring all that are alike together, for sources are presumed to hold each entity once and
    /// rivals tell which of them are matches.
    Wide,
}

/// Returns the forms of a field that may bring records together, those that stand alone first.
fn forms(kind: FieldKind) -> &'static [&'static str] {
    match kind {
        FieldKind::GivenName => &["", "nickname", "phonetic"],
        FieldKind::Surname => &["", "phonetic", "prefix4"],
        FieldKind::FullName => &["", "sorted", "tokens", "phonetic"],
        FieldKind::Date => &["", "year"],
        FieldKind::Email => &["", "user"],
        FieldKind::Phone => &["", "last7"],
        FieldKind::Street => &["", "house_number", "prefix6", "tokens"],
        FieldKind::City => &["", "phonetic"],
        FieldKind::Postcode => &["", "prefix3"],
        FieldKind::Company => &["", "tokens", "phonetic", "prefix6"],
        FieldKind::Identifier => &["", "prefix4", "last4"],
        FieldKind::Text => &["", "prefix8", "tokens", "first_token", "last_token"],
        FieldKind::Number | FieldKind::Coordinates | FieldKind::Verbatim => &[""],
    }
}

/// Returns the forms by which texts that are merely alike come together.
fn wide_forms(kind: FieldKind) -> &'static [&'static str] {
    match kind {
        FieldKind::Text => &["minhash50", "minhash40", "word_minhash50", "word_minhash40"],
        _ => &[],
    }
}

/// A rule with its cost.
#[derive(Clone, Debug)]
struct Candidate {
    on: Vec<String>,
    pairs: f64,
    hot_count: u64,
    /// Whether hot keys are the rule and not default values.
    often_hot: bool,
    largest: f64,
    refused: f64,
}

/// The records to choose by: a share of all.
pub(super) struct Ground<'a> {
    settings: &'a Settings,
    records: &'a Records,
    /// From 0 to 1.
    share: f64,
    key: &'a FrequencyKey,
    reach: Reach,
}

impl<'a> Ground<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        records: &'a Records,
        share: f64,
        key: &'a FrequencyKey,
    ) -> Self {
        Self {
            settings,
            records,
            share,
            key,
            reach: Reach::Narrow,
        }
    }

    /// Returns the ground with rules that reach so far.
    pub(super) fn reaching(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// Returns how many pairs a record one rule may make, and all together.
    fn pairs_max(&self) -> (f64, f64) {
        match self.reach {
            Reach::Narrow => (PAIRS_PER_RULE_MAX, PAIRS_MAX),
            Reach::Wide => {
                let all = PAIRS_WIDE_MAX.min(self.rivals_max());
                (PAIRS_PER_RULE_WIDE_MAX.min(all), all)
            }
        }
    }

    /// Returns how many pairs a record rules may make of which rivals are to teach.
    fn rivals_max(&self) -> f64 {
        let records = self.records.len() as f64 / self.share;
        RIVAL_PAIRS_MAX as f64 * SHARE_OF_RIVALS / records
    }

    fn plan(&self, rules: &[Vec<String>]) -> Result<MatchingPlan, JobError> {
        let blocks: Vec<BlockSettings> = rules
            .iter()
            .map(|on| BlockSettings {
                on: on.clone(),
                ..BlockSettings::default()
            })
            .collect();
        MatchingPlan::new(
            self.records.schema(),
            &self.settings.comparisons,
            &blocks,
            &[],
        )
        .map_err(JobError::Matching)
    }

    /// Returns the sources that hold each entity once.
    fn exclusive(&self) -> Vec<sameas_graph::SourceId> {
        let names = self.settings.decide.one_per_source.iter();
        let references = self.records.references();
        names
            .filter_map(|name| references.source_id(name))
            .collect()
    }

    /// Returns the bounds at which a block of the sample is one over the bound of all.
    fn budget(&self) -> BudgetSettings {
        let budget = &self.settings.budget;
        let block_len_max = f64::from(budget.block_len_max) * self.share;
        BudgetSettings {
            block_len_max: (block_len_max as u32).max(2),
            refined_pairs_per_record_max: budget.refined_pairs_per_record_max * self.share,
            ..budget.clone()
        }
    }

    /// Counts the pairs of rules and scales them, groups of hot blocks as if no budget held them: a rule
    /// that finds little but by the grace of a budget is no good one.
    fn cost(&self, rules: &[Vec<String>]) -> Result<Vec<Candidate>, JobError> {
        let mut candidates = Vec::new();
        for rules in rules.chunks(COSTED_MAX) {
            let plan = self.plan(rules)?;
            let prepared = Prepared::new(self.records, &plan, &self.exclusive());
            let budget = BudgetSettings {
                refined_pairs_per_record_max: f64::MAX,
                ..self.budget()
            };
            let blocking = Blocking::new(&prepared, &plan, &budget);
            // A pair of the sample stands for 1/share² pairs of all, a record for 1/share.
            let scale = 1.0 / (self.share * self.records.len() as f64);
            let costs = rules.iter().zip(blocking.costs());
            candidates.extend(costs.map(|(on, cost)| Candidate {
                on: on.clone(),
                pairs: cost.pairs as f64 * scale,
                hot_count: cost.hot_count,
                often_hot: is_often_hot(cost),
                largest: cost.largest as f64 / self.share,
                refused: cost.refused_pairs as f64 * scale,
            }));
        }
        Ok(candidates)
    }

    fn candidates(&self, fields: &Fields) -> Result<Vec<Candidate>, JobError> {
        let mut singles: Vec<Vec<String>> = Vec::new();
        for (name, field) in &fields.fields {
            let wide = match self.reach {
                Reach::Narrow => &[],
                Reach::Wide => wide_forms(field.kind),
            };
            for form in forms(field.kind).iter().chain(wide) {
                singles.push(vec![if form.is_empty() {
                    name.clone()
                } else {
                    format!("{name}.{form}")
                }]);
            }
        }
        let mut candidates = self.cost(&singles)?;
        candidates.retain(|candidate| candidate.pairs > 0.0 || candidate.hot_count > 0);
        let (rule_max, _) = self.pairs_max();
        let is_cheap = |c: &Candidate| c.pairs + c.refused <= rule_max;
        let (mut cheap, costly): (Vec<_>, Vec<_>) = candidates.into_iter().partition(is_cheap);
        // What is cheap alone gains nothing from company; pairs are made of what is not.
        let mut pairs = Vec::new();
        for (i, a) in costly.iter().enumerate() {
            for b in &costly[i + 1..] {
                if field_of(&a.on[0]) != field_of(&b.on[0]) {
                    pairs.push((
                        a.pairs + a.refused + b.pairs + b.refused,
                        vec![a.on[0].clone(), b.on[0].clone()],
                    ));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        pairs.truncate(COSTED_MAX);
        let pairs: Vec<Vec<String>> = pairs.into_iter().map(|(_, on)| on).collect();
        let paired = self.cost(&pairs)?;
        cheap.extend(paired.into_iter().filter(|c| c.pairs > 0.0 && is_cheap(c)));
        // A single key whose hot blocks are refined is a rule too, if it stays within the bound and
        // lives by its other blocks.
        let is_rule = |c: &Candidate| c.pairs <= rule_max && !c.often_hot;
        cheap.extend(costly.into_iter().filter(is_rule));
        Ok(cheap)
    }

    /// Chooses the rules.
    pub(super) fn choose(&self, fields: &Fields) -> Result<Choice, JobError> {
        let mut candidates = self.candidates(fields)?;
        candidates.sort_by(|a, b| a.pairs.total_cmp(&b.pairs).then_with(|| a.on.cmp(&b.on)));
        let (_, pairs_max) = self.pairs_max();
        let mut first = Vec::new();
        let mut spent = 0.0;
        for candidate in &candidates {
            if first.len() < RULES_MAX && spent + candidate.pairs <= pairs_max {
                spent += candidate.pairs;
                first.push(candidate.on.clone());
            }
        }
        if first.is_empty() {
            let mut choice = Choice {
                by_cost: true,
                is_doubtful: true,
                has_few_records: self.rivals_max() >= PAIRS_PER_RULE_MAX,
                ..Choice::default()
            };
            self.add_by_cost(fields, &mut choice.rules)?;
            return Ok(choice);
        }
        let plan = self.plan(&first)?;
        let (model, training) = self.trained(&plan);
        let confident = if training.is_by_rivals {
            CONFIDENT_RIVAL
        } else {
            self.settings.decide.link
        };
        let links = self.weighed(&plan, &model, confident);
        let levels = plan.comparisons.iter().map(|asked| asked.levels.len());
        let levels: Vec<usize> = levels.collect();
        let mut repeats = repeats::count(self.records.references(), &links, &levels, self.share);
        let by_rivals = self.links_by_rivals(&first, &repeats)?;
        if let Some(links) = &by_rivals {
            repeats = repeats::count(self.records.references(), links, &levels, self.share);
        }
        let moved = moved::find(self.records, fields, by_rivals.as_ref().unwrap_or(&links));
        // Once sources are known to be clean, only the rules are chosen again.
        let asked = if self.exclusive().is_empty() {
            decide::may_hold_apart(self.settings, fields)
        } else {
            Vec::new()
        };
        let differing = asked.into_iter().map(|index| {
            let field = &self.settings.comparisons[index].field;
            let role = fields.fields.get(field).map(|field| field.role);
            Ok::<_, JobError>(Differing {
                of_generations: role == Some(Role::Suffix),
                ..self.differing(&model, &first, index)?
            })
        });
        let differing = differing.collect::<Result<_, _>>()?;
        let pairs: Vec<(u32, u32)> = links
            .iter()
            .map(|e| (e.left.get(), e.right.get()))
            .collect();
        let found = self.found(&candidates, &pairs)?;
        let (mut rules, recall) = greedy(&candidates, &found, pairs.len(), pairs_max);
        let few = pairs.len() < PAIRS_LEAST;
        if few {
            self.add_by_cost(fields, &mut rules)?;
        }
        Ok(Choice {
            repeats,
            moved,
            differing,
            recall,
            confident: pairs.len() as u64,
            by_cost: few,
            is_doubtful: training.is_doubtful || self.leave_open(fields, &rules)?,
            has_few_records: self.rivals_max() >= PAIRS_PER_RULE_MAX,
            rules,
        })
    }

    /// Returns what links by what is learnt if every source is presumed to hold each entity once, where
    /// what was learnt without that does not show that they do.
    ///
    /// What one entity shares with its like (an album, a household) may pass for what records of one
    /// entity share, and all its like then for repetitions. Who is the best of its candidates is never one of them, so
    /// what is learnt of rivals tells whether sources that were presumed to repeat nothing do.
    fn links_by_rivals(
        &self,
        rules: &[Vec<String>],
        repeats: &[Repeats],
    ) -> Result<Option<Vec<Evidence>>, JobError> {
        let are_clean = repeats.iter().all(|of| of.verdict() == Verdict::Clean);
        if repeats.len() < 2 || are_clean || !self.exclusive().is_empty() {
            return Ok(None);
        }
        let mut settings = self.settings.clone();
        let names = settings.sources.iter().map(|source| source.name.clone());
        settings.decide.one_per_source = names.collect();
        let ground = Ground {
            settings: &settings,
            ..*self
        };
        let plan = self.plan(rules)?;
        let (model, training) = ground.trained(&plan);
        let link = self.settings.decide.link;
        Ok(training
            .is_by_rivals
            .then(|| self.weighed(&plan, &model, link)))
    }

    /// Tells whether what the chosen rules teach leaves open what a match is, which many narrow rules
    /// together may hide; asked of things in several sources, the only ones for which it decides
    /// anything.
    fn leave_open(&self, fields: &Fields, rules: &[Chosen]) -> Result<bool, JobError> {
        let decides = fields.subject == Subject::Thing && self.settings.sources.len() > 1;
        if !decides || rules.is_empty() || !self.exclusive().is_empty() {
            return Ok(false);
        }
        let rules: Vec<Vec<String>> = rules.iter().map(|rule| rule.on.clone()).collect();
        Ok(self.trained(&self.plan(&rules)?).1.is_doubtful)
    }

    /// Adds rules that cost little, whatever they find: where few records seem to be of one entity
    /// nothing shows which rules would find those that come.
    fn add_by_cost(&self, fields: &Fields, rules: &mut Vec<Chosen>) -> Result<(), JobError> {
        let alone: Vec<Vec<String>> = fields.fields.keys().map(|f| vec![f.clone()]).collect();
        let of_cost = |c: &Candidate| c.pairs + c.refused;
        let (mut cheap, costly): (Vec<_>, Vec<_>) = self
            .cost(&alone)?
            .into_iter()
            .partition(|c| of_cost(c) <= PAIRS_BY_COST_MAX);
        let mut together = Vec::new();
        for (i, a) in costly.iter().enumerate() {
            for b in &costly[i + 1..] {
                together.push(vec![a.on[0].clone(), b.on[0].clone()]);
            }
        }
        together.truncate(COSTED_MAX);
        let mut together = self.cost(&together)?;
        together.retain(|c| of_cost(c) <= PAIRS_BY_COST_MAX);
        let derived = fields.fields.iter().flat_map(|(name, field)| {
            let forms = forms(field.kind).iter().filter(|form| !form.is_empty());
            forms.map(move |form| vec![format!("{name}.{form}")])
        });
        let mut derived = self.cost(&derived.collect::<Vec<_>>())?;
        derived.retain(|c| of_cost(c) <= PAIRS_BY_COST_MAX);
        for candidates in [&mut cheap, &mut together, &mut derived] {
            candidates.sort_by(|a, b| of_cost(a).total_cmp(&of_cost(b)));
        }
        let mut spent: f64 = rules.iter().map(|rule| rule.pairs).sum();
        let (_, pairs_max) = self.pairs_max();
        for candidate in cheap.into_iter().chain(together).chain(derived) {
            let is_new = rules.iter().all(|rule| rule.on != candidate.on);
            if is_new && rules.len() < RULES_BY_COST && spent + candidate.pairs <= pairs_max {
                spent += candidate.pairs;
                rules.push(Chosen {
                    on: candidate.on,
                    pairs: candidate.pairs,
                    found: 0.0,
                    newly: 0.0,
                    hot_count: candidate.hot_count,
                    largest: candidate.largest,
                });
            }
        }
        Ok(())
    }

    /// Trains on the rules of a plan.
    fn trained(&self, plan: &MatchingPlan) -> (Model, Training) {
        let prepared = Prepared::new(self.records, plan, &self.exclusive());
        let blocking = Blocking::new(&prepared, plan, &self.budget());
        let comparer = Comparer::new(&prepared, plan);
        // What the sample makes too few of the whole may make too many of.
        let rivals = RIVAL_PAIRS_MAX as f64 * self.share * self.share;
        let train_settings = TrainSettings {
            rival_pairs_max: rivals as u64,
            ..self.settings.train.clone()
        };
        train(
            &prepared,
            &comparer,
            &blocking,
            plan,
            &train_settings,
            self.key,
            None,
        )
    }

    /// Returns the pairs of a plan's rules that a model holds to be this probable.
    fn weighed(&self, plan: &MatchingPlan, model: &Model, least: f64) -> Vec<Evidence> {
        let prepared = Prepared::new(self.records, plan, &self.exclusive());
        let blocking = Blocking::new(&prepared, plan, &self.budget());
        let decide = DecideSettings {
            link: least,
            review: least,
            ..DecideSettings::default()
        };
        let threshold = Threshold::of(&decide);
        let comparer = Comparer::of_model(&prepared, plan, model, self.key);
        let weigher = Weigher::new(&prepared, &comparer, plan, model, self.key, threshold);
        weigher
            .weigh_all(&blocking, plan.rules.len(), &|_| {})
            .evidence
    }

    /// Counts how often pairs of one entity differ in what might hold records apart.
    ///
    /// Neither what a comparison weighs nor rules on its field may choose the pairs by which it
    /// is judged: both prefer pairs that agree.
    fn differing(
        &self,
        model: &Model,
        rules: &[Vec<String>],
        index: usize,
    ) -> Result<Differing, JobError> {
        let comparison = &self.settings.comparisons[index];
        let mut differing = Differing {
            comparison: comparison
                .name
                .as_ref()
                .unwrap_or(&comparison.field)
                .clone(),
            ..Differing::default()
        };
        let is_on_others =
            |on: &&Vec<String>| !on.iter().any(|part| field_of(part) == comparison.field);
        let others: Vec<Vec<String>> = rules.iter().filter(is_on_others).cloned().collect();
        if others.is_empty() {
            return Ok(differing);
        }
        let plan = self.plan(&others)?;
        let mut model = model.clone();
        model.comparisons[index].mute();
        let levels = plan.comparisons[index].levels.len();
        for edge in self.weighed(&plan, &model, CERTAIN) {
            let level = usize::from(edge.pattern.level(index));
            differing.compared += u64::from(level > 0);
            differing.apart += u64::from(level > levels);
        }
        Ok(differing)
    }

    /// Returns the threshold to link from, and the F1 to expect there and at the usual one.
    pub(super) fn threshold(&self, choice: &Choice) -> Result<[f64; 4], JobError> {
        let rules: Vec<Vec<String>> = choice.rules.iter().map(|rule| rule.on.clone()).collect();
        let plan = self.plan(&rules)?;
        let (model, training) = self.trained(&plan);
        let least = if training.is_by_rivals {
            EVIDENCE_OF_RIVALS_MIN
        } else {
            EVIDENCE_MIN
        };
        let evidence = self.weighed(&plan, &model, least);
        let constraints = Constraints {
            one_per_source: self.exclusive(),
            cannot_link: Vec::new(),
            cluster_size_max: self.settings.decide.cluster_size_max,
        };
        let prepared = Prepared::new(self.records, &plan, &self.exclusive());
        let comparer = Comparer::of_model(&prepared, &plan, &model, self.key);
        let threshold = Threshold::of(&self.settings.decide);
        let weigher = Weigher::new(&prepared, &comparer, &plan, &model, self.key, threshold);
        let clusters = Clusters {
            references: self.records.references(),
            evidence: &evidence,
            constraints: &constraints,
            share: self.share,
            bridges: Bridges {
                least: MatchWeight::default(),
                weigh: &pair_weight(&prepared, &weigher),
            },
        };
        Ok(if training.is_by_rivals {
            clusters.choose_among_rivals()
        } else {
            clusters.choose()
        })
    }

    /// Returns, for each candidate, which pairs it finds; what it refuses it does not find.
    fn found(
        &self,
        candidates: &[Candidate],
        pairs: &[(u32, u32)],
    ) -> Result<Vec<Vec<bool>>, JobError> {
        let rules: Vec<Vec<String>> = candidates.iter().map(|c| c.on.clone()).collect();
        let mut found = Vec::new();
        for rules in rules.chunks(COSTED_MAX) {
            let plan = self.plan(rules)?;
            let prepared = Prepared::new(self.records, &plan, &self.exclusive());
            let blocking = Blocking::new(&prepared, &plan, &self.budget());
            let mut of_rules = vec![vec![false; pairs.len()]; rules.len()];
            for (pair, &(a, b)) in pairs.iter().enumerate() {
                for rule in blocking.makers(a, b).made_by {
                    of_rules[rule][pair] = true;
                }
            }
            found.extend(of_rules);
        }
        Ok(found)
    }
}

/// Tells whether many records have hot keys, those of the largest blocks left out: they may be default values.
fn is_often_hot(cost: &RuleCost) -> bool {
    let largest: u64 = cost.hot.iter().map(|hot| hot.len).sum();
    let hot = cost.hot_records.saturating_sub(largest);
    hot as f64 > OFTEN_HOT * cost.keyed_records.saturating_sub(largest) as f64
}

fn field_of(part: &str) -> String {
    parse_key_part(part).map_or_else(|_| part.to_owned(), |(field, _)| field)
}

/// Takes the rule that finds most anew for its cost, until little is gained.
fn greedy(
    candidates: &[Candidate],
    found: &[Vec<bool>],
    pair_count: usize,
    pairs_max: f64,
) -> (Vec<Chosen>, f64) {
    let mut covered = vec![0_u8; pair_count];
    let mut chosen: Vec<Chosen> = Vec::new();
    let mut open: Vec<usize> = (0..candidates.len()).collect();
    let total = (pair_count as f64).max(1.0);
    let mut spent = 0.0;
    // The first finding of a pair counts whole, the second half.
    let worth = |covered: &[u8], rule: &[bool]| {
        let gains = covered.iter().zip(rule).filter(|(_, finds)| **finds);
        gains
            .map(|(&times, _)| {
                [1.0, 0.5, 0.1]
                    .get(usize::from(times))
                    .copied()
                    .unwrap_or(0.0)
            })
            .sum::<f64>()
            / total
    };
    loop {
        let best = open
            .iter()
            .map(|&index| (index, worth(&covered, &found[index])))
            .filter(|&(index, gain)| {
                gain >= GAIN_MIN && spent + candidates[index].pairs <= pairs_max
            })
            .map(|(index, gain)| (index, gain / (candidates[index].pairs + 3.0)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        let Some((index, _)) = best else { break };
        open.retain(|&other| other != index);
        let candidate = &candidates[index];
        let finds = found[index].iter().filter(|finds| **finds).count() as f64;
        let newly = covered
            .iter()
            .zip(&found[index])
            .filter(|(times, finds)| **finds && **times == 0)
            .count() as f64;
        for (times, _) in covered
            .iter_mut()
            .zip(&found[index])
            .filter(|(_, finds)| **finds)
        {
            *times = times.saturating_add(1);
        }
        spent += candidate.pairs;
        chosen.push(Chosen {
            on: candidate.on.clone(),
            pairs: candidate.pairs,
            found: finds / total,
            newly: newly / total,
            hot_count: candidate.hot_count,
            largest: candidate.largest,
        });
        if chosen.len() >= 16 {
            break;
        }
    }
    let recall = covered.iter().filter(|times| **times > 0).count() as f64 / total;
    (chosen, recall)
}
