//! The decoder against prost on whatever libFuzzer finds: the differential of `ingest/tests/decode` without its seeds.
//!
//! The first byte chooses the signal, the rest is the request. Half of the mutations are those of the tests, which
//! keep to OTLP's messages; the others are libFuzzer's own, of bytes. An empty corpus begins with generated requests.
//! What prost does not bound and we do (1,024 entities, 65,536 keys) the oracle does not know: stay below with
//! `-max_len=2000`.

#![no_main]

#[path = "../../ingest/tests/decode/compare.rs"]
mod compare;
#[path = "../../ingest/tests/decode/generate.rs"]
mod generate;
#[path = "../../ingest/tests/decode/mutate.rs"]
mod mutate;
#[path = "../../ingest/tests/decode/oracle.rs"]
mod oracle;
#[path = "../../ingest/tests/decode/rows.rs"]
mod rows;
#[path = "../../ingest/tests/decode/tree.rs"]
mod tree;

use compare::{REQUESTS, Tally, check};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use rand::{RngExt, SeedableRng, rngs::StdRng};

fuzz_target!(|input: &[u8]| {
    if let Some((chosen, payload)) = input.split_first() {
        let (signal, _) = REQUESTS[usize::from(*chosen) % REQUESTS.len()];
        check(signal, payload.to_vec(), &mut Tally::default());
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = StdRng::seed_from_u64(seed.into());
    let choice = random.random_range(0..8);
    if choice < 4 && size > 1 {
        return fuzzer_mutate(data, size, max_size);
    }
    let chosen = match size {
        0 => random.random_range(0..REQUESTS.len()),
        _ => usize::from(data[0]) % REQUESTS.len(),
    };
    let (signal, of) = REQUESTS[chosen];
    let payload = match choice {
        4 => generate::request(&mut random, signal),
        _ if size < 2 => generate::request(&mut random, signal),
        _ => data[1..size].to_vec(),
    };
    let payload = mutate::mutate(&mut random, of, &payload);
    let end = 1 + payload.len();
    if end > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    data[0] = chosen as u8;
    data[1..end].copy_from_slice(&payload);
    end
});
