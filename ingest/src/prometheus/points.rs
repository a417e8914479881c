//! Samples and exemplars as they stand in a request.

use super::{
    fault::Fault,
    labels::Labels,
    outline::{Form, Outline},
};
use crate::otlp::{
    rows::metrics::Number,
    wire::{Reader, numbers},
};

/// The bits of the NaN with which Prometheus says that a series has no value from here on
/// (`model/value/value.go`, `StaleNaN`).
pub(crate) const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// OTLP's flag of a point without a recorded value (`DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`).
pub(super) const NO_RECORDED_VALUE: u32 = 1;

/// Nanoseconds of a millisecond.
const NANOS_PER_MILLI: i64 = 1_000_000;

/// A sample.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sample {
    /// ns.
    pub(super) time: i64,
    /// ns; 0 where it has none.
    pub(super) start: i64,
    pub(super) flags: u32,
    pub(super) value: Number,
}

/// An exemplar less its labels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Exemplar {
    /// ns; 0 where it has none.
    pub(super) time: i64,
    pub(super) value: f64,
}

const SAMPLE_ONE: u64 = numbers([1, 2]);
const SAMPLE_TWO: u64 = numbers([1, 2, 3]);
const EXEMPLAR_FIELDS: u64 = numbers([1, 2, 3]);

/// Keys of the fields 100 and 101 of a sample of ours.
const REST_NANOS: u32 = 100 << 3;
const INTEGER: u32 = 101 << 3;

/// Milliseconds of a request as ns. Before 1970 nothing was measured, and OTLP has no such time.
#[inline]
pub(super) fn nanos(millis: u64) -> Result<i64, Fault> {
    let millis = millis as i64;
    if millis < 0 {
        return Err(Fault::Time);
    }
    millis.checked_mul(NANOS_PER_MILLI).ok_or(Fault::Time)
}

/// Reads a `Sample` of a series that began at `start` (ns).
#[inline]
pub(super) fn sample(form: Form, message: &[u8], start: i64) -> Result<Sample, Fault> {
    let (mut bits, mut millis, mut own_start) = (0, 0, 0);
    let (mut rest, mut integer) = (0, None);
    let known = if form == Form::One {
        SAMPLE_ONE
    } else {
        SAMPLE_TWO
    };
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match (reader.key()?, form) {
            (0x09, _) => bits = reader.fixed64()?,
            (0x10, _) => millis = reader.varint()?,
            (0x18, Form::Two | Form::Own) => own_start = reader.varint()?,
            (REST_NANOS, Form::Own) => rest = reader.varint()?,
            (INTEGER, Form::Own) => integer = Some(zigzag(reader.varint()?)),
            (key, _) => reader.skip(key, known)?,
        }
    }
    let rest = i64::try_from(rest).map_err(|_| Fault::Time)?;
    let time = nanos(millis)?.checked_add(rest).ok_or(Fault::Time)?;
    let start = if own_start == 0 {
        start
    } else {
        nanos(own_start)?
    };
    let (flags, value) = match (integer, bits) {
        (Some(integer), _) => (0, Number::Int(integer)),
        (None, STALE_NAN_BITS) => (NO_RECORDED_VALUE, Number::None),
        (None, bits) => (0, number(f64::from_bits(bits))),
    };
    Ok(Sample {
        time,
        start,
        flags,
        value,
    })
}

/// Doubles below this are exact as whole numbers, one by one.
const WHOLE: f64 = (1_u64 << 53) as f64;

/// A value, as an integer where it is one: most counters are, and take half the bytes in a segment then. The double that it
/// was comes back bit by bit, so -0 stays one.
#[inline]
fn number(value: f64) -> Number {
    let whole = value as i64;
    match value.abs() < WHOLE && (whole as f64).to_bits() == value.to_bits() {
        true => Number::Int(whole),
        false => Number::Double(value),
    }
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Reads an `Exemplar`, its labels into `labels`.
pub(super) fn exemplar<'a>(
    outline: &Outline<'a>,
    message: &'a [u8],
    labels: &mut Labels<'a>,
) -> Result<Exemplar, Fault> {
    labels.begin();
    let mut exemplar = Exemplar::default();
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match (reader.key()?, outline.form) {
            (0x0a, _) => labels.add(outline, reader.bytes()?)?,
            (0x08, Form::Two | Form::Own) => labels.add_reference(outline, reader.varint()?)?,
            (0x11, _) => exemplar.value = reader.double()?,
            (0x18, _) => exemplar.time = nanos(reader.varint()?)?,
            (key, _) => reader.skip(key, EXEMPLAR_FIELDS)?,
        }
    }
    Ok(exemplar)
}

#[cfg(test)]
mod tests {
    use super::{Number, number};

    #[test]
    fn whole_values_are_integers_and_come_back_as_they_were() {
        let whole = [
            (0.0, 0),
            (-7.0, -7),
            (9_007_199_254_740_991.0, 9_007_199_254_740_991),
        ];
        for (value, integer) in whole {
            assert_eq!(number(value), Number::Int(integer));
        }
        let others = [-0.0, 1.5, 9_007_199_254_740_992.0, 1e300, f64::INFINITY];
        for value in others {
            assert_eq!(number(value), Number::Double(value));
        }
        let odd = f64::from_bits(0x7ff8_0000_0000_0001);
        assert!(matches!(number(odd), Number::Double(kept) if kept.to_bits() == odd.to_bits()));
    }
}
