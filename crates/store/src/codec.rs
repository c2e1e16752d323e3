//! Small sections as sequences of numbers and length-prefixed texts.

use sameas_graph::{
    ComparisonLegend, Legend, LevelLegend, LevelPattern, MatchWeight, RuleKind, RuleLegend,
};

use crate::format::{u16_at, u32_at, u64_at};

/// One source in the `sources` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSummary {
    /// The source's name.
    pub name: String,
    /// How many references point into it.
    pub reference_count: u64,
}

/// Returns the bytes of the `sources` section.
pub(crate) fn encode_sources(sources: &[SourceSummary]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_u32(&mut bytes, sources.len() as u32);
    for source in sources {
        put_text(&mut bytes, &source.name);
        bytes.extend_from_slice(&source.reference_count.to_le_bytes());
    }
    bytes
}

/// Reads the `sources` section.
pub(crate) fn decode_sources(bytes: &[u8]) -> Option<Vec<SourceSummary>> {
    let mut decoder = Decoder { bytes, at: 0 };
    let count = decoder.u32()?;
    let sources = (0..count)
        .map(|_| {
            Some(SourceSummary {
                name: decoder.text()?,
                reference_count: decoder.u64()?,
            })
        })
        .collect::<Option<Vec<_>>>()?;
    (decoder.is_done() && sources.is_sorted_by(|a, b| a.name < b.name)).then_some(sources)
}

/// Returns the bytes of the `past_sources` section.
pub(crate) fn encode_names(names: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_u32(&mut bytes, names.len() as u32);
    for name in names {
        put_text(&mut bytes, name);
    }
    bytes
}

/// Reads the `past_sources` section.
pub(crate) fn decode_names(bytes: &[u8]) -> Option<Vec<String>> {
    let mut decoder = Decoder { bytes, at: 0 };
    let count = decoder.u32()?;
    let names = (0..count)
        .map(|_| decoder.text())
        .collect::<Option<Vec<_>>>()?;
    (decoder.is_done() && names.is_sorted_by(|a, b| a < b)).then_some(names)
}

/// Returns the bytes of the `legend` section.
pub(crate) fn encode_legend(legend: &Legend) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_u16(&mut bytes, legend.comparisons.len() as u16);
    for comparison in &legend.comparisons {
        put_text(&mut bytes, &comparison.name);
        put_u16(&mut bytes, comparison.levels.len() as u16);
        for level in &comparison.levels {
            put_text(&mut bytes, &level.name);
            put_weight(&mut bytes, level.weight);
        }
    }
    put_u16(&mut bytes, legend.rules.len() as u16);
    for rule in &legend.rules {
        put_text(&mut bytes, &rule.name);
        bytes.push(match rule.kind {
            RuleKind::Deterministic => 0,
            RuleKind::Blocking => 1,
        });
    }
    for weight in [legend.prior, legend.link, legend.review] {
        put_weight(&mut bytes, weight);
    }
    bytes.extend_from_slice(&legend.model.to_le_bytes());
    bytes
}

/// Reads the `legend` section.
pub(crate) fn decode_legend(bytes: &[u8]) -> Option<Legend> {
    let mut decoder = Decoder { bytes, at: 0 };
    let count = decoder.u16()?;
    // More than a pattern holds would be explained by the wrong levels.
    if usize::from(count) > LevelPattern::COMPARISON_COUNT_MAX {
        return None;
    }
    let comparisons = (0..count)
        .map(|_| decoder.comparison())
        .collect::<Option<Vec<_>>>()?;
    let count = decoder.u16()?;
    let rules = (0..count)
        .map(|_| decoder.rule())
        .collect::<Option<Vec<_>>>()?;
    let legend = Legend {
        comparisons,
        rules,
        prior: decoder.weight()?,
        link: decoder.weight()?,
        review: decoder.weight()?,
        model: decoder.u64()?,
    };
    decoder.is_done().then_some(legend)
}

/// Reads forward through bytes that may end too early.
struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Decoder<'_> {
    fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn u8(&mut self) -> Option<u8> {
        let value = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(value)
    }

    fn u16(&mut self) -> Option<u16> {
        let value = u16_at(self.bytes, self.at)?;
        self.at += 2;
        Some(value)
    }

    fn u32(&mut self) -> Option<u32> {
        let value = u32_at(self.bytes, self.at)?;
        self.at += 4;
        Some(value)
    }

    fn u64(&mut self) -> Option<u64> {
        let value = u64_at(self.bytes, self.at)?;
        self.at += 8;
        Some(value)
    }

    fn weight(&mut self) -> Option<MatchWeight> {
        Some(MatchWeight::from_hundredths(self.u16()?.cast_signed()))
    }

    fn text(&mut self) -> Option<String> {
        let len = self.u32()? as usize;
        let end = self.at.checked_add(len)?;
        let text = std::str::from_utf8(self.bytes.get(self.at..end)?).ok()?;
        self.at = end;
        Some(text.to_owned())
    }

    fn comparison(&mut self) -> Option<ComparisonLegend> {
        let name = self.text()?;
        let count = self.u16()?;
        if usize::from(count) > LevelPattern::LEVEL_COUNT_MAX {
            return None;
        }
        let levels = (0..count)
            .map(|_| {
                Some(LevelLegend {
                    name: self.text()?,
                    weight: self.weight()?,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        Some(ComparisonLegend { name, levels })
    }

    fn rule(&mut self) -> Option<RuleLegend> {
        let name = self.text()?;
        let kind = match self.u8()? {
            0 => RuleKind::Deterministic,
            1 => RuleKind::Blocking,
            _ => return None,
        };
        Some(RuleLegend { name, kind })
    }
}

fn put_u16(bytes: &mut Vec<u8>, value: u16) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn put_u32(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn put_weight(bytes: &mut Vec<u8>, weight: MatchWeight) {
    bytes.extend_from_slice(&weight.hundredths().to_le_bytes());
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_u32(bytes, text.len() as u32);
    bytes.extend_from_slice(text.as_bytes());
}
