//! What a target answered -> the samples of a request, relabelled and within the job's limits; markers of series that
//! ended, and what is told of the scrape itself.

use super::{
    fault::Fault,
    job::{Format, Job, Limits},
    labels::{EXPORTED, Labels, NAME, decoded},
    point::{Exemplar as ReadExemplar, Point, Value as PointValue},
    protobuf::{self, Forms},
    relabel,
    seen::{Ended, Known, Seen},
    text,
};
use crate::{
    error::Result as StoreResult,
    prometheus::{
        Families, Family, MetricType, STALE_NAN_BITS,
        samples::{
            Exemplar, Label, Point as SeriesPoint, Sample, SampleWriter, Series, Value, put_varint,
        },
    },
};
use cairn_storage::{budget::Reservation, time::Nanos};
use std::{sync::Arc, time::Duration};

const NANOS_PER_MILLI: i64 = 1_000_000;

/// Whose page it is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) job: Arc<Job>,
    /// The target's.
    pub(super) labels: Labels,
    pub(super) external: Labels,
}

/// A page as it came.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) format: Format,
    pub(super) bytes: bytes::Bytes,
}

/// What was counted in a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Samples.
    pub(super) scraped: u64,
    /// Samples after relabeling.
    pub(super) added: u64,
    /// Series that the scrape before did not have.
    pub(super) series_added: u64,
    /// Samples of a series that had one already, which were left out.
    pub(super) duplicates: u64,
}

/// A request, and what it was made of.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) payload: Vec<u8>,
    pub(super) counts: Counts,
    pub(super) fault: Option<Fault>,
    /// What the page said of its metrics.
    pub(super) families: Arc<Families>,
}

/// Makes the request of one scrape at `time`, which took `took`; of one that failed markers and the report only.
pub(super) fn build(
    place: &Place,
    (answer, time, took): (Result<Page, Fault>, Nanos, Duration),
    seen: &mut Seen,
    (limit_bytes, memory): (u64, &mut Reservation),
) -> StoreResult<Built> {
    seen.begin();
    let mut writer = SampleWriter::new(limit_bytes, &mut *memory);
    let mut reading = Reading {
        place,
        time,
        seen: &mut *seen,
        writer: &mut writer,
        counts: Counts::default(),
        families: Arc::default(),
    };
    let fault = match answer {
        Ok(page) => reading.read(&page).err(),
        Err(fault) => Some(fault),
    };
    let (counts, families) = (reading.counts, reading.families);
    if fault.is_some() {
        // Nothing of a page that is wrong somewhere is stored.
        drop(writer);
        memory.resize(0);
        writer = SampleWriter::new(limit_bytes, memory);
    }
    for ended in seen.ended(fault.is_some()) {
        write_end(&mut writer, ended, time)?;
    }
    let values = [
        if fault.is_none() { 1.0 } else { 0.0 },
        took.as_secs_f64(),
        counts.scraped as f64,
        counts.added as f64,
        counts.series_added as f64,
    ];
    report(place, time, values, &mut writer)?;
    Ok(Built {
        payload: writer.finish(),
        counts,
        fault,
        families,
    })
}

/// The request that ends all series of a target that is not scraped any more.
pub(super) fn end(
    place: &Place,
    time: Nanos,
    seen: &mut Seen,
    (limit_bytes, memory): (u64, &mut Reservation),
) -> StoreResult<Vec<u8>> {
    seen.begin();
    let mut writer = SampleWriter::new(limit_bytes, memory);
    for ended in seen.ended(true) {
        write_end(&mut writer, ended, time)?;
    }
    report(
        place,
        time,
        [f64::from_bits(STALE_NAN_BITS); 5],
        &mut writer,
    )?;
    Ok(writer.finish())
}

/// The series that tell of a scrape.
const REPORTS: [(&str, &str); 5] = [
    ("up", "Whether the last scrape of the target succeeded"),
    ("scrape_duration_seconds", "Duration of the scrape"),
    ("scrape_samples_scraped", "Samples that the target exposed"),
    (
        "scrape_samples_post_metric_relabeling",
        "Samples that remained after metric relabeling",
    ),
    ("scrape_series_added", "Series that are new in this scrape"),
];

fn report(
    place: &Place,
    time: Nanos,
    values: [f64; 5],
    writer: &mut SampleWriter<'_>,
) -> StoreResult<()> {
    for ((name, help), value) in REPORTS.into_iter().zip(values) {
        let mut labels = place.labels.clone();
        labels.set(NAME, name);
        add_external(&place.external, &mut labels);
        let family = Family {
            of: MetricType::Gauge,
            unit: Box::default(),
            help: help.as_bytes().into(),
        };
        let sample = Sample {
            time: time.0,
            value: Value::Double(value),
        };
        writer.sample(&borrowed(&labels), &sample, None, Some(&family))?;
    }
    Ok(())
}

fn add_external(external: &Labels, labels: &mut Labels) {
    for (name, value) in external.iter() {
        labels.set_missing(name, value);
    }
}

fn borrowed(labels: &Labels) -> Vec<Label<'_>> {
    let pairs = labels.iter();
    pairs
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect()
}

/// A page being read.
struct Reading<'a, 'm> {
    place: &'a Place,
    time: Nanos,
    seen: &'a mut Seen,
    writer: &'a mut SampleWriter<'m>,
    counts: Counts,
    families: Arc<Families>,
}

impl Reading<'_, '_> {
    fn read(&mut self, page: &Page) -> Result<(), Fault> {
        let formats = &self.place.job.formats;
        let forms = Forms {
            native: formats.native_histograms,
            classic: formats.classic_histograms,
        };
        let each = |point: Point, families: &Families| self.point(point, families);
        let families = match page.format {
            Format::Protobuf => protobuf::read(&page.bytes, forms, each)?,
            Format::Text0 | Format::Text1 => text::read(&page.bytes, false, each)?,
            Format::OpenMetrics0 | Format::OpenMetrics1 => text::read(&page.bytes, true, each)?,
        };
        self.families = Arc::new(families);
        let limit = self.place.job.limits.samples;
        within(
            "the number of samples",
            self.counts.added,
            ("sample_limit", limit),
        )
    }

    fn point(&mut self, point: Point, families: &Families) -> Result<(), Fault> {
        self.counts.scraped += 1;
        let job = &self.place.job;
        let family = families.find(point.name.as_bytes());
        let mut labels: Labels = point.labels.into_iter().collect();
        labels.set(NAME, point.name);
        add_target(&self.place.labels, job.honor_labels, &mut labels);
        if !relabel::apply(&job.metric_relabel, &mut labels) || labels.len() == 0 {
            return Ok(());
        }
        if labels.find(NAME).is_none() {
            return Err(Fault::NoName);
        }
        check_labels(&labels, &job.limits)?;
        add_external(&self.place.external, &mut labels);
        let time = point.time.filter(|_| job.honor_timestamps);
        let tracked = time.is_none() || job.track_timestamps_staleness;
        let is_histogram = matches!(point.value, PointValue::Histogram(_));
        let known = self.seen.note(&labels, (tracked, is_histogram));
        let known = known.map_err(Fault::Refused)?;
        if known == Known::Now && time.is_none() {
            self.counts.duplicates += 1;
            return Ok(());
        }
        self.counts.added += 1;
        self.counts.series_added += u64::from(known == Known::New);
        let limit = job.limits.samples;
        if limit > 0 && self.counts.added > limit {
            // Counted on, so that the fault tells how many there are; nothing of the page is stored.
            return Ok(());
        }
        let at = time.unwrap_or(self.time.0);
        let written = write(
            &mut *self.writer,
            (&labels, family),
            (at, point.created, &point.value),
            &point.exemplars,
        );
        written.map_err(Fault::Refused)
    }
}

/// Writes a point at `time` (ns) that began at `created`.
fn write(
    writer: &mut SampleWriter<'_>,
    (labels, family): (&Labels, Option<&Family>),
    (time, created, value): (i64, i64, &PointValue),
    exemplars: &[ReadExemplar],
) -> StoreResult<()> {
    let of_exemplars: Vec<Labels> = exemplars
        .iter()
        .map(|exemplar| exemplar.labels.iter().cloned().collect())
        .collect();
    let of_exemplars: Vec<Vec<Label<'_>>> = of_exemplars.iter().map(borrowed).collect();
    let exemplars: Vec<Exemplar<'_>> = exemplars
        .iter()
        .zip(&of_exemplars)
        .map(|(exemplar, labels)| Exemplar {
            labels,
            value: exemplar.value,
            time: exemplar.time.unwrap_or(time),
        })
        .collect();
    let message;
    let point = match value {
        PointValue::Number(value) => SeriesPoint::Sample(Sample {
            time,
            value: Value::Double(*value),
        }),
        PointValue::Histogram(native) => {
            message = timed(native, time);
            SeriesPoint::Histogram(&message)
        }
    };
    writer.series(&Series {
        labels: &borrowed(labels),
        point,
        exemplars: &exemplars,
        family,
        created,
    })
}

/// A histogram with its time, which is its field 15 (`prompb/types.proto`).
fn timed(native: &[u8], time: i64) -> Vec<u8> {
    let mut message = native.to_vec();
    message.push(0x78);
    put_varint(&mut message, (time / NANOS_PER_MILLI) as u64);
    message
}

/// Writes the marker of a series that ends.
fn write_end(writer: &mut SampleWriter<'_>, ended: Ended<'_>, time: Nanos) -> StoreResult<()> {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let message;
    let point = match ended.is_histogram {
        false => SeriesPoint::Sample(Sample {
            time: time.0,
            value: Value::Double(stale),
        }),
        true => {
            // Its sum says so; it is its field 3.
            message = timed(&[&[0x19], &stale.to_le_bytes()[..]].concat(), time.0);
            SeriesPoint::Histogram(&message)
        }
    };
    writer.series(&Series {
        labels: &decoded(ended.labels),
        point,
        exemplars: &[],
        family: None,
        created: 0,
    })
}

/// Gives a sample the labels of its target. Where both have one, the sample's stays under its own name (`honor_labels`)
/// or gets another.
fn add_target(target: &Labels, honor_labels: bool, labels: &mut Labels) {
    if honor_labels {
        for (name, value) in target.iter() {
            labels.set_missing(name, value);
        }
        return;
    }
    let mut renamed = Vec::new();
    for (name, value) in target.iter() {
        if let Some(exposed) = labels.find(name) {
            renamed.push((name, exposed.to_string()));
        }
        labels.set(name, value);
    }
    // Shorter names first, so that one that was renamed already keeps what it got (Prometheus).
    renamed.sort_by_key(|(name, _)| name.len());
    for (name, value) in renamed {
        let mut free = format!("{EXPORTED}{name}");
        while labels.find(&free).is_some() {
            free.insert_str(0, EXPORTED);
        }
        labels.set(&free, value);
    }
}

fn check_labels(labels: &Labels, limits: &Limits) -> Result<(), Fault> {
    let count = labels.len() as u64;
    within(
        "the number of labels of a series",
        count,
        ("label_limit", limits.labels),
    )?;
    for (name, value) in labels.iter() {
        let (name_limit, value_limit) = (limits.label_name_bytes, limits.label_value_bytes);
        let length = name.len() as u64;
        within(
            "the length of a label name",
            length,
            ("label_name_length_limit", name_limit),
        )?;
        let length = value.len() as u64;
        within(
            "the length of a label value",
            length,
            ("label_value_length_limit", value_limit),
        )?;
    }
    Ok(())
}

/// Refuses what is over a limit; 0 is none.
fn within(
    what: &'static str,
    found: u64,
    (limit_name, limit): (&'static str, u64),
) -> Result<(), Fault> {
    match limit > 0 && found > limit {
        true => Err(Fault::Limit {
            what,
            found,
            limit_name,
            limit,
        }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
