//! One text, whatever it is, through the way that OTLP/JSON goes; shared with the fuzz target in `fuzz/`.

use crate::compare::decoded;
use bytes::Bytes;
use cairn_ingest::otlp::json::{JsonError, transcode};
use cairn_storage::{append::Decoded, budget::Budget, signal::Signal};
use serde::de::IgnoredAny;

/// More than any text of a test makes.
const LIMIT_BYTES: u64 = 64 << 20;

/// The records of a text. What is taken is JSON and becomes protobuf that can be read; what is not has its place.
pub(crate) fn check_text(signal: Signal, text: &[u8]) -> Result<Decoded, JsonError> {
    let budget = Budget::new(1 << 30);
    let mut memory = budget.reserve(0).expect("nothing");
    match transcode(signal, text, LIMIT_BYTES, &mut memory) {
        Ok(transcoded) => {
            assert!(is_json(text), "{}", String::from_utf8_lossy(text));
            assert_eq!(memory.bytes(), transcoded.payload.capacity() as u64);
            let payload = Bytes::from(transcoded.payload);
            Ok(decoded(signal, &payload).expect("what was written is protobuf"))
        }
        Err(error) => {
            if let JsonError::Malformed { offset, what, .. } = &error {
                assert!(*offset <= text.len() && !what.is_empty());
            }
            Err(error)
        }
    }
}

/// Whether a text is JSON, as `serde_json` has it, whatever is in it.
pub(crate) fn is_json(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}
