//! Addresses in lines and labels: `ip("10.0.0.0/8")`, a single address, a range or a network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A set of addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    first: IpAddr,
    last: IpAddr,
}

/// The longest text of an address: an IPv6 address with an IPv4 tail.
const LONGEST: usize = 45;

impl Addresses {
    /// Reads an address, `first-last` or `network/bits`.
    pub(crate) fn new(text: &str) -> Result<Addresses, String> {
        let wrong = || {
            format!(
                "{text:?} is neither an address, nor a range like 10.0.0.1-10.0.0.9, nor a network like 10.0.0.0/8"
            )
        };
        let address = |part: &str| part.trim().parse::<IpAddr>().map_err(|_| wrong());
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (address(first)?, address(last)?);
            return match first.is_ipv4() == last.is_ipv4() && first <= last {
                true => Ok(Addresses { first, last }),
                false => Err(format!(
                    "{text:?} is a range from a later to an earlier address"
                )),
            };
        }
        let Some((network, bits)) = text.split_once('/') else {
            let single = address(text)?;
            return Ok(Addresses {
                first: single,
                last: single,
            });
        };
        let bits: u32 = bits.parse().map_err(|_| wrong())?;
        match address(network)? {
            IpAddr::V4(network) if bits <= 32 => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                let first = u32::from(network) & mask;
                Ok(Addresses {
                    first: IpAddr::V4(Ipv4Addr::from(first)),
                    last: IpAddr::V4(Ipv4Addr::from(first | !mask)),
                })
            }
            IpAddr::V6(network) if bits <= 128 => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                let first = u128::from(network) & mask;
                Ok(Addresses {
                    first: IpAddr::V6(Ipv6Addr::from(first)),
                    last: IpAddr::V6(Ipv6Addr::from(first | !mask)),
                })
            }
            _ => Err(wrong()),
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }

    /// Whether an address of the set stands anywhere in `text`.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let is_part = |byte: u8| match self.first {
            IpAddr::V4(_) => byte.is_ascii_digit() || byte == b'.',
            IpAddr::V6(_) => byte.is_ascii_hexdigit() || byte == b'.' || byte == b':',
        };
        text.split(|character: char| !u8::try_from(character).is_ok_and(is_part))
            .filter(|word| word.len() >= 2 && word.len() <= LONGEST + 6)
            .any(|word| self.is_word(word))
    }

    /// A word may be an address with a port or with a full stop after it.
    fn is_word(&self, word: &str) -> bool {
        let is_address = |text: &str| {
            text.parse::<IpAddr>()
                .is_ok_and(|address| self.contains(address))
        };
        let trimmed = word.trim_matches('.');
        is_address(word)
            || is_address(trimmed)
            || is_address(trimmed.trim_end_matches(':'))
            || is_address(trimmed.trim_start_matches(':'))
            || trimmed.contains('.') && trimmed.split(':').any(is_address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found() {
        for (pattern, text, found) in [
            ("192.168.0.1", "from 192.168.0.1:80.", true),
            ("192.168.0.1", "from 192.168.0.11", false),
            ("10.0.0.0/8", "x=10.255.1.2,", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "1.1.1.1", true),
            ("10.0.0.1-10.0.0.9", "[10.0.0.9]", true),
            ("10.0.0.1-10.0.0.9", "10.0.0.10", false),
            ("2001:db8::/32", "peer 2001:db8::1 up", true),
            ("2001:db8::/32", "peer 2001:db9::1 up", false),
            ("::1", "[::1]:80", true),
            ("10.0.0.1", "no address", false),
        ] {
            let addresses = Addresses::new(pattern).expect(pattern);
            assert_eq!(addresses.is_in(text), found, "{pattern} in {text}");
        }
        for text in [
            "",
            "x",
            "10.0.0.0/33",
            "10.0.0.9-10.0.0.1",
            "::1-10.0.0.1",
            "1.2.3",
        ] {
            assert!(Addresses::new(text).is_err(), "{text}");
        }
    }
}
