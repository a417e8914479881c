//! Puts promoted values and overflow back together into the one canonical object that they came from.

use super::{convert::Value, decode, encode};

/// Appends the object that holds the entries of `overflow` and `promoted` (sorted by key, none of whose keys
/// is in `overflow`).
pub fn merge<'a>(
    out: &mut Vec<u8>,
    overflow: &str,
    promoted: impl IntoIterator<Item = (&'a str, Value<'a>)>,
) {
    let mut promoted = promoted.into_iter().peekable();
    if promoted.peek().is_none() {
        out.extend_from_slice(overflow.as_bytes());
        return;
    }
    out.push(b'{');
    let start = out.len();
    for entry in decode::entries(overflow) {
        let key = entry.key();
        while let Some((name, value)) = promoted.next_if(|(name, _)| *name < &*key) {
            separate(out, start);
            encode::key(out, name);
            value.write(out);
        }
        separate(out, start);
        encode::key(out, &key);
        out.extend_from_slice(entry.value.as_bytes());
    }
    for (name, value) in promoted {
        separate(out, start);
        encode::key(out, name);
        value.write(out);
    }
    out.push(b'}');
}

fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}
