//! Where series, symbols and metadata are in a request.

use super::{
    family::{Families, MetricType},
    fault::Fault,
};
use crate::otlp::{
    DecodeError,
    tally::limit_rows,
    wire::{Flaw, Reader, numbers},
};
use cairn_storage::signal::Encoding;

/// Which messages a request is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `prometheus.WriteRequest`.
    One,
    /// `io.prometheus.write.v2.Request`.
    Two,
    /// The same with fields of ours.
    Own,
}

/// The parts of a request.
#[derive(Debug)]
pub(super) struct Outline<'a> {
    pub(super) form: Form,
    pub(super) series: Vec<&'a [u8]>,
    symbols: Vec<&'a [u8]>,
    metadata: Vec<&'a [u8]>,
    /// Lines that made no series ([`Form::Own`] only).
    pub(super) lines: Vec<&'a [u8]>,
}

const FIELDS_ONE: u64 = numbers([1, 3]);
const FIELDS_TWO: u64 = numbers([4, 5]);
const METADATA_FIELDS: u64 = numbers([1, 2, 4, 5]);

/// Field 100 of a request of ours: a line that made no series.
const LINE: u32 = (100 << 3) | 2;

impl Form {
    pub(super) fn of(encoding: Encoding) -> Option<Form> {
        match encoding {
            Encoding::PrometheusV1 => Some(Form::One),
            Encoding::PrometheusV2 => Some(Form::Two),
            Encoding::Samples => Some(Form::Own),
            Encoding::OtlpProtobuf | Encoding::OtlpJson | Encoding::Replay => None,
        }
    }
}

impl<'a> Outline<'a> {
    pub(super) fn read(encoding: Encoding, payload: &'a [u8]) -> Result<Self, DecodeError> {
        let form = Form::of(encoding).ok_or(DecodeError::Encoding { encoding })?;
        let mut outline = Outline {
            form,
            series: Vec::new(),
            symbols: Vec::new(),
            metadata: Vec::new(),
            lines: Vec::new(),
        };
        let mut reader = Reader::new(payload);
        while !reader.is_empty() {
            let offset = payload.len() - reader.rest().len();
            let malformed = |flaw: Flaw| DecodeError::Malformed {
                offset,
                what: flaw.what(),
            };
            outline.field(&mut reader).map_err(malformed)?;
            limit_rows("series", outline.series.len())?;
            limit_rows("symbols", outline.symbols.len())?;
        }
        if outline
            .symbols
            .first()
            .is_some_and(|first| !first.is_empty())
        {
            return Err(DecodeError::Malformed {
                offset: 0,
                what: "the first symbol is not the empty text",
            });
        }
        Ok(outline)
    }

    fn field(&mut self, reader: &mut Reader<'a>) -> Result<(), Flaw> {
        let key = reader.key()?;
        match (self.form, key) {
            (Form::One, 0x0a) => self.series.push(reader.bytes()?),
            (Form::One, 0x1a) => self.metadata.push(reader.bytes()?),
            (Form::One, _) => reader.skip(key, FIELDS_ONE)?,
            (_, 0x22) => self.symbols.push(reader.bytes()?),
            (_, 0x2a) => self.series.push(reader.bytes()?),
            (Form::Own, LINE) => self.lines.push(reader.bytes()?),
            (_, _) => reader.skip(key, FIELDS_TWO)?,
        }
        Ok(())
    }

    /// The symbol with this number.
    #[inline]
    pub(super) fn symbol(&self, reference: u64) -> Result<&'a [u8], Fault> {
        let at = usize::try_from(reference).map_err(|_| Fault::Symbol)?;
        self.symbols.get(at).copied().ok_or(Fault::Symbol)
    }

    /// What the metadata messages of the request say.
    pub(super) fn families(&self, payload: &[u8]) -> Result<Families, DecodeError> {
        let mut families = Families::default();
        for message in &self.metadata {
            read_metadata(message, &mut families).map_err(|flaw| DecodeError::Malformed {
                offset: (message.as_ptr() as usize).saturating_sub(payload.as_ptr() as usize),
                what: flaw.what(),
            })?;
        }
        Ok(families)
    }
}

/// Reads a `prometheus.MetricMetadata`.
fn read_metadata(message: &[u8], families: &mut Families) -> Result<(), Flaw> {
    let (mut of, mut name, mut help, mut unit): (u64, &[u8], &[u8], &[u8]) = (0, &[], &[], &[]);
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x08 => of = reader.varint()?,
            0x12 => name = reader.bytes()?,
            0x22 => help = reader.bytes()?,
            0x2a => unit = reader.bytes()?,
            key => reader.skip(key, METADATA_FIELDS)?,
        }
    }
    families.learn(name, MetricType::from_number(of), unit, help);
    Ok(())
}
