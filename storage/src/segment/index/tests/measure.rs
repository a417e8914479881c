//! What the text of a sidecar costs and saves on seeded logs, beside the structures that were not chosen.
//!
//! Figures are printed (`--nocapture`) and stand in `docs/decisions/0010-text-index.md`; what they promise is asserted.

use super::{
    super::{
        BLOCK_ROWS,
        collect::Tokens,
        filter::{BUCKET_BYTES, Hash, buckets},
        postings::{self, Layout},
        text,
    },
    *,
};
use crate::text::token::{Scratch, Subject, Token, of_text};
use arrow::array::{ArrayRef, StringArray};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::HashSet;

const BLOCKS: usize = 32;

/// Bodies as services of a shop log them.
fn body(random: &mut StdRng, number: u64) -> String {
    let user = (random.random::<f64>().powi(2) * 100_000.0) as u64;
    let (order, uuid) = (48_000_000 + number / 40, random.random::<u128>());
    let (ms, bytes) = (
        random.random_range(20..9_000),
        random.random_range(300..99_999),
    );
    let ip = format!(
        "10.{}.{}.{}",
        random.random_range(0..16),
        random.random::<u8>(),
        random.random::<u8>()
    );
    let status = [200, 200, 200, 200, 201, 304, 404, 503][random.random_range(0..8)];
    let table =
        ["orders", "order_items", "products", "prices", "customers"][random.random_range(0..5)];
    match random.random_range(0..20) {
        0..=6 => format!(
            "{ip} - u{user:06} \"GET /api/v1/cart/{} HTTP/1.1\" {status} {bytes} \"https://shop.example.com/\" \"Mozilla/5.0 (X11; Linux x86_64)\" {}.{}",
            user % 10_000,
            ms / 10,
            ms % 10
        ),
        7..=9 => format!(
            "order {order} of u{user:06} placed: {} items, total {}.{:02} EUR",
            user % 9,
            bytes / 100,
            bytes % 100
        ),
        10..=11 => format!(
            "SELECT id, state FROM {table} WHERE order_id = {order} took {}.{} ms, {} rows",
            ms / 10,
            ms % 10,
            user % 50
        ),
        12..=13 => format!(
            "session {:016x} of user u{user:06} refreshed from {ip}, token expires in 3600 s, scopes=[profile,orders,cart]",
            uuid as u64
        ),
        14..=15 => format!(
            "jwt verified: kid=shop-2026-{} sub=u{user:06} iss=https://id.shop.example.com aud=storefront jti={:032x}",
            user % 24,
            uuid
        ),
        16 => format!(
            "committed offsets for group shop-{table}: partition {} at {}, lag {}",
            user % 24,
            910_000_000 + number / 6,
            user % 20
        ),
        17 => format!(
            "redelivery {} of message {:032x} from orders.created: handler failed with HTTP {status}, backing off {} ms",
            user % 4,
            uuid,
            ms
        ),
        18 => format!(
            "failed login for u{user:06} from {ip}: wrong password, {} of 5 attempts before the account is locked",
            user % 5
        ),
        _ => format!(
            "java.net.SocketTimeoutException: connect timed out after {ms} ms\n\tat com.example.shop.Client.call(Client.java:{})\n\tat com.example.shop.Orders.load(Orders.java:77)",
            user % 400
        ),
    }
}

fn bodies() -> Vec<String> {
    let mut random = StdRng::seed_from_u64(7);
    let rows = 0..BLOCKS as u64 * BLOCK_ROWS;
    rows.map(|number| body(&mut random, number)).collect()
}

fn compressed(bodies: &[String]) -> usize {
    let pages = bodies.chunks(BLOCK_ROWS as usize);
    pages
        .map(|page| {
            zstd::bulk::compress(page.concat().as_bytes(), 1)
                .expect("compresses")
                .len()
        })
        .sum()
}

/// Bytes of the dictionary over `lists`, one of distinct hashes for each block.
fn dictionary_bytes(lists: &[Vec<u32>]) -> usize {
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for (block, hashes) in lists.iter().enumerate() {
        pairs.extend(hashes.iter().map(|hash| (*hash, block as u32)));
    }
    let mut distinct: Vec<u32> = pairs.iter().map(|(hash, _)| *hash).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let layout = Layout::of(distinct.len(), lists.len() as u32);
    let mut buckets: Vec<Vec<(u32, u32)>> = vec![Vec::new(); layout.buckets()];
    for (hash, block) in pairs {
        buckets[layout.bucket(hash)].push((layout.fingerprint(hash), block));
    }
    let written = buckets.iter_mut().map(|pairs| {
        pairs.sort_unstable();
        pairs.dedup();
        postings::write(&layout, pairs).len()
    });
    written.sum()
}

/// Bytes of split-block Bloom filters of all blocks, as ids have them, and wrong blocks for each absent token.
fn bloom(lists: &[Vec<u32>]) -> (usize, f64) {
    let most = lists.iter().map(Vec::len).max().unwrap_or(0);
    let of = |token: u64| Hash::of(&token.to_le_bytes());
    let buckets = buckets(most);
    let mut wrong = 0;
    for hashes in lists {
        let mut filter = vec![0_u8; buckets * BUCKET_BYTES];
        for hash in hashes {
            let hash = of(u64::from(*hash));
            hash.set(&mut filter[hash.bucket(buckets) * BUCKET_BYTES..][..BUCKET_BYTES]);
        }
        wrong += (0..1_000_u64)
            .map(|absent| of(absent + (1 << 40)))
            .filter(|h| h.is_in(&filter[h.bucket(buckets) * BUCKET_BYTES..][..BUCKET_BYTES]))
            .count();
    }
    (buckets * BUCKET_BYTES * lists.len(), wrong as f64 / 1_000.0)
}

/// For each block the hashes of all parts of `length` bytes in its bodies.
fn grams(bodies: &[String], length: usize) -> Vec<Vec<u32>> {
    let blocks = bodies.chunks(BLOCK_ROWS as usize).map(|block| {
        let mut hashes = HashSet::new();
        for body in block {
            let body = body.to_lowercase();
            hashes.extend(body.as_bytes().windows(length).map(gram));
        }
        hashes.into_iter().collect()
    });
    blocks.collect()
}

fn gram(bytes: &[u8]) -> u32 {
    (xxhash_rust::xxh3::xxh3_64(bytes) >> 32) as u32
}

/// The share of blocks that hold `part`, and of those that grams of it select.
fn selected(bodies: &[String], grams: &[Vec<u32>], length: usize, part: &str) -> (f64, f64) {
    let blocks = bodies.chunks(BLOCK_ROWS as usize);
    let hold = blocks.filter(|block| block.iter().any(|body| body.to_lowercase().contains(part)));
    let asked: Vec<u32> = part.as_bytes().windows(length).map(gram).collect();
    let may = grams.iter().filter(|block| {
        let block: HashSet<u32> = block.iter().copied().collect();
        asked.iter().all(|gram| block.contains(gram))
    });
    let share = |count: usize| count as f64 / grams.len() as f64;
    (share(hold.count()), share(may.count()))
}

fn collected(bodies: &[String]) -> Tokens {
    let mut tokens = Tokens::new(Table::Logs);
    let array: ArrayRef = Arc::new(StringArray::from_iter_values(bodies));
    tokens.add("body", &array).expect("text");
    tokens
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of figures, row by row")]
fn words_cost_little_and_tell_much() {
    let bodies = bodies();
    let rows = bodies.len() as f64;
    let raw: usize = bodies.iter().map(String::len).sum();
    let packed = compressed(&bodies);
    let mut tokens = collected(&bodies);
    tokens.finish().expect("one column");
    let lists: Vec<Vec<u32>> = tokens.lists().map(|(_, hashes)| hashes.to_vec()).collect();
    let per_block = lists.iter().map(Vec::len).sum::<usize>() / lists.len();
    let written = text::write(collected(&bodies))
        .expect("built")
        .expect("tokens");
    let bytes = written.postings.len() + written.places.len();
    let section = written.section;
    let mut wrong = 0;
    for absent in 0..2_000 {
        let mut token: Option<Token> = None;
        of_text(
            Subject::BodyWords,
            &format!("zz{absent}q"),
            &mut Scratch::default(),
            |t| token = Some(t),
        );
        let token = token.expect("a word");
        let bucket = section.bucket(token);
        let place = |number: usize| {
            u32::from_le_bytes(*written.places[number * 4..].first_chunk().expect("a place"))
                as usize
        };
        let bucket = &written.postings[place(bucket)..place(bucket + 1)];
        wrong += section.probe("a.idx", bucket, token).expect("sound").len();
    }
    let wrong = wrong as f64 / 2_000.0;
    let (bloom_bytes, bloom_wrong) = bloom(&lists);
    println!(
        "bodies: {:.1} bytes a row, {:.1} packed by zstd 1; {per_block} distinct words a block",
        raw as f64 / rows,
        packed as f64 / rows
    );
    println!(
        "dictionary: {:.2} bytes a row, {:.1} % of the packed bodies; {wrong:.3} wrong blocks for an absent word",
        bytes as f64 / rows,
        100.0 * bytes as f64 / packed as f64
    );
    println!(
        "Bloom filters of blocks: {:.2} bytes a row; {bloom_wrong:.3} wrong blocks for an absent word",
        bloom_bytes as f64 / rows
    );
    for length in [3, 4, 5] {
        let grams = grams(&bodies, length);
        let count = grams.iter().map(Vec::len).sum::<usize>() / grams.len();
        println!(
            "parts of {length} bytes: {count} a block, {:.2} bytes a row",
            dictionary_bytes(&grams) as f64 / rows
        );
        for part in [
            "3fa9c2d1",
            "imedoutexc",
            "ckettimeo",
            "u0999",
            "48001",
            "swordf",
            "rong passwo",
        ] {
            let (hold, may) = selected(&bodies, &grams, length, part);
            println!(
                "    {part:?}: {:.0} % of the blocks hold it, {:.0} % are selected",
                100.0 * hold,
                100.0 * may
            );
        }
    }
    assert!(
        bytes as f64 / rows < 4.0,
        "about a tenth of a segment of 40 bytes a row"
    );
    assert!(bytes < bloom_bytes && wrong < bloom_wrong);
    assert!(wrong < 0.1, "{wrong}");
}
