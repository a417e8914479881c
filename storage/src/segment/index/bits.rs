//! Numbers of any width one behind the other, the lowest bit first.

/// Writes bits.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    /// Bits that make no whole byte yet.
    held: u64,
    count: u32,
}

impl Writer {
    /// Writes behind `bytes`.
    pub(super) fn after(bytes: Vec<u8>) -> Writer {
        Writer {
            bytes,
            held: 0,
            count: 0,
        }
    }

    /// The `bits` (32 at most) lowest bits of `value`, which has no others.
    pub(super) fn put(&mut self, value: u32, bits: u32) {
        self.held |= u64::from(value) << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.bytes.push(self.held as u8);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    /// So many zeros, then a one.
    pub(super) fn unary(&mut self, zeros: u32) {
        for _ in 0..zeros / 32 {
            self.put(0, 32);
        }
        self.put(0, zeros % 32);
        self.put(1, 1);
    }

    /// A number from 1 on in Elias' gamma code: short ones take few bits.
    pub(super) fn gamma(&mut self, number: u32) {
        let bits = number.ilog2();
        self.unary(bits);
        self.put(number ^ 1 << bits, bits);
    }

    /// All bytes; the last is filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bytes.push(self.held as u8);
        }
        self.bytes
    }
}

/// Reads what [`Writer`] wrote; `None` where the bytes end.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

/// Bits that one look ahead shows at least.
const AHEAD_BITS: u32 = 57;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    pub(super) fn get(&mut self, bits: u32) -> Option<u32> {
        let value = self.ahead() & ((1 << bits) - 1);
        self.pass(bits)?;
        Some(value as u32)
    }

    pub(super) fn unary(&mut self) -> Option<u32> {
        let mut zeros = 0;
        loop {
            let here = self.ahead().trailing_zeros().min(AHEAD_BITS);
            if here < AHEAD_BITS {
                self.pass(here + 1)?;
                return Some(zeros + here);
            }
            self.pass(AHEAD_BITS)?;
            zeros += AHEAD_BITS;
        }
    }

    pub(super) fn gamma(&mut self) -> Option<u32> {
        let bits = self.unary()?;
        (bits < 32).then_some(())?;
        Some(self.get(bits)? | 1 << bits)
    }

    fn ahead(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let word = match rest.first_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            None => {
                let mut word = [0; 8];
                word[..rest.len()].copy_from_slice(rest);
                u64::from_le_bytes(word)
            }
        };
        word >> (self.at % 8)
    }

    fn pass(&mut self, bits: u32) -> Option<()> {
        self.at += bits as usize;
        (self.at <= self.bytes.len() * 8).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(numbers in prop::collection::vec((any::<u32>(), 0_u32..=32, 0_u32..200), 0..50)) {
            let mut writer = Writer::default();
            let low = |value: u32, bits: u32| (u64::from(value) & ((1 << bits) - 1)) as u32;
            for (value, bits, zeros) in &numbers {
                writer.put(low(*value, *bits), *bits);
                writer.unary(*zeros);
                writer.gamma((*value).max(1));
            }
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            for (value, bits, zeros) in numbers {
                prop_assert_eq!(reader.get(bits), Some(low(value, bits)));
                prop_assert_eq!(reader.unary(), Some(zeros));
                prop_assert_eq!(reader.gamma(), Some(value.max(1)));
            }
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader::new(&bytes);
            let mut read = 0;
            while reader.gamma().is_some() {
                read += 1;
            }
            prop_assert!(read <= bytes.len() * 8);
        }
    }
}
