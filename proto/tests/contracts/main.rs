//! Our own protobuf contracts: they only grow, and the bodies that the outbox holds are what they say.
//!
//! `proto/cairn/v1/events.golden.json` is the contract that readers stand on. `bodies/<kind>.ndjson` holds bodies of each
//! kind of event; the tests of `storage`, which writes them, compare what it writes with the same files.

mod breaking;
mod contract;

use breaking::breaking;
use contract::Contract;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions,
};
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// What stands in a kind and in a package.
const PACKAGE: &str = "cairn.v1";

/// The file, as others import it.
const FILE: &str = "cairn/v1/events.proto";

/// Each kind of event, and bodies of it, one a line.
const EVENTS: [(&str, &str); 6] = [
    (
        "cairn.segment.committed.v1",
        include_str!("../../cairn/v1/bodies/cairn.segment.committed.v1.ndjson"),
    ),
    (
        "cairn.segment.expired.v1",
        include_str!("../../cairn/v1/bodies/cairn.segment.expired.v1.ndjson"),
    ),
    (
        "cairn.deletion.accepted.v1",
        include_str!("../../cairn/v1/bodies/cairn.deletion.accepted.v1.ndjson"),
    ),
    (
        "cairn.deletion.completed.v1",
        include_str!("../../cairn/v1/bodies/cairn.deletion.completed.v1.ndjson"),
    ),
    (
        "cairn.search.saved.v1",
        include_str!("../../cairn/v1/bodies/cairn.search.saved.v1.ndjson"),
    ),
    (
        "cairn.search.deleted.v1",
        include_str!("../../cairn/v1/bodies/cairn.search.deleted.v1.ndjson"),
    ),
];

/// One file that stands nowhere on a disk.
struct Source<'a>(&'a str);

impl FileResolver for Source<'_> {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            FILE => File::from_source(name, self.0),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// The descriptors of a file's text; compiler errors panic with what is wrong.
fn compiled(text: &'static str) -> DescriptorPool {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Source(text));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    if let Err(error) = compiler.open_file(FILE) {
        panic!("{error:?}");
    }
    compiler.descriptor_pool()
}

/// The contract of a file's text.
fn contract(text: &'static str) -> Contract {
    Contract::of(&compiled(text), PACKAGE)
}

fn events() -> DescriptorPool {
    compiled(include_str!("../../cairn/v1/events.proto"))
}

/// The message of a kind: `cairn.segment.committed.v1` is `cairn.v1.SegmentCommitted`.
fn message_name(kind: &str) -> String {
    let parts: Vec<&str> = kind.split('.').collect();
    let [product, words @ .., version] = &parts[..] else {
        panic!("{kind} has no version");
    };
    let words = words.iter().flat_map(|word| word.split('_'));
    let camel = words.map(|word| word[..1].to_uppercase() + &word[1..]);
    format!("{product}.{version}.{}", camel.collect::<String>())
}

fn read(message: MessageDescriptor, body: &str) -> Result<DynamicMessage, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(body);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let read = DynamicMessage::deserialize_with_options(message, &mut reader, &options)?;
    reader.end()?;
    Ok(read)
}

/// A message as the outbox has it.
fn written(message: &DynamicMessage) -> Value {
    let options = SerializeOptions::new()
        .skip_default_fields(false)
        .stringify_64_bit_integers(false);
    let written = message.serialize_with_options(serde_json::value::Serializer, &options);
    written.expect("a message is JSON")
}

/// Whether the golden contract is to be written; only what breaks nobody is.
#[expect(
    clippy::disallowed_methods,
    reason = "the only way to pass an argument to a test"
)]
fn is_to_be_written() -> bool {
    std::env::var_os("CAIRN_WRITE_CONTRACTS").is_some()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that writes its golden file"
)]
fn write(text: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/cairn/v1/events.golden.json");
    std::fs::write(path, text).expect("the golden file can be written");
}

#[test]
fn the_contract_only_grows() {
    let committed = include_str!("../../cairn/v1/events.golden.json");
    let golden: Contract = serde_json::from_str(committed).expect("the golden file is a contract");
    let current = Contract::of(&events(), PACKAGE);
    let found = breaking(&golden, &current);
    assert!(
        found.is_empty(),
        "readers of events may break; within {PACKAGE} messages only grow, another version is for the rest:\n{}",
        found.join("\n")
    );
    let text = serde_json::to_string_pretty(&current).expect("a contract is JSON") + "\n";
    if is_to_be_written() {
        write(&text);
        return;
    }
    assert!(
        text == committed,
        "the contract has grown: run `CAIRN_WRITE_CONTRACTS=1 cargo test -p cairn-proto --test contracts` and look at the \
         difference"
    );
    println!(
        "conformance: 3.7 | the contract of events breaks no reader of an earlier one | cargo test, contracts | passed"
    );
}

#[test]
fn every_body_is_its_message() {
    let pool = events();
    for (kind, bodies) in EVENTS {
        let message = pool.get_message_by_name(&message_name(kind));
        let message = message.unwrap_or_else(|| panic!("{kind} has no message"));
        assert!(!bodies.is_empty(), "{kind} has no bodies");
        for body in bodies.lines() {
            let read = read(message.clone(), body).unwrap_or_else(|e| panic!("{body}: {e}"));
            let original: Value = serde_json::from_str(body).expect("read above");
            assert_eq!(written(&read), original, "{kind}");
        }
    }
    println!(
        "conformance: 3.7 | bodies of events are their protobuf messages in JSON, member by member | cargo test, contracts | passed"
    );
}

#[test]
fn every_message_is_the_body_of_a_kind() {
    let names = EVENTS.map(|(kind, _)| message_name(kind));
    let pool = events();
    let messages = pool
        .all_messages()
        .filter(|message| message.package_name() == PACKAGE);
    let top = messages.filter(|message| message.parent_message().is_none());
    let found: BTreeSet<String> = top.map(|message| message.full_name().to_string()).collect();
    assert_eq!(found, BTreeSet::from(names));
}

#[test]
fn a_body_that_is_not_its_message_is_found() {
    let (kind, bodies) = EVENTS[0];
    let message = events().get_message_by_name(&message_name(kind));
    let message = message.expect("it is there");
    let body = bodies.lines().next().expect("a body");
    let with = |name: &str, value: Value| {
        let mut body: Value = serde_json::from_str(body).expect("JSON");
        body[name] = value;
        body.to_string()
    };
    assert!(read(message.clone(), &with("color", "red".into())).is_err());
    assert!(read(message.clone(), &with("rows", (-1).into())).is_err());
    assert!(read(message.clone(), &with("min_time", "soon".into())).is_err());
    // The other spelling of a member is read, and told from what the outbox writes.
    let mut other: Value = serde_json::from_str(body).expect("JSON");
    let members = other.as_object_mut().expect("an object");
    members.remove("level");
    let read = read(message, &other.to_string()).expect("nothing is required");
    assert_ne!(written(&read), other);
}
