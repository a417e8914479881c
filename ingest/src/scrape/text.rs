//! The text formats: lines -> points of series. A line that is wrong makes the whole page wrong.

use super::{
    fault::Fault,
    point::{Exemplar, Pairs, Point, Value, shown},
};
use crate::{
    lines::exposition::{self, Line, ReadLabels},
    prometheus::{Families, MetricType},
};

/// The last line of OpenMetrics, by which one sees that nothing is missing.
const END: &[u8] = b"# EOF";

/// Reads every point of `page`, with what is known of the metrics up to there.
pub(super) fn read(
    page: &[u8],
    is_openmetrics: bool,
    mut each: impl FnMut(Point, &Families) -> Result<(), Fault>,
) -> Result<Families, Fault> {
    if is_openmetrics && !page.trim_ascii_end().ends_with(END) {
        return Err(Fault::Incomplete);
    }
    exposition::read(page, is_openmetrics, |line, families| {
        each(point(line, families)?, families)
    })
}

fn point(line: Line<'_>, families: &Families) -> Result<Point, Fault> {
    let wrong = |what| Fault::Malformed {
        line: line.number,
        what,
    };
    let sample = line.sample.map_err(wrong)?;
    let mut labels = pairs(&sample.labels).map_err(wrong)?;
    let at = labels.iter().position(|label| label.0 == "__name__");
    let at = at.ok_or_else(|| wrong("a sample has no name"))?;
    let (_, name) = labels.swap_remove(at);
    if let Some(family) = families.find(name.as_bytes()) {
        normalize(&mut labels, family.of);
    }
    let exemplar = match &sample.exemplar {
        None => None,
        Some(exemplar) => Some(Exemplar {
            labels: pairs(&exemplar.labels).map_err(wrong)?,
            value: exemplar.value,
            time: exemplar.time,
        }),
    };
    Ok(Point {
        name,
        labels,
        value: Value::Number(sample.value),
        time: sample.time,
        created: 0,
        exemplars: exemplar.into_iter().collect(),
    })
}

fn pairs(labels: &ReadLabels<'_>) -> Result<Pairs, &'static str> {
    let text = |bytes: &[u8]| match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => Ok(text.to_string()),
        Err(_) => Err("a label is not UTF-8"),
    };
    labels
        .iter()
        .map(|(name, value)| Ok((text(name)?, text(value)?)))
        .collect()
}

/// Bounds and quantiles in one way of writing, so that `1` and `1.0` are one series (Prometheus 3).
fn normalize(labels: &mut Pairs, of: MetricType) {
    let bound = match of {
        MetricType::Histogram => "le",
        MetricType::Summary => "quantile",
        _ => return,
    };
    for (name, value) in labels {
        if name == bound
            && let Ok(number) = value.parse()
        {
            *value = shown(number);
        }
    }
}
