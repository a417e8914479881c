//! OTLP/JSON, whatever libFuzzer finds: nothing panics, what is taken is JSON and becomes protobuf that can be read.
//!
//! The first byte chooses the signal, the rest is the text. A corpus is best begun with OpenTelemetry's examples, each
//! after a byte.

#![no_main]

#[path = "../../ingest/tests/decode/check_json.rs"]
mod check_json;
#[path = "../../ingest/tests/decode/compare.rs"]
mod compare;
#[path = "../../ingest/tests/decode/oracle.rs"]
mod oracle;
#[path = "../../ingest/tests/decode/rows.rs"]
mod rows;
#[path = "../../ingest/tests/decode/tree.rs"]
mod tree;

use check_json::check_text;
use compare::REQUESTS;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some((chosen, text)) = input.split_first() {
        let (signal, _) = REQUESTS[usize::from(*chosen) % REQUESTS.len()];
        // Refusals are as good as rows.
        drop(check_text(signal, text));
    }
});
