//! Protobuf's wire format: keys, varints, fixed-width numbers, length-delimited bytes, skipped groups.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>. A reader borrows; it never copies, and it never
//! allocates by a length that the sender declared.

use cairn_storage::append::Reason;

/// What is wrong with the bytes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    CutVarint,
    LongVarint,
    CutNumber,
    CutBytes,
    BadKey,
    BadWireType,
    OtherWireType,
    UnexpectedGroupEnd,
    DeepGroup,
    CutPacked,
    TooDeep,
    TimeOutOfRange,
    TooManyKeys,
    TooManyEntities,
}

impl Flaw {
    /// The reason that a record with this flaw is rejected for.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Flaw::TooDeep => Reason::TooDeep,
            Flaw::TimeOutOfRange => Reason::TimeOutOfRange,
            Flaw::TooManyKeys => Reason::TooManyAttributes,
            Flaw::TooManyEntities => Reason::TooLarge,
            _ => Reason::Malformed,
        }
    }

    /// What was found and, where there is one, the limit.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Flaw::CutVarint => "a varint is cut off",
            Flaw::LongVarint => "a varint is longer than 64 bits",
            Flaw::CutNumber => "a fixed-width number is cut off",
            Flaw::CutBytes => "a field is longer than what holds it",
            Flaw::BadKey => "a field has number 0 or one above 2^29 - 1",
            Flaw::BadWireType => "a field has wire type 6 or 7",
            Flaw::OtherWireType => "a field has a wire type that is not its own",
            Flaw::UnexpectedGroupEnd => "a group ends that did not begin",
            Flaw::DeepGroup => "groups are nested deeper than 128 levels",
            Flaw::CutPacked => "packed numbers are cut off",
            Flaw::TooDeep => "values are nested deeper than 64 levels",
            Flaw::TimeOutOfRange => {
                "a time is after 2262-04-11, more than 64 signed bits of ns hold"
            }
            Flaw::TooManyKeys => "a map has more than 65536 keys",
            Flaw::TooManyEntities => "a resource refers to more than 1024 entities",
        }
    }
}

/// Groups nested deeper are malformed: more than prost's 100, so that we take whatever it takes.
const MAX_GROUPS: usize = 128;

/// The wire types.
pub(crate) const VARINT: u32 = 0;
pub(crate) const FIXED64: u32 = 1;
pub(crate) const BYTES: u32 = 2;
const GROUP: u32 = 3;
const GROUP_END: u32 = 4;
pub(crate) const FIXED32: u32 = 5;

/// The key of a field: its number and its wire type in one integer, as on the wire.
pub(crate) const fn key(number: u32, wire_type: u32) -> u32 {
    (number << 3) | wire_type
}

/// A set of field numbers below 64.
pub(crate) const fn numbers<const N: usize>(numbers: [u32; N]) -> u64 {
    let mut set = 0;
    let mut i = 0;
    while i < N {
        set |= 1 << numbers[i];
        i += 1;
    }
    set
}

/// Reads a message field by field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Reader { rest: message }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The key of the next field (see [`key`]).
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Result<u32, Flaw> {
        match self.rest {
            [byte @ 0x08..=0x7f, rest @ ..] => {
                self.rest = rest;
                Ok(u32::from(*byte))
            }
            _ => self.long_key(),
        }
    }

    /// Whether the next field has this key (below 128), which is then read.
    ///
    /// Senders write fields in the order of their numbers; asking for one after the other is foreseen by the
    /// processor, unlike a jump by key.
    #[inline(always)]
    pub(crate) fn next_is(&mut self, key: u32) -> bool {
        match self.rest {
            [byte, rest @ ..] if u32::from(*byte) == key => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    #[inline(never)]
    fn long_key(&mut self) -> Result<u32, Flaw> {
        let key = u32::try_from(self.varint()?).map_err(|_| Flaw::BadKey)?;
        if key >> 3 == 0 {
            Err(Flaw::BadKey)
        } else {
            Ok(key)
        }
    }

    /// A varint of up to 10 bytes; zero-padded (overlong) ones are taken.
    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Result<u64, Flaw> {
        match self.rest {
            [byte @ 0..=0x7f, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            [low, high @ 0..=0x7f, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Flaw> {
        let mut value = 0;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                // The tenth byte holds the 64th bit and nothing else.
                if i == 9 && *byte > 1 {
                    return Err(Flaw::LongVarint);
                }
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 {
            Flaw::CutVarint
        } else {
            Flaw::LongVarint
        })
    }

    #[inline(always)]
    pub(crate) fn fixed64(&mut self) -> Result<u64, Flaw> {
        let (bytes, rest) = self.rest.split_first_chunk::<8>().ok_or(Flaw::CutNumber)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    #[inline(always)]
    pub(crate) fn double(&mut self) -> Result<f64, Flaw> {
        self.fixed64().map(f64::from_bits)
    }

    #[inline(always)]
    pub(crate) fn fixed32(&mut self) -> Result<u32, Flaw> {
        let (bytes, rest) = self.rest.split_first_chunk::<4>().ok_or(Flaw::CutNumber)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// A sint32 (zigzag).
    pub(crate) fn zigzag32(&mut self) -> Result<i32, Flaw> {
        let value = self.varint()? as u32;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    /// The bytes of a length-delimited field: text, bytes, a message or packed numbers.
    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Flaw> {
        let length = usize::try_from(self.varint()?).map_err(|_| Flaw::CutBytes)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Flaw::CutBytes)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Skips the field of `key`, whose number the message does not use; `known` are the numbers it uses, whose
    /// fields come here only with a wire type that is not theirs.
    #[inline(never)]
    pub(crate) fn skip(&mut self, key: u32, known: u64) -> Result<(), Flaw> {
        let number = key >> 3;
        if number < 64 && known >> number & 1 == 1 {
            return Err(Flaw::OtherWireType);
        }
        match key & 7 {
            GROUP => self.skip_group(number),
            _ => self.skip_plain(key),
        }
    }

    fn skip_plain(&mut self, key: u32) -> Result<(), Flaw> {
        match key & 7 {
            VARINT => self.varint().map(drop),
            FIXED64 => self.fixed64().map(drop),
            BYTES => self.bytes().map(drop),
            FIXED32 => self.fixed32().map(drop),
            GROUP_END => Err(Flaw::UnexpectedGroupEnd),
            _ => Err(Flaw::BadWireType),
        }
    }

    /// Skips to the end of the group `number`, groups in it included.
    #[cold]
    fn skip_group(&mut self, number: u32) -> Result<(), Flaw> {
        let mut open = [0; MAX_GROUPS];
        open[0] = number;
        let mut depth = 1;
        while depth > 0 {
            let key = self.key()?;
            let number = key >> 3;
            match key & 7 {
                GROUP if depth == MAX_GROUPS => return Err(Flaw::DeepGroup),
                GROUP => {
                    open[depth] = number;
                    depth += 1;
                }
                GROUP_END if open[depth - 1] != number => return Err(Flaw::UnexpectedGroupEnd),
                GROUP_END => depth -= 1,
                _ => self.skip_plain(key)?,
            }
        }
        Ok(())
    }
}

/// A time on the wire, unsigned ns since the epoch, as the signed ns that we keep.
#[inline(always)]
pub(crate) fn nanos(time: u64) -> Result<i64, Flaw> {
    i64::try_from(time).map_err(|_| Flaw::TimeOutOfRange)
}

/// Hands on packed fixed-width 64-bit numbers.
pub(crate) fn packed_fixed64(bytes: &[u8], mut push: impl FnMut(u64)) -> Result<(), Flaw> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    numbers
        .iter()
        .for_each(|number| push(u64::from_le_bytes(*number)));
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Flaw::CutPacked)
    }
}

/// Hands on packed varints.
pub(crate) fn packed_varints(bytes: &[u8], mut push: impl FnMut(u64)) -> Result<(), Flaw> {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        push(reader.varint()?);
    }
    Ok(())
}
