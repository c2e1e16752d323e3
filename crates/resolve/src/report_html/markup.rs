//! Text that becomes HTML: everything is escaped unless it was made here.

use std::fmt::{Display, Write as _};

/// A piece of HTML.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Escapes text, which may say anything: keys and names come from elsewhere.
    pub(super) fn text(text: &str) -> Self {
        Self(escape(text))
    }

    /// Takes markup that the program itself spells.
    pub(super) fn fixed(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// Wraps pieces in an element; the tag and its attributes are the program's own.
    pub(super) fn element(tag: &str, inner: impl Into<Self>) -> Self {
        let name = tag.split(' ').next().unwrap_or(tag);
        Self(format!("<{tag}>{}</{name}>", inner.into().0))
    }

    /// Adds a piece.
    pub(super) fn push(&mut self, piece: impl Into<Self>) {
        self.0.push_str(&piece.into().0);
    }

    /// Returns the pieces one after the other.
    pub(super) fn join(pieces: impl IntoIterator<Item = Self>) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        Self::text(&text)
    }
}

impl From<super::svg::Svg> for Html {
    fn from(svg: super::svg::Svg) -> Self {
        Self(svg.finish())
    }
}

/// Replaces what HTML reads as markup, and shows control characters, also those that turn the
/// direction of writing, as their code points.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(escaped, "\u{27e8}U+{:04X}\u{27e9}", character as u32);
            }
            control if control.is_control() => {
                let _ = write!(escaped, "\u{27e8}U+{:04X}\u{27e9}", control as u32);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// A table: a caption, a head and rows; the first column is of names, the rest of numbers.
pub(super) fn table(caption: &str, head: &[&str], rows: Vec<Vec<Html>>) -> Html {
    let cells = |tag: &str, cells: Vec<Html>| {
        Html::join(cells.into_iter().map(|cell| Html::element(tag, cell)))
    };
    let head = head.iter().map(|&name| Html::text(name)).collect();
    let rows = rows
        .into_iter()
        .map(|row| Html::element("tr", cells("td", row)));
    let body = Html::join([
        Html::element("caption", caption),
        Html::element(
            "thead",
            Html::element("tr", cells("th scope=\"col\"", head)),
        ),
        Html::element("tbody", Html::join(rows)),
    ]);
    Html::element(
        "div class=\"scroll\" tabindex=\"0\"",
        Html::element("table", body),
    )
}

/// A part that is folded until somebody wants it.
pub(super) fn folded(summary: &str, inner: Html) -> Html {
    let inner = Html::join([Html::element("summary", summary), inner]);
    Html::element("details", inner)
}

/// Writes a count with thin spaces between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digits.len() > 4 {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// Writes a share of 1 in per cent, with as many decimals as it has something to say.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        whole if share >= 0.999_995 || share <= 0.0 => format!("{whole:.0}\u{a0}%"),
        near if !(0.1..=99.9).contains(&near) => format!("{near:.3}\u{a0}%"),
        near if !(1.0..=99.0).contains(&near) => format!("{near:.2}\u{a0}%"),
        plain => format!("{plain:.1}\u{a0}%"),
    }
}

/// Writes a chance so that its order of magnitude can be seen.
pub(super) fn chance(chance: f64) -> String {
    if chance >= 0.001 {
        format!("{chance:.4}")
    } else {
        format!("{chance:.1e}")
    }
}

/// Writes bits with their sign, as a typesetter would.
pub(super) fn bits(bits: f64) -> String {
    // Adding zero turns a negative zero into a plain one.
    let rounded = (bits * 10.0).round() / 10.0 + 0.0;
    format!("{rounded:+.1}").replace('-', "\u{2212}")
}

/// Writes a number for a coordinate, short.
pub(super) fn coordinate(number: f64) -> impl Display {
    (number * 10.0).round() / 10.0
}
