//! One series after the other: its parts, its labels, its points.

use super::{
    family::{Families, MetricType},
    fault::Fault,
    histogram::{HINT_GAUGE, Histogram},
    identity::{PointForm, digest},
    labels::{Labels, Named},
    ledger::Ledger,
    outline::{Form, Outline},
    points,
    tables::{Description, Run, Tables},
};
use crate::otlp::{
    DecodeError,
    metrics::identity::DIGEST_BYTES,
    rows::metrics::{Exemplar, Number},
    wire::{Flaw, Reader, numbers},
};
use bytes::Bytes;
use cairn_storage::{
    append::{Decoded, Reason},
    time::Nanos,
};

/// Bytes of labels that the detail of a rejected record shows.
const SHOWN_BYTES: usize = 160;

/// The parts of a series as sent; kept between series for its vectors.
#[derive(Debug, Default)]
struct Parts<'a> {
    samples: Vec<&'a [u8]>,
    histograms: Vec<&'a [u8]>,
    exemplars: Vec<&'a [u8]>,
    /// `Metadata` of version 2.
    metadata: &'a [u8],
    /// ms; version 2 had it here before it stood in samples.
    created: u64,
}

/// A request being decoded.
pub(super) struct Walk<'a> {
    outline: &'a Outline<'a>,
    /// What describes series, the nearest first.
    known: [&'a Families; 2],
    ledger: Ledger<'a>,
    tables: Tables<'a>,
    labels: Labels<'a>,
    parts: Parts<'a>,
    histogram: Histogram,
    /// The identity of the series at hand: a digest, which depends on the form, and the attributes.
    identity: Vec<u8>,
    scratch: Vec<u8>,
    duplicate_keys: u64,
}

const FIELDS_ONE: u64 = numbers([1, 2, 3, 4]);
const FIELDS_TWO: u64 = numbers([1, 2, 3, 4, 5, 6]);
const METADATA_FIELDS: u64 = numbers([1, 3, 4]);
const LINE_FIELDS: u64 = numbers([1, 2, 3]);

impl<'a> Parts<'a> {
    /// Reads a `TimeSeries`, its labels into `labels`.
    fn read(
        &mut self,
        outline: &Outline<'a>,
        message: &'a [u8],
        labels: &mut Labels<'a>,
    ) -> Result<Option<Fault>, Flaw> {
        self.samples.clear();
        self.histograms.clear();
        self.exemplars.clear();
        (self.metadata, self.created) = (&[], 0);
        labels.begin();
        let mut of_labels = None;
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            let key = reader.key()?;
            let added = match (outline.form, key) {
                (_, 0x0a) => labels.add(outline, reader.bytes()?),
                (Form::Two | Form::Own, 0x08) => labels.add_reference(outline, reader.varint()?),
                _ => {
                    self.read_part(outline.form, key, &mut reader)?;
                    continue;
                }
            };
            // A fault of labels is every point's, so points are counted all the same.
            of_labels = of_labels.or(added.err());
        }
        Ok(of_labels)
    }

    #[inline]
    fn read_part(&mut self, form: Form, key: u32, reader: &mut Reader<'a>) -> Result<(), Flaw> {
        match (form, key) {
            (_, 0x12) => self.samples.push(reader.bytes()?),
            (Form::One, 0x1a) => self.exemplars.push(reader.bytes()?),
            (Form::One, 0x22) => self.histograms.push(reader.bytes()?),
            (Form::One, _) => reader.skip(key, FIELDS_ONE)?,
            (_, 0x1a) => self.histograms.push(reader.bytes()?),
            (_, 0x22) => self.exemplars.push(reader.bytes()?),
            (_, 0x2a) => self.metadata = reader.bytes()?,
            (_, 0x30) => self.created = reader.varint()?,
            (_, _) => reader.skip(key, FIELDS_TWO)?,
        }
        Ok(())
    }

    /// Its records, in the order of their ordinals.
    fn records(&self) -> impl Iterator<Item = &'a [u8]> {
        let samples = self.samples.iter();
        samples
            .chain(&self.histograms)
            .chain(&self.exemplars)
            .copied()
    }
}

/// The bytes of every record of a request, by ordinal.
pub(super) fn places<'a>(outline: &Outline<'a>) -> Vec<&'a [u8]> {
    let (mut parts, mut labels) = (Parts::default(), Labels::default());
    let mut places = Vec::new();
    for message in outline.series.iter().copied() {
        match parts.read(outline, message, &mut labels) {
            Ok(_) => places.extend(parts.records()),
            Err(_) => places.push(message),
        }
    }
    places.extend(&outline.lines);
    places
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        outline: &'a Outline<'a>,
        payload: &'a Bytes,
        received: Nanos,
        known: [&'a Families; 2],
    ) -> Self {
        // The time of receipt in ns, which no sender knows beforehand.
        let seed = received.0 as u64;
        Walk {
            outline,
            known,
            ledger: Ledger::new(payload),
            tables: Tables::new(outline.series.len(), payload.len(), seed),
            labels: Labels::default(),
            parts: Parts::default(),
            histogram: Histogram::default(),
            identity: Vec::new(),
            scratch: Vec::new(),
            duplicate_keys: 0,
        }
    }

    /// Decodes one series. One whose own bytes are broken is one rejected record, since its points cannot be told apart.
    pub(super) fn series(&mut self, message: &'a [u8]) -> Result<(), DecodeError> {
        let mut parts = std::mem::take(&mut self.parts);
        match parts.read(self.outline, message, &mut self.labels) {
            Err(flaw) => {
                let ordinal = self.ledger.offer();
                let of = Some("a series".to_string());
                self.ledger.reject(ordinal, message, Fault::Wire(flaw), of);
            }
            Ok(of_labels) => match self.describe(&parts, of_labels) {
                Ok((named, description)) => self.points(&parts, named, description),
                Err(fault) => self.reject_all(&parts, message, fault),
            },
        }
        self.parts = parts;
        self.tables.limit_rows(self.ledger.offered())
    }

    /// Checks the labels and writes them behind the place of the digest; what is said of the metric.
    fn describe(
        &mut self,
        parts: &Parts<'a>,
        of_labels: Option<Fault>,
    ) -> Result<(Named<'a>, Description<'a>), Fault> {
        if let Some(fault) = of_labels {
            return Err(fault);
        }
        self.identity.clear();
        self.identity.extend_from_slice(&[0; DIGEST_BYTES]);
        let named = self.labels.write_series(&mut self.identity)?;
        let known = self.known;
        let family = known.iter().find_map(|families| families.find(named.name));
        let mut description = match family {
            Some(family) => Description {
                of: family.of,
                unit: &family.unit,
                help: &family.help,
            },
            None => Description::default(),
        };
        if !parts.metadata.is_empty() {
            description = self.own_description(parts.metadata)?;
        }
        Ok((named, description))
    }

    /// Reads a `Metadata` of version 2.
    fn own_description(&self, message: &'a [u8]) -> Result<Description<'a>, Fault> {
        let (mut of, mut help, mut unit) = (0, 0, 0);
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            match reader.key()? {
                0x08 => of = reader.varint()?,
                0x18 => help = reader.varint()?,
                0x20 => unit = reader.varint()?,
                key => reader.skip(key, METADATA_FIELDS)?,
            }
        }
        // Without symbols there is no text to refer to, not even the empty one.
        let text = |reference: u64| match reference {
            0 => Ok(&[][..]),
            reference => {
                let text = self.outline.symbol(reference)?;
                match simdutf8::basic::from_utf8(text) {
                    Ok(_) => Ok(text),
                    Err(_) => Err(Fault::NotText),
                }
            }
        };
        Ok(Description {
            of: MetricType::from_number(of),
            unit: text(unit)?,
            help: text(help)?,
        })
    }

    /// Rejects every point of a series; the first keeps the series.
    fn reject_all(&mut self, parts: &Parts<'a>, message: &'a [u8], fault: Fault) {
        let mut of = Some(format!("a series {{{}}}", self.labels.shown(SHOWN_BYTES)));
        let mut first = Some(message);
        for record in parts.records() {
            let ordinal = self.ledger.offer();
            let record = first.take().unwrap_or(record);
            self.ledger.reject(ordinal, record, fault, of.take());
        }
    }

    fn points(&mut self, parts: &Parts<'a>, named: Named<'a>, description: Description<'a>) {
        self.tables.begin_job(named.job);
        let run = |form| Run {
            name: named.name,
            form,
            is_gauge: description.of == MetricType::GaugeHistogram,
            description,
        };
        let created = points::nanos(parts.created);
        if !parts.samples.is_empty() {
            self.samples(parts, run(PointForm::Numbers), created);
        }
        let mut form = PointForm::Numbers;
        for message in &parts.histograms {
            let ordinal = self.ledger.offer();
            let rows = &mut self.tables.histograms;
            let read = created.and_then(|start| self.histogram.read(message, start, rows));
            match read {
                Ok(read) => {
                    form = read.form;
                    let mut run = run(form);
                    run.is_gauge |= read.of.reset_hint == Some(HINT_GAUGE);
                    let id = self.begin(run);
                    self.tables.histogram((id, ordinal), &read);
                }
                Err(fault) => {
                    self.tables.histograms.abandon();
                    let of = shown("a histogram of", named);
                    self.ledger.reject(ordinal, message, fault, Some(of));
                }
            }
        }
        if !parts.exemplars.is_empty() {
            let form = self.form_of_exemplars(parts, named, form);
            self.exemplars(parts, run(form), named);
        }
    }

    fn samples(&mut self, parts: &Parts<'a>, run: Run<'a>, created: Result<i64, Fault>) {
        // Only a series that has a point gets a row.
        let mut id = None;
        for message in &parts.samples {
            let ordinal = self.ledger.offer();
            let form = self.outline.form;
            match created.and_then(|start| points::sample(form, message, start)) {
                Ok(sample) => {
                    let id = *id.get_or_insert_with(|| self.begin(run));
                    self.tables.sample((id, ordinal), sample);
                }
                Err(fault) => {
                    let of = format!("a sample of {}", String::from_utf8_lossy(run.name));
                    self.ledger.reject(ordinal, message, fault, Some(of));
                }
            }
        }
    }

    /// Begins rows of `run` for the series at hand; its id.
    fn begin(&mut self, run: Run<'a>) -> i64 {
        self.tables.begin(run);
        let digest = digest(run.name, run.form, &mut self.scratch);
        self.identity[..DIGEST_BYTES].copy_from_slice(&digest);
        self.tables.series(&self.identity)
    }

    /// The form of the series that exemplars are of: that of the points beside them, or of points that came before.
    fn form_of_exemplars(
        &mut self,
        parts: &Parts<'a>,
        named: Named<'a>,
        of_histograms: PointForm,
    ) -> PointForm {
        if !parts.samples.is_empty() || of_histograms != PointForm::Numbers {
            return of_histograms;
        }
        let forms = [PointForm::Exponential, PointForm::Custom];
        let known = forms.into_iter().find(|form| {
            let digest = digest(named.name, *form, &mut self.scratch);
            self.identity[..DIGEST_BYTES].copy_from_slice(&digest);
            self.tables.has(&self.identity)
        });
        known.unwrap_or(PointForm::Numbers)
    }

    fn exemplars(&mut self, parts: &Parts<'a>, run: Run<'a>, named: Named<'a>) {
        for message in parts.exemplars.iter().copied() {
            let ordinal = self.ledger.offer();
            let read = self.exemplar(message);
            match read {
                Ok((exemplar, trace_id, span_id)) => {
                    let id = self.begin(run);
                    let exemplar = Exemplar {
                        time: exemplar.time,
                        value: Number::Double(exemplar.value),
                        trace_id: &trace_id,
                        span_id: &span_id,
                    };
                    self.tables.exemplar((id, ordinal), &exemplar);
                }
                Err(fault) => {
                    self.tables.exemplars.abandon();
                    let of = shown("an exemplar of", named);
                    self.ledger.reject(ordinal, message, fault, Some(of));
                }
            }
        }
    }

    /// Reads an exemplar, its attributes into the table.
    fn exemplar(
        &mut self,
        message: &'a [u8],
    ) -> Result<(points::Exemplar, [u8; 16], [u8; 8]), Fault> {
        let exemplar = points::exemplar(self.outline, message, &mut self.labels)?;
        let trace_id = self.labels.take_id::<16>(b"trace_id");
        let span_id = self.labels.take_id::<8>(b"span_id");
        let attributes = &mut self.tables.exemplars.attributes;
        self.duplicate_keys += self.labels.write_exemplar(attributes.open_row())?;
        attributes.end_row();
        Ok((exemplar, trace_id, span_id))
    }

    /// Rejects the lines that made no series.
    fn lines(&mut self) -> Result<(), DecodeError> {
        for message in self.outline.lines.iter().copied() {
            let ordinal = self.ledger.offer();
            match read_line(message) {
                Ok((line, reason, detail)) => self.ledger.push(ordinal, line, (reason, detail)),
                Err(flaw) => {
                    let of = Some("a line".to_string());
                    self.ledger.reject(ordinal, message, Fault::Wire(flaw), of);
                }
            }
        }
        self.tables.limit_rows(self.ledger.offered())
    }

    /// The outcome of the request.
    pub(super) fn finish(mut self) -> Result<Decoded, DecodeError> {
        self.lines()?;
        let (offered, rejected) = self.ledger.finish();
        let tables = self
            .tables
            .finish()
            .map_err(|unfit| DecodeError::Internal {
                detail: format!("{unfit:?}"),
            })?;
        Ok(Decoded {
            tables,
            rejected,
            offered,
            duplicate_keys: self.duplicate_keys,
            ..Decoded::default()
        })
    }
}

fn shown(what: &str, named: Named<'_>) -> String {
    format!("{what} {}", String::from_utf8_lossy(named.name))
}

/// Reads a line that made no series (docs/formats/wal.md): its bytes, why, and what was found.
fn read_line(message: &[u8]) -> Result<(&[u8], Reason, String), Flaw> {
    let (mut code, mut detail, mut line): (u64, &[u8], &[u8]) = (0, &[], &[]);
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x08 => code = reader.varint()?,
            0x12 => detail = reader.bytes()?,
            0x1a => line = reader.bytes()?,
            key => reader.skip(key, LINE_FIELDS)?,
        }
    }
    let reason = u8::try_from(code).ok().and_then(Reason::from_code);
    let detail = String::from_utf8_lossy(detail).into_owned();
    Ok((line, reason.unwrap_or(Reason::Malformed), detail))
}
