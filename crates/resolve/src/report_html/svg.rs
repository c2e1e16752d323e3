//! A small writer of charts: shapes with classes that the style sheet colours.

use std::fmt::Write as _;

use super::markup::{coordinate, escape};

/// A chart under construction. Its origin is at the upper left; units are pixels at full width.
#[derive(Clone, Debug)]
pub(super) struct Svg {
    body: String,
    title: String,
    description: String,
    width: f64,
    height: f64,
}

/// How text stands to its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// Begins a chart; title and description are read to those who do not see it.
    pub(super) fn new(title: &str, description: &str, (width, height): (f64, f64)) -> Self {
        Self {
            body: String::new(),
            title: escape(title),
            description: escape(description),
            width,
            height,
        }
    }

    /// Draws a box that tells something when it is pointed at.
    pub(super) fn bar(&mut self, class: &str, (x, y): (f64, f64), size: (f64, f64), tip: &str) {
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"1.5\"><title>{}</title></rect>",
            coordinate(x),
            coordinate(y),
            coordinate(size.0.max(0.0)),
            coordinate(size.1.max(0.0)),
            escape(tip)
        );
    }

    /// Draws a straight line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = write!(
            self.body,
            "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            coordinate(from.0),
            coordinate(from.1),
            coordinate(to.0),
            coordinate(to.1)
        );
    }

    /// Draws a line through points.
    pub(super) fn curve(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        for &(x, y) in points {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{command}{} {}", coordinate(x), coordinate(y));
        }
        let _ = write!(self.body, "<path class=\"{class}\" d=\"{path}\"/>");
    }

    /// Draws a dot that tells something when it is pointed at.
    pub(super) fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64, tip: &str) {
        let _ = write!(
            self.body,
            "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"><title>{}</title></circle>",
            coordinate(x),
            coordinate(y),
            coordinate(radius),
            escape(tip)
        );
    }

    /// Writes text with its base line at a point.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = write!(
            self.body,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            coordinate(x),
            coordinate(y),
            escape(text)
        );
    }

    /// Writes text cut to so many characters, whole when it is pointed at.
    pub(super) fn label(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        const CHARACTERS_MAX: usize = 50;
        let shown: String = text.chars().take(CHARACTERS_MAX).collect();
        if shown.len() == text.len() {
            self.text(class, at, anchor, text);
        } else {
            let _ = write!(self.body, "<g><title>{}</title>", escape(text));
            self.text(class, at, anchor, &format!("{shown}\u{2026}"));
            self.body.push_str("</g>");
        }
    }

    pub(super) fn finish(self) -> String {
        let Self {
            body,
            title,
            description,
            width,
            height,
        } = self;
        let label = format!("{title}. {description}");
        format!(
            "<svg role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {} {}\" style=\"max-width:{}px\"><title>{title}</title><desc>{description}</desc>{body}</svg>",
            coordinate(width),
            coordinate(height),
            coordinate(width)
        )
    }
}

/// Maps a range of values onto a range of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    pub(super) fn new((from, to): (f64, f64), (start, end): (f64, f64)) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self {
            from,
            to,
            start,
            end,
        }
    }

    /// Returns the pixel of a value, within the range.
    pub(super) fn at(self, value: f64) -> f64 {
        let share = ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        self.start + share * (self.end - self.start)
    }

    /// Returns round values within the range, about so many.
    pub(super) fn ticks(self, wanted: f64) -> Vec<f64> {
        let rough = (self.to - self.from) / wanted;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|&step| step >= rough * 0.999)
            .unwrap_or(power * 10.0);
        let first = (self.from / step).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }
}
