//! The Prometheus text format (0.0.4) and OpenMetrics (1.0), with the quoted names of Prometheus 3.
//!
//! Histograms and summaries are the series that they are written as. What `# TYPE`, `# HELP` and `# UNIT` say holds for
//! the samples behind it.

use crate::{
    error::Result,
    prometheus::{
        Families, MetricType,
        samples::{Exemplar, Label, Sample, SampleWriter, Value},
    },
};
use cairn_storage::{append::Reason, time::Nanos};
use std::borrow::Cow;

const NANOS_PER_MILLI: i64 = 1_000_000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Labels as they were read, sorted by name.
pub(crate) type ReadLabels<'a> = Vec<(Cow<'a, [u8]>, Cow<'a, [u8]>)>;

/// A sample as it stands in a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReadSample<'a> {
    /// With `__name__`.
    pub(crate) labels: ReadLabels<'a>,
    pub(crate) value: f64,
    /// ns.
    pub(crate) time: Option<i64>,
    pub(crate) exemplar: Option<ReadExemplar<'a>>,
}

/// An exemplar as it stands in a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReadExemplar<'a> {
    pub(crate) labels: ReadLabels<'a>,
    pub(crate) value: f64,
    /// ns.
    pub(crate) time: Option<i64>,
}

/// A line that is a sample, or is wrong.
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) bytes: &'a [u8],
    pub(crate) sample: std::result::Result<ReadSample<'a>, &'static str>,
}

/// Reads all lines that are samples, or wrong, with what is known of their metrics where they stand; at the end it is
/// returned.
pub(crate) fn read<'a, E>(
    text: &'a [u8],
    is_openmetrics: bool,
    mut each: impl FnMut(Line<'a>, &Families) -> Result<(), E>,
) -> Result<Families, E> {
    let mut families = Families::default();
    for (at, bytes) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = bytes.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let number = at + 1;
        if let Some(comment) = line.strip_prefix(b"#") {
            if comment.trim_ascii() == b"EOF" && is_openmetrics {
                break;
            }
            learn(comment.trim_ascii_start(), &mut families);
            continue;
        }
        let sample = Cursor { rest: line }.sample(is_openmetrics);
        let line = Line {
            number,
            bytes,
            sample,
        };
        each(line, &families)?;
    }
    Ok(families)
}

/// Writes the samples of `text`, received at `received`, which is the time of those that have none.
pub(super) fn write(
    text: &[u8],
    is_openmetrics: bool,
    received: Nanos,
    writer: &mut SampleWriter<'_>,
) -> Result<()> {
    read(text, is_openmetrics, |line, families| match &line.sample {
        Ok(sample) => write_sample(sample, received, families, writer),
        Err(what) => {
            let detail = format!("line {}: {what}", line.number);
            writer.reject(line.bytes, Reason::Malformed, &detail)
        }
    })?;
    Ok(())
}

fn write_sample(
    read: &ReadSample<'_>,
    received: Nanos,
    families: &Families,
    writer: &mut SampleWriter<'_>,
) -> Result<()> {
    let time = read.time.unwrap_or(received.0);
    let labels = borrowed(&read.labels);
    let name = labels.iter().find(|label| label.0 == b"__name__");
    let family = name.and_then(|name| families.find(name.1));
    let sample = Sample {
        time,
        value: Value::Double(read.value),
    };
    let of_exemplar = read
        .exemplar
        .as_ref()
        .map(|exemplar| borrowed(&exemplar.labels));
    let exemplar = read.exemplar.as_ref().zip(of_exemplar.as_ref());
    let exemplar = exemplar.map(|(exemplar, labels)| Exemplar {
        labels,
        value: exemplar.value,
        time: exemplar.time.unwrap_or(time),
    });
    writer.sample(&labels, &sample, exemplar.as_ref(), family)
}

pub(crate) fn borrowed<'a>(labels: &'a ReadLabels<'_>) -> Vec<Label<'a>> {
    let pair = |(name, value): &'a (Cow<'_, [u8]>, Cow<'_, [u8]>)| (&**name, &**value);
    labels.iter().map(pair).collect()
}

/// Learns what a comment says of a metric. Other comments say nothing.
fn learn(comment: &[u8], families: &mut Families) {
    let (keyword, rest) = word(comment);
    let is_known = matches!(keyword, b"TYPE" | b"HELP" | b"UNIT");
    if !is_known {
        return;
    }
    let mut cursor = Cursor { rest };
    let name = match rest.first() {
        Some(b'"') => match cursor.quoted() {
            Ok(name) => name,
            Err(_) => return,
        },
        _ => {
            let (name, rest) = word(rest);
            cursor.rest = rest;
            Cow::Borrowed(name)
        }
    };
    let text = cursor.rest.trim_ascii_start();
    let known = families.find_exact(&name);
    let (mut of, mut unit, mut help) = known.unwrap_or_default();
    match keyword {
        b"TYPE" => of = MetricType::from_name(text.trim_ascii()).unwrap_or_default(),
        b"UNIT" => unit = text.trim_ascii().into(),
        _ => help = unescaped(text, false).into_owned().into(),
    }
    families.learn(&name, of, &unit, &help);
}

/// The first word of a text and what is behind it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_ascii_start())
}

/// Reads a line from its start.
struct Cursor<'a> {
    rest: &'a [u8],
}

type Step<T> = std::result::Result<T, &'static str>;

impl<'a> Cursor<'a> {
    fn sample(mut self, is_openmetrics: bool) -> Step<ReadSample<'a>> {
        let mut labels = Vec::new();
        if self.rest.first() != Some(&b'{') {
            let end = self
                .rest
                .iter()
                .position(|byte| matches!(byte, b'{' | b' ' | b'\t'));
            let end = end.ok_or("a sample has no value")?;
            let name = self.take(end);
            labels.push((Cow::Borrowed(&b"__name__"[..]), Cow::Borrowed(name)));
            self.skip_blanks();
        }
        if self.rest.first() == Some(&b'{') {
            self.labels(&mut labels, true)?;
        }
        sort(&mut labels)?;
        if !labels
            .iter()
            .any(|label| *label.0 == *b"__name__" && !label.1.is_empty())
        {
            return Err("a sample has no name");
        }
        let value = number(self.token())?;
        let time = self.time(is_openmetrics)?;
        let exemplar = match self.rest.first() {
            Some(b'#') if is_openmetrics => Some(self.exemplar()?),
            Some(_) => return Err("there is something behind the sample"),
            None => None,
        };
        Ok(ReadSample {
            labels,
            value,
            time,
            exemplar,
        })
    }

    fn exemplar(&mut self) -> Step<ReadExemplar<'a>> {
        self.take(1);
        self.skip_blanks();
        if self.rest.first() != Some(&b'{') {
            return Err("an exemplar has no labels");
        }
        let mut labels = Vec::new();
        self.labels(&mut labels, false)?;
        sort(&mut labels)?;
        let value = number(self.token())?;
        let time = self.time(true)?;
        match self.rest {
            [] => Ok(ReadExemplar {
                labels,
                value,
                time,
            }),
            _ => Err("there is something behind the exemplar"),
        }
    }

    /// Reads `{…}`; a quoted text without a value is the name of the metric, where it may have one here.
    fn labels(&mut self, labels: &mut ReadLabels<'a>, may_name: bool) -> Step<()> {
        self.take(1);
        loop {
            self.skip_blanks();
            if self.accept(b'}') {
                return Ok(());
            }
            let is_quoted = self.rest.first() == Some(&b'"');
            let name = match is_quoted {
                true => self.quoted()?,
                false => self.label_name()?,
            };
            self.skip_blanks();
            if self.accept(b'=') {
                self.skip_blanks();
                labels.push((name, self.quoted()?));
            } else if is_quoted && may_name {
                labels.push((Cow::Borrowed(&b"__name__"[..]), name));
            } else {
                return Err("a label has no value");
            }
            self.skip_blanks();
            if !self.accept(b',') && self.rest.first() != Some(&b'}') {
                return Err("labels do not end");
            }
        }
    }

    fn label_name(&mut self) -> Step<Cow<'a, [u8]>> {
        let is_end = |byte: &u8| matches!(byte, b'=' | b' ' | b'\t' | b',' | b'}' | b'"');
        let end = self
            .rest
            .iter()
            .position(is_end)
            .ok_or("labels do not end")?;
        match end {
            0 => Err("a label has no name"),
            end => Ok(Cow::Borrowed(self.take(end))),
        }
    }

    /// Reads a text in quotes.
    fn quoted(&mut self) -> Step<Cow<'a, [u8]>> {
        if !self.accept(b'"') {
            return Err("a value of a label is not in quotes");
        }
        let mut at = 0;
        while let Some(byte) = self.rest.get(at) {
            match byte {
                b'"' => {
                    let text = self.take(at);
                    self.take(1);
                    return Ok(unescaped(text, true));
                }
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        Err("a quote does not end")
    }

    /// Reads a time, where there is one.
    fn time(&mut self, is_openmetrics: bool) -> Step<Option<i64>> {
        if matches!(self.rest.first(), None | Some(b'#')) {
            return Ok(None);
        }
        let token = self.token();
        let time = match is_openmetrics {
            true => seconds(token),
            false => text_of(token)
                .and_then(|text| text.parse::<i64>().ok())
                .and_then(|millis| millis.checked_mul(NANOS_PER_MILLI)),
        };
        match time {
            Some(time) if time >= 0 => Ok(Some(time)),
            _ => Err("its time is not readable, before 1970 or after 2262"),
        }
    }

    /// Reads up to the next blank, and the blanks behind it.
    fn token(&mut self) -> &'a [u8] {
        self.skip_blanks();
        let end = self.rest.iter().position(u8::is_ascii_whitespace);
        let token = self.take(end.unwrap_or(self.rest.len()));
        self.skip_blanks();
        token
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        self.take(usize::from(found));
        found
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}

/// Sorts labels by name; a name that stands twice makes no series.
fn sort(labels: &mut ReadLabels<'_>) -> Step<()> {
    labels.sort_by(|a, b| a.0.cmp(&b.0));
    match labels.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        true => Err("a label stands twice"),
        false => Ok(()),
    }
}

/// The text without its escapes: `\\`, `\n` and, in quotes, `\"`. Others stand as they are.
fn unescaped(text: &[u8], in_quotes: bool) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        let (byte, length) = match (first, behind.first()) {
            (b'\\', Some(b'\\')) => (b'\\', 2),
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(b'"')) if in_quotes => (b'"', 2),
            (byte, _) => (*byte, 1),
        };
        out.push(byte);
        rest = &rest[length..];
    }
    Cow::Owned(out)
}

fn text_of(token: &[u8]) -> Option<&str> {
    std::str::from_utf8(token).ok()
}

/// A value as Go's `ParseFloat` reads it, less hexadecimal and underscores.
fn number(token: &[u8]) -> Step<f64> {
    let number = text_of(token).and_then(|text| text.parse::<f64>().ok());
    number.ok_or("its value is no number")
}

/// Seconds as ns, without rounding where they are written as decimals.
fn seconds(token: &[u8]) -> Option<i64> {
    let text = text_of(token)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        let nanos = (text.parse::<f64>().ok()? * NANOS_PER_SECOND as f64).round();
        return (nanos.abs() < i64::MAX as f64).then_some(nanos as i64);
    }
    let nanos: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let whole = whole.parse::<i64>().ok()?.checked_mul(NANOS_PER_SECOND)?;
    whole.checked_add(nanos.parse().ok()?)
}
