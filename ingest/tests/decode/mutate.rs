//! Mutations: of a message's tree (still well-formed, or wrong in one place) and of its bytes.

use crate::tree::{Field, Kind, Type, Wire, encode, kind, parse};
use rand::{RngExt, rngs::StdRng};

/// Mutates a request of type `of` a few times.
pub(crate) fn mutate(random: &mut StdRng, of: Type, payload: &[u8]) -> Vec<u8> {
    let mut payload = payload.to_vec();
    for _ in 0..random.random_range(1..5) {
        payload = match parse(of, &payload) {
            Some(fields) if random.random_ratio(4, 5) => mutate_tree(random, of, fields),
            _ => mutate_bytes(random, payload),
        };
    }
    payload
}

fn mutate_tree(random: &mut StdRng, of: Type, mut fields: Vec<Field>) -> Vec<u8> {
    // Every message of the tree is as likely as any other.
    let messages = count(&fields);
    let mut chosen = random.random_range(0..=messages);
    visit(of, &mut fields, &mut chosen, &mut |of, fields| {
        mutate_fields(random, of, fields)
    });
    encode(&fields)
}

/// Messages inside.
fn count(fields: &[Field]) -> usize {
    fields
        .iter()
        .map(|field| match &field.value {
            Wire::Message(_, inner) => 1 + count(inner),
            _ => 0,
        })
        .sum()
}

/// Hands the message number `chosen` to `act`.
fn visit(
    of: Type,
    fields: &mut Vec<Field>,
    chosen: &mut usize,
    act: &mut impl FnMut(Type, &mut Vec<Field>),
) -> bool {
    if *chosen == 0 {
        act(of, fields);
        return true;
    }
    *chosen -= 1;
    fields.iter_mut().any(|field| match &mut field.value {
        Wire::Message(of, inner) => visit(*of, inner, chosen, act),
        _ => false,
    })
}

fn mutate_fields(random: &mut StdRng, of: Type, fields: &mut Vec<Field>) {
    if fields.is_empty() {
        fields.push(unknown(random));
        return;
    }
    let at = random.random_range(0..fields.len());
    let other = random.random_range(0..=fields.len());
    match random.random_range(0..16) {
        0 => {
            let last = fields.len() - 1;
            fields.swap(at, other.min(last));
        }
        1 | 2 => {
            let copy = fields[at].clone();
            fields.insert(other, copy);
        }
        3 => drop(fields.remove(at)),
        4 | 5 => fields.insert(other, unknown(random)),
        6 => fields[at].padding = random.random_range(1..10),
        7 => split(random, fields, at, other),
        8 => unpack(of, fields, at),
        9 => fields[at].value = any_wire(random),
        10 => fields.insert(other, known(random, of)),
        11 => fields[at].number = random.random_range(1..20),
        _ => change(random, &mut fields[at]),
    }
}

/// Splits a message into two occurrences, which merge where the field is singular.
fn split(random: &mut StdRng, fields: &mut Vec<Field>, at: usize, other: usize) {
    let number = fields[at].number;
    if let Wire::Message(of, inner) = &mut fields[at].value {
        let rest = inner.split_off(random.random_range(0..=inner.len()));
        let piece = Field::new(number, Wire::Message(*of, rest));
        fields.insert(other.max(at + 1).min(fields.len()), piece);
    }
}

/// Packed numbers one by one, and the other way round.
fn unpack(of: Type, fields: &mut Vec<Field>, at: usize) {
    let number = fields[at].number;
    let fixed = of == Type::HistogramPoint && (number == 6 || number == 7);
    match &fields[at].value {
        Wire::Bytes(bytes) if fixed => {
            let numbers: Vec<Field> = bytes
                .chunks_exact(8)
                .map(|chunk| u64::from_le_bytes(chunk.try_into().expect("8 bytes")))
                .map(|value| Field::new(number, Wire::Fixed64(value)))
                .collect();
            fields.splice(at..=at, numbers);
        }
        Wire::Fixed64(value) if fixed => {
            fields[at].value = Wire::Bytes(value.to_le_bytes().to_vec());
        }
        Wire::Bytes(bytes) if of == Type::Buckets && number == 2 => {
            let numbers: Vec<Field> = bytes
                .iter()
                .map(|byte| Field::new(number, Wire::Varint(u64::from(*byte))))
                .collect();
            fields.splice(at..=at, numbers);
        }
        _ => {}
    }
}

fn change(random: &mut StdRng, field: &mut Field) {
    match &mut field.value {
        Wire::Varint(value) => *value = number(random),
        Wire::Fixed64(value) => *value = number(random),
        Wire::Fixed32(value) => *value = number(random) as u32,
        Wire::Text(bytes) | Wire::Bytes(bytes) | Wire::Group(bytes) => spoil(random, bytes),
        Wire::Message(..) | Wire::Broken(_) => field.value = any_wire(random),
    }
}

/// Text that is not UTF-8 any more, or longer, or empty.
fn spoil(random: &mut StdRng, bytes: &mut Vec<u8>) {
    let at = random.random_range(0..=bytes.len());
    match random.random_range(0..5) {
        0 => bytes.clear(),
        1 => bytes.insert(at, 0xff),
        2 => bytes.insert(at, 0xc3),
        3 => drop(bytes.splice(at..at, [0xed, 0xa0, 0x80])),
        _ => bytes.truncate(at),
    }
}

fn number(random: &mut StdRng) -> u64 {
    match random.random_range(0..6) {
        0 => 0,
        1 => u64::MAX,
        2 => i64::MAX as u64,
        3 => 1 << 63,
        4 => random.random_range(0..256),
        _ => random.random(),
    }
}

fn unknown(random: &mut StdRng) -> Field {
    let number = match random.random_range(0..4) {
        0 => random.random_range(20..64),
        1 => random.random_range(64..3000),
        2 => (1 << 29) - 1,
        _ => 17,
    };
    Field::new(number, any_wire(random))
}

/// A field that the message knows, with anything in it.
fn known(random: &mut StdRng, of: Type) -> Field {
    let number = random.random_range(1..17);
    let value = match kind(of, number) {
        Kind::Text => Wire::Text(b"known".to_vec()),
        Kind::Message(inner) => Wire::Message(inner, Vec::new()),
        Kind::Other => any_wire(random),
    };
    Field::new(number, value)
}

fn any_wire(random: &mut StdRng) -> Wire {
    match random.random_range(0..10) {
        0 | 1 => Wire::Varint(number(random)),
        2 | 3 => Wire::Fixed64(number(random)),
        4 | 5 => Wire::Fixed32(random.random()),
        // A group with a number, a text and a group in it.
        6 => Wire::Group(group(17)),
        7 if random.random_ratio(1, 4) => Wire::Broken(random.random_range(4..8)),
        _ => Wire::Bytes(b"unknown"[..random.random_range(0..8)].to_vec()),
    }
}

/// The content and end of a group with number `number`; it fits only a field of that number.
fn group(number: u32) -> Vec<u8> {
    let mut bytes = vec![0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1b, 0x1c];
    let mut end = number << 3 | 4;
    while end >= 0x80 {
        bytes.push(end as u8 | 0x80);
        end >>= 7;
    }
    bytes.push(end as u8);
    bytes
}

fn mutate_bytes(random: &mut StdRng, mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.is_empty() {
        return vec![random.random()];
    }
    let at = random.random_range(0..bytes.len());
    match random.random_range(0..6) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random(),
        2 => bytes.truncate(at),
        3 => drop(bytes.remove(at)),
        4 => bytes.insert(at, random.random()),
        _ => {
            let end = random.random_range(at..=bytes.len());
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
    }
    bytes
}
