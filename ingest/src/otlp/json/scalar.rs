//! Values of single fields and of lists of them: text, numbers in all forms that proto3 allows, ids, bytes.

use super::{
    Transcoder,
    error::{Result, Stop},
    lex::Quoted,
    number::{self, Unfit},
    schema::{Field, Kind},
    shown,
};
use crate::otlp::wire::{FIXED32, FIXED64, VARINT, key};
use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use std::borrow::Cow;

/// Padding or none, as proto3's JSON mapping allows.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

impl<'j> Transcoder<'j, '_> {
    /// Reads the value of a field that is no message. `null` has been read already.
    #[inline]
    pub(super) fn scalar(&mut self, field: &'static Field) -> Result<()> {
        let number = field.number;
        match field.kind {
            Kind::Text => {
                let text = self.string(field)?;
                self.output.text(number, text)
            }
            Kind::Id => self.id(field),
            Kind::Bytes => self.base64(field),
            Kind::Bool => {
                let value = self.boolean(field)?;
                self.output.varint(key(number, VARINT), value.into())
            }
            Kind::Double => {
                let value = self.double(field)?;
                self.output.fixed64(key(number, FIXED64), value.to_bits())
            }
            Kind::Fixed64 => {
                let value = self.whole(field, 0, u64::MAX.into())?;
                self.output.fixed64(key(number, FIXED64), value as u64)
            }
            Kind::Sfixed64 => {
                let value = self.whole(field, i64::MIN.into(), i64::MAX.into())?;
                self.output.fixed64(key(number, FIXED64), value as u64)
            }
            Kind::Fixed32 => {
                let value = self.whole(field, 0, u32::MAX.into())?;
                self.output.fixed32(key(number, FIXED32), value as u32)
            }
            Kind::Texts => self.list(field, Self::element_text),
            Kind::Fixed64s => self.packed(field, Self::element_fixed64),
            Kind::Doubles => self.packed(field, Self::element_double),
            Kind::Uint64s => self.packed(field, Self::element_uint64),
            _ => self.varint(field),
        }
    }

    /// Integers that protobuf writes in as many bytes as they need.
    fn varint(&mut self, field: &'static Field) -> Result<()> {
        let (least, most) = match field.kind {
            Kind::Int64 => (i64::MIN.into(), i64::MAX.into()),
            Kind::Uint32 => (0, u32::MAX.into()),
            _ => (i32::MIN.into(), i32::MAX.into()),
        };
        if field.kind == Kind::Enum && self.lexer.peek() == b'"' {
            return Err(self.named_enum(field));
        }
        let value = self.whole(field, least, most)?;
        let bits = match field.kind {
            Kind::Zigzag32 => {
                let value = value as i32;
                u64::from((value << 1 ^ value >> 31) as u32)
            }
            // Negative ones are written with all 64 bits.
            _ => value as i64 as u64,
        };
        self.output.varint(key(field.number, VARINT), bits)
    }

    #[cold]
    fn named_enum(&mut self, field: &Field) -> Box<Stop> {
        let offset = self.lexer.offset();
        match self.lexer.string() {
            Ok(name) => {
                let name = shown(name.raw);
                let what =
                    format!("OTLP/JSON has enums as numbers: send the number and not {name:?}");
                self.wrong(offset, field, &what)
            }
            Err(stop) => stop,
        }
    }

    #[inline]
    fn string(&mut self, field: &Field) -> Result<Quoted<'j>> {
        if self.lexer.peek() != b'"' {
            return Err(self.other_type(field, "a string"));
        }
        self.lexer.string()
    }

    fn boolean(&mut self, field: &Field) -> Result<bool> {
        match self.lexer.peek() {
            b't' => self.lexer.word("true").map(|()| true),
            b'f' => self.lexer.word("false").map(|()| false),
            _ => Err(self.other_type(field, "true or false")),
        }
    }

    /// The text of a number, which may stand in quotes.
    #[inline]
    fn number(&mut self, field: &Field) -> Result<Cow<'j, [u8]>> {
        match self.lexer.peek() {
            b'"' => {
                let text = self.lexer.string()?;
                self.output.aside(text)
            }
            b'-' | b'0'..=b'9' => self.lexer.number().map(Cow::Borrowed),
            _ => Err(self.other_type(field, "a number")),
        }
    }

    /// A whole number within limits.
    #[inline]
    fn whole(&mut self, field: &Field, least: i128, most: i128) -> Result<i128> {
        self.lexer.peek();
        let offset = self.lexer.offset();
        let text = self.number(field)?;
        match number::whole(&text) {
            Ok(value) if least <= value && value <= most => Ok(value),
            Ok(_) | Err(Unfit::OutOfRange) => {
                let what = format!("{} is not from {least} to {most}", shown(&text));
                Err(self.wrong(offset, field, &what))
            }
            Err(Unfit::NotWhole) => {
                let what = format!("{} is no whole number", shown(&text));
                Err(self.wrong(offset, field, &what))
            }
            Err(Unfit::NotANumber) => Err(self.no_number(offset, field, &text)),
        }
    }

    fn double(&mut self, field: &Field) -> Result<f64> {
        let is_quoted = self.lexer.peek() == b'"';
        let offset = self.lexer.offset();
        let text = self.number(field)?;
        match &text[..] {
            b"NaN" if is_quoted => return Ok(f64::NAN),
            b"Infinity" if is_quoted => return Ok(f64::INFINITY),
            b"-Infinity" if is_quoted => return Ok(f64::NEG_INFINITY),
            _ => {}
        }
        number::double(&text).map_err(|unfit| match unfit {
            Unfit::OutOfRange => {
                let what = format!("{} is beyond the range of doubles", shown(&text));
                self.wrong(offset, field, &what)
            }
            _ => self.no_number(offset, field, &text),
        })
    }

    #[cold]
    fn no_number(&self, offset: usize, field: &Field, text: &[u8]) -> Box<Stop> {
        let what = format!("{:?} is no number", shown(text));
        self.wrong(offset, field, &what)
    }

    /// A trace id or span id. One of a wrong length is the decoder's to judge, as in protobuf; one that is not
    /// hexadecimal, such as base64, is not.
    fn id(&mut self, field: &Field) -> Result<()> {
        self.lexer.peek();
        let offset = self.lexer.offset();
        let text = self.string(field)?;
        let digits = self.output.aside(text)?;
        if let Some(wrong) = digits.iter().find(|digit| !digit.is_ascii_hexdigit()) {
            let what = format!(
                "ids are hexadecimal, not base64 or other text: {:?} is no digit",
                char::from(*wrong)
            );
            return Err(self.wrong(offset, field, &what));
        }
        if digits.len() % 2 == 1 {
            // As long as no id is.
            return self.output.bytes(field.number, &digits);
        }
        let length = digits.len() / 2;
        let decoded = self.output.written(field.number, length, |out| {
            let start = out.len();
            out.resize(start + length, 0);
            hex::decode_to_slice(&digits[..], &mut out[start..]).ok()
        })?;
        decoded.ok_or_else(|| self.wrong(offset, field, "not hexadecimal"))
    }

    fn base64(&mut self, field: &Field) -> Result<()> {
        self.lexer.peek();
        let offset = self.lexer.offset();
        let text = self.string(field)?;
        let text = self.output.aside(text)?;
        let is_url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let engine = if is_url_safe { &BASE64_URL } else { &BASE64 };
        // Whole groups of four, as the decoder asks for.
        let most = text.len().div_ceil(4) * 3;
        let decoded = self.output.written(field.number, most, |out| {
            let start = out.len();
            out.resize(start + most, 0);
            let length = engine.decode_slice(&text[..], &mut out[start..]);
            out.truncate(start + *length.as_ref().unwrap_or(&0));
            length.ok().map(drop)
        })?;
        decoded.ok_or_else(|| self.wrong(offset, field, "bytes are base64, and this is not"))
    }

    /// Reads a list of single values, each with `element`.
    fn list(
        &mut self,
        field: &'static Field,
        element: fn(&mut Self, &'static Field) -> Result<()>,
    ) -> Result<()> {
        if !self.lexer.take(b'[') {
            return Err(self.other_type(field, "an array"));
        }
        let mut is_first = true;
        while self.lexer.next(is_first, b']')? {
            is_first = false;
            element(self, field)?;
        }
        Ok(())
    }

    /// The same, as one packed field.
    fn packed(
        &mut self,
        field: &'static Field,
        element: fn(&mut Self, &'static Field) -> Result<()>,
    ) -> Result<()> {
        let begun = self.output.begin(field.number, false)?;
        self.list(field, element)?;
        self.output.end(begun)
    }

    fn element_text(&mut self, field: &'static Field) -> Result<()> {
        if self.is_null()? {
            return self.output.bytes(field.number, &[]);
        }
        let text = self.string(field)?;
        self.output.text(field.number, text)
    }

    fn element_fixed64(&mut self, field: &'static Field) -> Result<()> {
        let value = match self.is_null()? {
            true => 0,
            false => self.whole(field, 0, u64::MAX.into())?,
        };
        self.output.element64(value as u64)
    }

    fn element_double(&mut self, field: &'static Field) -> Result<()> {
        let value = match self.is_null()? {
            true => 0.0,
            false => self.double(field)?,
        };
        self.output.element64(value.to_bits())
    }

    fn element_uint64(&mut self, field: &'static Field) -> Result<()> {
        let value = match self.is_null()? {
            true => 0,
            false => self.whole(field, 0, u64::MAX.into())?,
        };
        self.output.element(value as u64)
    }

    fn is_null(&mut self) -> Result<bool> {
        if self.lexer.peek() != b'n' {
            return Ok(false);
        }
        self.lexer.word("null").map(|()| true)
    }
}
