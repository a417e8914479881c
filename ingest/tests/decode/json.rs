//! OTLP/JSON means what the same message means as protobuf, and hurts as little.

use crate::{
    check_json::{check_text, is_json},
    compare::{REQUESTS, decoded, summary},
    generate,
    oracle::Expected,
    write_json::Writer,
};
use arrow::array::AsArray;
use cairn_ingest::otlp::json::{JsonError, Transcoded, transcode};
use cairn_storage::{
    append::{Decoded, Reason},
    budget::Budget,
    signal::{Signal, Table},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::io::Write;

const MIB: usize = 1 << 20;

/// Generated requests of each signal.
const GENERATED: u64 = 8_000;

/// Mutated texts of each signal, and texts at random.
const MUTATED: u64 = 20_000;

fn from_json(signal: Signal, json: &[u8]) -> Result<Decoded, JsonError> {
    check_text(signal, json)
}

fn transcoded(signal: Signal, json: &[u8]) -> Result<Transcoded, JsonError> {
    let mut memory = Budget::new(1 << 30).empty();
    transcode(signal, json, 64 << 20, &mut memory)
}

/// The rows of a request that is taken.
fn rows(signal: Signal, json: &str) -> Expected {
    let decoded = from_json(signal, json.as_bytes()).unwrap_or_else(|e| panic!("{e}: {json}"));
    summary(&decoded)
}

/// Why a request is refused.
fn refusal(signal: Signal, json: &str) -> String {
    match from_json(signal, json.as_bytes()) {
        Ok(decoded) => panic!("{} records: {json}", decoded.offered),
        Err(error) => error.to_string(),
    }
}

/// A logs request of one record with these members.
fn log(members: &str) -> String {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{members}}}]}}]}}]}}"#)
}

/// The cell of the one row of a logs request.
fn cell(json: &str, column: &str) -> String {
    let decoded =
        from_json(Signal::Logs, json.as_bytes()).unwrap_or_else(|e| panic!("{e}: {json}"));
    let batch = &decoded.tables[0].1;
    assert_eq!(batch.num_rows(), 1, "{json}");
    let index = batch.schema().index_of(column).expect("a column");
    summary(&decoded).tables["logs"][0][index].clone()
}

/// A request, and the text that stands for it.
fn generated(random: &mut StdRng, signal: Signal) -> (generate::Request, String) {
    let request = generate::message(random, signal, true);
    let json = Writer { random }.request(&request);
    (request, json)
}

#[test]
fn check_36_55_json_is_what_the_same_message_is_as_protobuf() {
    let (mut rows, mut rejected) = (0, 0);
    for seed in 0..GENERATED {
        for (signal, _) in REQUESTS {
            let mut random = StdRng::seed_from_u64(seed);
            let (request, json) = generated(&mut random, signal);
            let protobuf = request.encode().into();
            let wanted = summary(&decoded(signal, &protobuf).expect("generated"));
            let found = from_json(signal, json.as_bytes());
            let found = found.unwrap_or_else(|e| panic!("{signal} {seed}: {e}\n{json}"));
            assert_eq!(summary(&found), wanted, "{signal} {seed}\n{json}");
            rows += wanted.tables.values().map(Vec::len).sum::<usize>();
            rejected += wanted.rejected.len();
        }
    }
    assert!(rows > 50_000 && rejected > 500, "{rows} {rejected}");
}

fn mutate(random: &mut StdRng, text: &mut Vec<u8>) {
    const PIECES: [&str; 24] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u",
        "\\ud83d",
        "null",
        "true",
        "0",
        "-",
        "1e5",
        ".",
        "\"a\":1",
        "\"traceId\":",
        "\u{0}",
        "é",
        "{\"values\":[",
        "e+",
        "9999999999999999999",
        "\"NaN\"",
    ];
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=text.len());
        let end = random.random_range(at..=text.len()).min(at + 12);
        match random.random_range(0..6) {
            0 => drop(text.drain(at..end)),
            1 => {
                let piece = PIECES[random.random_range(0..PIECES.len())];
                text.splice(at..at, piece.bytes());
            }
            2 => {
                let piece = PIECES[random.random_range(0..PIECES.len())];
                text.splice(at..end, piece.bytes());
            }
            3 => {
                let copy = text[at..end].to_vec();
                text.splice(at..at, copy);
            }
            4 => text.truncate(at),
            _ if at < text.len() => text[at] = random.random(),
            _ => {}
        }
    }
}

#[test]
fn mutated_json_never_panics_and_is_taken_only_if_it_is_json() {
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..MUTATED {
        for (signal, _) in REQUESTS {
            let mut random = StdRng::seed_from_u64(seed);
            let mut json = generated(&mut random, signal).1.into_bytes();
            mutate(&mut random, &mut json);
            match from_json(signal, &json) {
                Ok(_) => taken += 1,
                Err(JsonError::Malformed { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(taken > 3_000 && refused > 20_000, "{taken} {refused}");
}

/// What is skipped is read by the same rules as what is kept.
#[test]
fn what_is_skipped_is_json_or_refused() {
    const PIECES: [&str; 30] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"b\":",
        " ",
        "\n",
        "true",
        "false",
        "null",
        "nul",
        "0",
        "1",
        "-",
        ".",
        "e",
        "E+",
        "00",
        "\\",
        "\"\\u12aF\"",
        "\"\\x\"",
        "\u{1}",
        "\"é\"",
        "[]",
        "{}",
        "1.5e-3",
    ];
    let mut counts = [0, 0];
    for seed in 0..200_000 {
        let mut random = StdRng::seed_from_u64(seed);
        let length = random.random_range(1..8);
        let value: String = (0..length)
            .map(|_| PIECES[random.random_range(0..PIECES.len())])
            .collect();
        let json = format!("{{\"unknown\":{value}}}");
        let wanted = is_json(json.as_bytes());
        let found = transcoded(Signal::Logs, json.as_bytes());
        assert_eq!(found.is_ok(), wanted, "{json} {found:?}");
        counts[usize::from(wanted)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 5_000), "{counts:?}");
}

#[test]
fn broken_text_has_its_place() {
    let json =
        "{\n  \"resourceLogs\": [\n    {\"scopeLogs\": [{\"é\": 1, \"logRecords\": 7}]}\n  ]\n}";
    assert_eq!(
        refusal(Signal::Logs, json),
        "not OTLP/JSON at line 3, column 43 (byte 65): expected an array for resourceLogs.scopeLogs.logRecords, found '7'"
    );
    for (json, wanted) in [
        ("", "(byte 0): expected an object"),
        ("[]", "expected an object"),
        ("null", "expected an object"),
        (
            "{",
            "(byte 1): expected a name in quotes, found the end of the text",
        ),
        ("{}x", "(byte 2): expected the end of the text, found 'x'"),
        ("{}\0", "expected the end of the text, found byte 0x00"),
        ("{}{}", "expected the end of the text"),
        (
            r#"{"resourceLogs":[{}"#,
            "expected a comma or the end of the array",
        ),
        (
            r#"{"resourceLogs":[{},]}"#,
            "expected an object for resourceLogs, found ']'",
        ),
        (
            r#"{"resourceLogs":[1]}"#,
            "expected an object for resourceLogs, found '1'",
        ),
        (
            r#"{"resourceLogs":{}}"#,
            "expected an array for resourceLogs, found '{'",
        ),
        (r#"{"a":1,}"#, "expected a name in quotes, found '}'"),
        (r#"{"a" 1}"#, "expected a colon"),
        ("{\"a\":\"\n\"}", "byte 0x0a in a string"),
        (r#"{"a":"\q"}"#, "an escape that JSON does not have"),
        (r#"{"a":"\u12g4"}"#, "four hexadecimal digits"),
        (
            r#"{"a":"#,
            "expected a JSON value, found the end of the text",
        ),
        (r#"{"a":"b"#, "the text ends within a string"),
        ("\u{feff}\u{feff}{}", "expected an object"),
    ] {
        let found = refusal(Signal::Logs, json);
        assert!(found.contains(wanted), "{json}: {found}");
    }
    let wide: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(from_json(Signal::Logs, &wide).is_err(), "UTF-16 is refused");
}

/// Members of a log record that are refused, and with which words.
const OTHER_TYPES: &[(&str, &str)] = &[
    (
        r#""severityNumber":"INFO""#,
        r#"resourceLogs.scopeLogs.logRecords.severityNumber: OTLP/JSON has enums as numbers: send the number and not "INFO""#,
    ),
    (r#""severityNumber":"9""#, "send the number"),
    (
        r#""severityNumber":2147483648"#,
        "2147483648 is not from -2147483648 to 2147483647",
    ),
    (
        r#""timeUnixNano":-1"#,
        "timeUnixNano: -1 is not from 0 to 18446744073709551615",
    ),
    (r#""timeUnixNano":"18446744073709551616""#, "is not from 0"),
    (
        r#""timeUnixNano":1.5"#,
        "timeUnixNano: 1.5 is no whole number",
    ),
    (r#""timeUnixNano":"""#, r#"timeUnixNano: "" is no number"#),
    (r#""timeUnixNano":" 1""#, r#"" 1" is no number"#),
    (r#""timeUnixNano":"2024-01-01T00:00:00Z""#, "is no number"),
    (
        r#""timeUnixNano":true"#,
        "expected a number for resourceLogs.scopeLogs.logRecords.timeUnixNano, found 't'",
    ),
    (r#""timeUnixNano":01"#, "a number that JSON does not allow"),
    (
        r#""flags":4294967296"#,
        "flags: 4294967296 is not from 0 to 4294967295",
    ),
    (
        r#""body":"hello""#,
        "expected an object for resourceLogs.scopeLogs.logRecords.body",
    ),
    (
        r#""body":{"stringValue":7}"#,
        "expected a string for resourceLogs.scopeLogs.logRecords.body.stringValue",
    ),
    (r#""body":{"boolValue":"true"}"#, "expected true or false"),
    (
        r#""body":{"intValue":9223372036854775808}"#,
        "is not from -9223372036854775808",
    ),
    (
        r#""body":{"doubleValue":1e400}"#,
        "1e400 is beyond the range of doubles",
    ),
    (r#""body":{"doubleValue":"inf"}"#, r#""inf" is no number"#),
    (r#""body":{"doubleValue":NaN}"#, "expected a number"),
    (
        r#""body":{"bytesValue":"***"}"#,
        "bytesValue: bytes are base64",
    ),
    (
        r#""body":{"bytesValue":"+_+_"}"#,
        "bytesValue: bytes are base64",
    ),
    (
        r#""attributes":{"a":1}"#,
        "expected an array for resourceLogs.scopeLogs.logRecords.attributes",
    ),
    (
        r#""traceId":"W47/95gDgQPSabYzgT/GDA==""#,
        "logRecords.traceId: ids are hexadecimal, not base64",
    ),
    (
        r#""spanId":"7uGbfsPBsXQ=""#,
        "logRecords.spanId: ids are hexadecimal",
    ),
    (r#""spanId":7"#, "expected a string"),
];

#[test]
fn values_of_another_type_are_refused_with_the_name_of_the_field() {
    for (members, wanted) in OTHER_TYPES {
        let found = refusal(Signal::Logs, &log(members));
        assert!(found.contains(wanted), "{members}: {found}");
        assert!(found.len() < 300, "{found}");
    }
    let deep = r#""body":{"arrayValue":{"values":[{"arrayValue":{"values":[{"arrayValue":{"values":[7]}}]}}]}}"#;
    let found = refusal(Signal::Logs, &log(deep));
    let path = " ….logRecords.body.arrayValue.values.arrayValue.values.arrayValue.values,";
    assert!(found.contains(path), "{found}");
}

#[test]
fn check_36_38_integers_are_exact_in_every_form() {
    for (text, value) in [
        ("9007199254740993", "9007199254740993"),
        (r#""9007199254740993""#, "9007199254740993"),
        ("9.007199254740993e15", "9007199254740993"),
        (r#""-9223372036854775808""#, "-9223372036854775808"),
        (r#""9223372036854775807.0""#, "9223372036854775807"),
        ("\"\\u0031\\u0032\"", "12"),
        ("-0", "0"),
    ] {
        let json = log(&format!(r#""body":{{"intValue":{text}}}"#));
        assert_eq!(cell(&json, "body"), value, "{text}");
    }
}

#[test]
fn text_that_is_none_is_replaced_and_counted_and_costs_no_other_record() {
    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[
        {"timeUnixNano":"1","body":{"stringValue":"a\ud800b\udc00"}},
        {"timeUnixNano":"1","body":{"stringValue":"\ud83e\udd80\u0000"},"severityText":"\ud800\ud83e\udd80"},
        {"timeUnixNano":"1","body":{"stringValue":"raw: RAW"}}
    ]}]}]}"#;
    let mut json = json.as_bytes().to_vec();
    let raw = json.windows(3).position(|w| w == b"RAW").expect("there");
    json.splice(raw..raw + 3, *b"\xff\xc3(");
    let decoded = from_json(Signal::Logs, &json).expect("taken");
    let batch = &decoded.tables[0].1;
    let texts = |name: &str| batch.column_by_name(name).expect("a column").clone();
    let bodies = texts("body");
    let bodies: Vec<_> = bodies.as_string::<i32>().iter().flatten().collect();
    assert_eq!(
        bodies,
        ["a\u{fffd}b\u{fffd}", "🦀\0", "raw: \u{fffd}\u{fffd}("]
    );
    let severity = arrow::compute::cast(&texts("severity_text"), &arrow::datatypes::DataType::Utf8);
    let severity = severity.expect("text is text");
    assert_eq!(severity.as_string::<i32>().value(1), "\u{fffd}🦀");
    assert_eq!(decoded.replaced_text, 3);
}

/// A value of `depth` arrays or maps inside each other.
fn nested(depth: usize, is_map: bool) -> String {
    let (open, close) = match is_map {
        true => (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}"),
        false => (r#"{"arrayValue":{"values":["#, "]}}"),
    };
    open.repeat(depth) + r#"{"stringValue":"x"}"# + &close.repeat(depth)
}

#[test]
fn check_44_depth_64_is_stored_and_65_rejects_the_record_alone() {
    for is_map in [false, true] {
        for depth in [1, 8, 9, 63, 64, 65, 66, 5_000, 100_000] {
            let value = nested(depth, is_map);
            let record = format!(r#""attributes":[{{"key":"a","value":{value}}}]"#);
            let good = r#"{"timeUnixNano":"1"}"#;
            let json = log("").replace("{}", &format!("{good},{{{record}}},{good}"));
            let decoded = from_json(Signal::Logs, json.as_bytes()).expect("taken");
            assert_eq!(decoded.offered, 3);
            let rejected: Vec<_> = decoded
                .rejected
                .iter()
                .map(|r| (r.ordinal, r.reason))
                .collect();
            match depth <= 64 {
                true => assert_eq!(rejected, []),
                false => assert_eq!(rejected, [(1, Reason::TooDeep)]),
            }
        }
    }
    let json = log(&format!(r#""body":{}"#, nested(64, false)));
    assert_eq!(
        cell(&json, "body"),
        "[".repeat(64) + "\"x\"" + &"]".repeat(64)
    );
}

/// A million levels in a known and in an unknown place cost a bit a level.
#[test]
fn depth_of_a_million_costs_bounded_memory() {
    let budget = Budget::new(256 << 20);
    let check = |json: &str, limit_bytes: u64| {
        let mut memory = budget.reserve(0).expect("nothing");
        let transcoded = transcode(Signal::Logs, json.as_bytes(), 64 << 20, &mut memory);
        assert!(memory.bytes() < limit_bytes, "{} bytes", memory.bytes());
        transcoded
    };
    let levels = 1_000_000;
    let deep = |open: &str, close: &str| open.repeat(levels) + "1" + &close.repeat(levels);
    for value in [deep("[", "]"), deep(r#"{"a":"#, "}")] {
        let json = format!(r#"{{"unknown":{value}}}"#);
        let limit = json.len() as u64 / 2 + MIB as u64 / 2;
        let transcoded = check(&json, limit).expect("skipped");
        assert!(transcoded.payload.is_empty());
        let json = log(&format!(r#""timeUnixNano":1,"unknown":{value}"#));
        let transcoded = check(&json, limit).expect("skipped");
        assert_eq!(
            decoded(Signal::Logs, &transcoded.payload.into())
                .expect("framed")
                .offered,
            1
        );
    }
    let json = format!(r#"{{"unknown":{}"#, "[".repeat(9_000_000));
    let error = check(&json, 8 << 20).expect_err("too deep");
    assert!(
        error
            .to_string()
            .contains("nested deeper than 8388608 levels"),
        "{error}"
    );
    let json = log(&format!(r#""body":{}"#, nested(levels, false)));
    check(&json, json.len() as u64 / 2 + MIB as u64)
        .expect("the record is the decoder's to reject");
}

/// Lists of numbers take more as protobuf than as text, and are cut off at the limit.
#[test]
fn the_output_has_the_limit_of_the_request() {
    let zeros = "0,".repeat(100_000) + "0";
    let json = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{zeros}]}}]}}}}]}}]}}]}}"#
    );
    let budget = Budget::new(64 << 20);
    let mut memory = budget.reserve(0).expect("nothing");
    let whole =
        transcode(Signal::Metrics, json.as_bytes(), 64 << 20, &mut memory).expect("it fits");
    let length = whole.payload.len() as u64;
    assert!(length > 800_000 && length < 801_000, "{length}");
    assert_eq!(memory.bytes(), whole.payload.capacity() as u64);
    for (limit, fits) in [(length + 64, true), (length - 1, false)] {
        let mut memory = budget.reserve(0).expect("nothing");
        match transcode(Signal::Metrics, json.as_bytes(), limit, &mut memory) {
            Ok(_) => assert!(fits),
            Err(JsonError::TooLarge { limit_bytes }) => assert!(!fits && limit_bytes == limit),
            Err(other) => panic!("{other}"),
        }
        assert!(memory.bytes() <= limit + 256 * 1024);
    }
    let budget = Budget::new(300_000);
    let mut memory = budget.reserve(0).expect("nothing");
    let error = transcode(Signal::Metrics, json.as_bytes(), 64 << 20, &mut memory);
    assert!(matches!(error, Err(JsonError::Memory(_))), "{error:?}");
}

#[test]
fn check_37_null_is_as_good_as_absent() {
    let members = [
        "timeUnixNano",
        "observedTimeUnixNano",
        "severityNumber",
        "severityText",
        "body",
        "attributes",
        "droppedAttributesCount",
        "flags",
        "traceId",
        "spanId",
        "eventName",
    ];
    let nulls: Vec<String> = members
        .iter()
        .map(|name| format!("\"{name}\":null"))
        .collect();
    assert_eq!(
        rows(Signal::Logs, &log(&nulls.join(","))),
        rows(Signal::Logs, &log(""))
    );
    for value in [
        "stringValue",
        "boolValue",
        "intValue",
        "doubleValue",
        "arrayValue",
        "kvlistValue",
        "bytesValue",
    ] {
        let json = log(&format!(r#""timeUnixNano":1,"body":{{"{value}":null}}"#));
        assert_eq!(cell(&json, "body"), "NULL", "{value}");
    }
    let json = r#"{"resourceLogs":null}"#;
    assert_eq!(rows(Signal::Logs, json).offered, 0);
    let json =
        log(r#""timeUnixNano":1,"body":{"arrayValue":{"values":[null,{"intValue":1},null]}}"#);
    assert_eq!(cell(&json, "body"), "[null,1,null]");
}

#[test]
fn check_32_41_ids_of_a_wrong_length_are_left_out_and_counted() {
    for id in [
        "5B8EFF",
        "5",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0",
    ] {
        let json = log(&format!(r#""timeUnixNano":1,"traceId":"{id}""#));
        let decoded = from_json(Signal::Logs, json.as_bytes()).expect("taken");
        assert_eq!((decoded.offered, decoded.invalid_ids), (1, 1), "{id}");
        assert_eq!(cell(&json, "trace_id"), "NULL");
    }
    let json = log(r#""timeUnixNano":1,"traceId":"5B8EFFF798038103d269b633813fc60c","spanId":"""#);
    assert_eq!(cell(&json, "trace_id"), "5b8efff798038103d269b633813fc60c");
}

#[test]
fn check_33_34_a_request_of_unknown_members_alone_says_so() {
    let notice = |json: &str| {
        let transcoded = transcoded(Signal::Logs, json.as_bytes()).expect("taken");
        transcoded.notice.unwrap_or_default()
    };
    assert_eq!(notice("{}"), "");
    assert_eq!(notice(r#"{"resourceLogs":[]}"#), "");
    let found = notice(r#"{"x":1,"resource_logs":[{"scope_logs":[]}],"y":2}"#);
    assert!(found.contains(r#""resource_logs" is no field"#), "{found}");
    assert!(found.contains(r#"send "resourceLogs""#), "{found}");
    let found = notice(r#"{"resourceLogs":[{"scope_logs":[]}]}"#);
    assert!(found.contains(r#"send "scopeLogs""#), "{found}");
    let found = notice(&format!(r#"{{"{}":[]}}"#, "resourceSpans".repeat(100)));
    assert!(
        found.contains("the path of its signal") && found.len() < 200,
        "{found}"
    );
}

#[test]
fn the_examples_of_opentelemetry_become_their_rows() {
    let examples = [
        ("logs.json", Signal::Logs, Table::Logs, 1),
        ("events.json", Signal::Logs, Table::Logs, 1),
        ("trace.json", Signal::Spans, Table::Spans, 1),
        ("metrics.json", Signal::Metrics, Table::Samples, 2),
        ("metrics.json", Signal::Metrics, Table::Histograms, 2),
    ];
    for (file, signal, table, count) in examples {
        let Some(text) = example(file) else { return };
        let decoded = from_json(signal, &text).expect("it is OTLP/JSON");
        assert!(decoded.rejected.is_empty());
        let counts = (
            decoded.invalid_ids,
            decoded.duplicate_keys,
            decoded.replaced_text,
        );
        assert_eq!((counts, decoded.untimed), ((0, 0, 0), false));
        let found = decoded.tables.iter().find(|(of, _)| *of == table);
        let found = found.map(|(_, batch)| batch.num_rows());
        assert_eq!(found, Some(count), "{file} {table:?}");
    }
    let text = example("logs.json").expect("it was there");
    let text = String::from_utf8_lossy(&text);
    for (column, value) in [
        ("trace_id", "5b8efff798038103d269b633813fc60c"),
        ("span_id", "eee19b7ec3c1b174"),
        ("timestamp", "1544712660300000000"),
        ("severity_number", "10"),
        ("body", "Example log record"),
        ("service_name", "my.service"),
        (
            "attributes",
            r#"{"array.attribute":["many","values"],"boolean.attribute":true,"double.attribute":637.704,"int.attribute":10,"map.attribute":{"some.map.key":"some value"},"string.attribute":"some string"}"#,
        ),
    ] {
        assert_eq!(cell(&text, column), value, "{column}");
    }
}

/// An example of the specification, from outside of the repository. Cargo runs tests in the folder of their package.
fn example(file: &str) -> Option<Vec<u8>> {
    let path = format!("../../shared/otlp-examples/{file}");
    #[expect(
        clippy::disallowed_methods,
        reason = "the examples lie outside of the repository"
    )]
    let text = std::fs::read(&path);
    if text.is_err() {
        // Not by `eprintln`, which a passing test keeps to itself.
        let said = format!("NOT CHECKED: OpenTelemetry's example {path} is not there\n");
        std::io::stderr()
            .write_all(said.as_bytes())
            .expect("standard error is there");
    }
    text.ok()
}
