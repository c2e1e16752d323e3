//! One HTML file that shows a revision: no script, no request, nothing but what is in it.
//!
//! It holds counts, weights, and names of sources, fields, rules and levels; references (source
//! and key) only of the few pairs and entities that it shows as examples; never a record's value.

mod blocking;
mod comparisons;
mod entities;
mod markup;
mod missed;
mod pairs;
mod quarantine;
mod reliability;
mod svg;
mod training;
mod weights;

use sameas_graph::GraphRevision;
use sameas_matching::{Model, civil_of_days};
use sameas_store::{Snapshot, VerifyError};

use self::markup::{Html, count, percent};
use crate::evaluate::Interval;
use crate::figures::{RebuildFigures, Tally, WeightBin};
use crate::report::TrainReport;
use crate::{Assessment, Settings, model_file};

/// What a page begins with, up to its title; it forbids the browser to load or run anything.
const HEAD: &str = include_str!("report_html/head.html");
const STYLE: &str = include_str!("report_html/style.css");

/// The width of charts in pixels, as wide as a section.
const WIDTH: f64 = 1_016.0;

/// Everything that a report shows.
struct Content<'c> {
    graph: GraphRevision,
    figures: Option<RebuildFigures>,
    /// All evidence of the rebuild by weight, or what the revision keeps of it.
    bins: Vec<WeightBin>,
    model: Option<Model>,
    training: Option<TrainReport>,
    assessment: &'c Assessment,
}

/// A part of the page: the name it is linked by, its title, and what is in it.
struct Section {
    anchor: &'static str,
    title: &'static str,
    body: Html,
}

/// Shows a revision and how good it is as one HTML file.
///
/// # Errors
/// Says what contradicts itself if the snapshot is damaged.
pub fn report_html(
    snapshot: &Snapshot,
    settings: &Settings,
    assessment: &Assessment,
) -> Result<String, VerifyError> {
    let graph = snapshot.load()?;
    let (model_path, digest) = (settings.model_path(), graph.legend.model);
    let figures = RebuildFigures::read(&settings.graph_path(), snapshot);
    let kept = || Tally::of(&graph.evidence).bins();
    let content = Content {
        bins: figures
            .as_ref()
            .map_or_else(kept, |figures| figures.weights.clone()),
        figures,
        model: model_file::read_by_digest(&model_path, digest),
        training: model_file::read_training(&model_path, digest),
        assessment,
        graph,
    };
    Ok(content.page())
}

/// Shows what training found as one HTML file.
pub fn training_html(report: &TrainReport) -> String {
    let sections = [
        training::section(report),
        comparisons::trained(&report.comparisons),
    ];
    let labels = report.labels.as_ref().map_or(0, |labels| {
        labels.taught + labels.held_out_matches + labels.held_out_others
    });
    let labels = match labels {
        0 => "without labels".to_owned(),
        pairs => format!("and {} labelled pairs", count(pairs)),
    };
    let lead = format!(
        "Trained on {} records {labels}. No record value is in this file.",
        count(report.records)
    );
    page("Training", &lead, Html::default(), &sections)
}

impl Content<'_> {
    fn page(&self) -> String {
        let mut sections = vec![weights::section(self)];
        sections.extend(reliability::section(self));
        sections.extend([
            weights::thresholds(self),
            comparisons::section(self),
            pairs::section(self),
            blocking::section(self),
            entities::sources(self),
            entities::sizes(self),
            quarantine::section(self),
        ]);
        sections.extend(missed::section(self));
        sections.extend(self.training.as_ref().map(training::section));
        let lead = match &self.figures {
            Some(figures) => format!(
                "Revision {}, published {}. No record value is in this file; sources and keys appear only in examples.",
                self.graph.revision.get(),
                date(figures.published_at_ms)
            ),
            None => format!(
                "Revision {}. No record value is in this file; sources and keys appear only in examples. The figures of its rebuild are not kept beside it, so evidence is what the revision keeps, and blocking is not shown; the next rebuild keeps them.",
                self.graph.revision.get()
            ),
        };
        page("Identity graph", &lead, self.tiles(), &sections)
    }

    fn tiles(&self) -> Html {
        let (references, entities) = (
            self.graph.references.len() as u64,
            self.graph.partition.cluster_count() as u64,
        );
        let estimate = &self.assessment.estimate;
        let mut tiles = vec![
            tile(
                &count(references),
                "records",
                &format!("from {} sources", self.graph.references.sources().len()),
            ),
            tile(
                &count(entities),
                "entities",
                &format!(
                    "{} records joined",
                    percent(1.0 - entities as f64 / (references as f64).max(1.0))
                ),
            ),
            tile(
                &count(estimate.links),
                "links",
                &format!("{} wait for review", count(estimate.reviews)),
            ),
        ];
        let best = self.assessment.thresholds.best.as_ref();
        if let Some(evaluation) = &self.assessment.evaluation {
            let quality = evaluation.pairwise;
            let best = best
                .and_then(|best| best.pairwise)
                .map_or(0.0, |best| best.f1);
            tiles.push(tile(
                &format!("{:.4}", quality.f1),
                "pairwise F1",
                &format!("best {best:.4}"),
            ));
            tiles.push(tile(
                &percent(quality.precision),
                "precision, measured",
                &format!("expected {}", percent(estimate.precision.value)),
            ));
            tiles.push(tile(
                &percent(quality.recall),
                "recall, measured",
                &estimate.recall.map_or_else(
                    || {
                        format!(
                            "of weighed pairs {} expected",
                            percent(estimate.recall_of_weighed.value)
                        )
                    },
                    |recall| format!("expected {}", percent(recall.value)),
                ),
            ));
        } else {
            tiles.push(tile(
                &percent(estimate.precision.value),
                "precision, expected",
                &between(estimate.precision),
            ));
            let (name, recall) = match estimate.recall {
                Some(recall) => ("recall, expected", recall),
                None => ("recall of weighed pairs", estimate.recall_of_weighed),
            };
            tiles.push(tile(&percent(recall.value), name, &between(recall)));
        }
        Html::element("div class=\"tiles\"", Html::join(tiles))
    }
}

fn between(interval: Interval) -> String {
    format!("{} to {}", percent(interval.low), percent(interval.high))
}

fn tile(figure: &str, name: &str, note: &str) -> Html {
    let parts = [
        Html::element("b", figure),
        Html::element("span", name),
        Html::element("small", note),
    ];
    Html::element("div class=\"tile\"", Html::join(parts))
}

fn paragraph(text: &str) -> Html {
    Html::element("p class=\"lead\"", text)
}

fn note(text: &str) -> Html {
    Html::element("p class=\"note\"", text)
}

fn warning(text: &str) -> Html {
    Html::element("p class=\"warning\"", text)
}

/// Explains the colours of a chart.
fn key(entries: &[(&'static str, &str)]) -> Html {
    let entry = |&(class, text): &(&'static str, &str)| {
        let swatch = Html::join([
            Html::fixed("<i class=\""),
            Html::fixed(class),
            Html::fixed("\"></i>"),
            Html::text(text),
        ]);
        Html::element("li", swatch)
    };
    Html::element("ul class=\"key\"", Html::join(entries.iter().map(entry)))
}

fn figure(chart: svg::Svg) -> Html {
    Html::element("figure", chart)
}

fn page(title: &str, lead: &str, tiles: Html, sections: &[Section]) -> String {
    let links = sections.iter().map(|section| {
        let mut link = Html::fixed("<a href=\"#");
        link.push(section.anchor);
        link.push(Html::fixed("\">"));
        link.push(section.title);
        link.push(Html::fixed("</a>"));
        link
    });
    let bodies = sections.iter().map(|section| {
        let mut body = Html::fixed("<section id=\"");
        body.push(section.anchor);
        body.push(Html::fixed("\">"));
        body.push(Html::element("h2", section.title));
        body.push(section.body.clone());
        body.push(Html::fixed("</section>"));
        body
    });
    let header = Html::join([
        Html::element("h1", title),
        paragraph(lead),
        Html::element("nav aria-label=\"Sections\"", Html::join(links)),
        tiles,
    ]);
    let page = Html::join([
        Html::fixed(HEAD),
        Html::text(title),
        Html::fixed("</title><style>"),
        Html::fixed(STYLE),
        Html::fixed(
            "</style></head><body><a class=\"skip\" href=\"#content\">Skip to the figures</a>",
        ),
        Html::element("header", header),
        Html::element("main id=\"content\"", Html::join(bodies)),
        Html::element(
            "footer",
            "Made by sameas. Weights are in bits: one bit doubles the odds. Hover over a mark for its figures, or open the table below a chart.",
        ),
        Html::fixed("</body></html>\n"),
    ]);
    page.into_string()
}

/// Returns the day of a moment in milliseconds since 1970.
fn date(milliseconds: u64) -> String {
    let [year, month, day] = civil_of_days((milliseconds / 86_400_000) as i64);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests;
