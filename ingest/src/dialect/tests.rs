//! Each form to the records that it means, as `opentelemetry-proto` reads what was written.

use super::*;
use crate::dialect::{document::Names, instant::Zone};
use cairn_proto::loki::{Entry, LabelPair, PushRequest, Stream, Timestamp};
use cairn_storage::{budget::Budget, time::Nanos};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::LogRecord,
};
use proptest::prelude::*;
use prost::Message;
use std::{net::IpAddr, sync::Arc};

const LIMIT: u64 = 1 << 20;

type Told = (Vec<String>, Vec<(u32, String)>);

fn translated(source: &Source, text: &[u8], limit_bytes: u64) -> Result<Translated, DialectError> {
    let budget = Budget::new(1 << 24);
    let mut memory = budget.empty();
    let translated = translate(source, text, limit_bytes, &mut memory);
    if let Ok(translated) = &translated {
        assert!(memory.bytes() >= translated.payload.len() as u64);
        assert_eq!(
            budget.used_bytes(),
            memory.bytes() + translated.memory.bytes()
        );
    }
    translated
}

/// The records that `text` means, one a line, and the refusals.
fn told(source: &Source, text: &[u8]) -> Told {
    let translated = translated(source, text, LIMIT).expect("a request");
    let request = ExportLogsServiceRequest::decode(&translated.payload[..]).expect("protobuf");
    let mut records = Vec::new();
    for group in &request.resource_logs {
        let resource = group
            .resource
            .as_ref()
            .map(|resource| pairs(&resource.attributes));
        for scope in &group.scope_logs {
            assert!(!scope.log_records.is_empty(), "no group is empty");
            let line = |record| {
                format!(
                    "{{{}}} {}",
                    resource.clone().unwrap_or_default(),
                    line(record)
                )
            };
            records.extend(scope.log_records.iter().map(line));
        }
    }
    let refusal = |refusal: &Refusal| {
        (
            refusal.ordinal,
            format!("{}: {}", refusal.reason.as_str(), refusal.detail),
        )
    };
    (records, translated.refusals.iter().map(refusal).collect())
}

/// `<time> <severity number> <severity> <body> {<attributes>} <trace id> <span id>`, what is not there left out.
fn line(record: &LogRecord) -> String {
    let mut line = String::new();
    let mut add =
        |piece: String| line += &format!("{}{piece}", if line.is_empty() { "" } else { " " });
    if record.time_unix_nano > 0 {
        add(Nanos(record.time_unix_nano as i64).to_text());
    }
    if record.severity_number > 0 || !record.severity_text.is_empty() {
        add(format!(
            "{}={}",
            record.severity_text, record.severity_number
        ));
    }
    if let Some(body) = &record.body {
        add(value(body));
    }
    add(format!("{{{}}}", pairs(&record.attributes)));
    for id in [&record.trace_id, &record.span_id] {
        if !id.is_empty() {
            add(hex::encode(id));
        }
    }
    line
}

fn pairs(pairs: &[KeyValue]) -> String {
    let pair = |pair: &KeyValue| {
        let value = pair.value.as_ref().map_or("nothing".to_string(), value);
        format!("{}={value}", pair.key)
    };
    pairs.iter().map(pair).collect::<Vec<_>>().join(" ")
}

fn value(any: &AnyValue) -> String {
    match &any.value {
        None => "null".to_string(),
        Some(Value::StringValue(text)) => format!("{text:?}"),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => format!("{value:?}"),
        Some(Value::ArrayValue(list)) => {
            format!(
                "[{}]",
                list.values.iter().map(value).collect::<Vec<_>>().join(",")
            )
        }
        Some(Value::KvlistValue(map)) => format!("({})", pairs(&map.values)),
        Some(Value::BytesValue(bytes)) => format!("0x{}", hex::encode(bytes)),
        Some(other) => panic!("nobody writes {other:?}"),
    }
}

fn lines() -> Source {
    Source::Lines(Fields {
        time: lines::TIME,
        body: lines::BODY,
        severity: lines::SEVERITY,
        unit: lines::UNIT,
        service: None,
    })
}

/// One JSON line and the record that it means.
fn check_line(text: &str, expected: &str) {
    let (records, refusals) = told(&lines(), text.as_bytes());
    assert_eq!(records, [expected], "{text}");
    assert!(refusals.is_empty(), "{text}: {refusals:?}");
}

/// One JSON line and why it is refused.
fn check_refused(text: &str, expected: &str) {
    let (records, refusals) = told(&lines(), text.as_bytes());
    assert_eq!(records.len(), 1, "{text}");
    assert!(refusals[0].1.contains(expected), "{text}: {refusals:?}");
}

#[test]
fn fields_go_to_their_places() {
    check_line(
        r#"{"@timestamp":"2026-11-30T16:20:01.5+01:00","message":"hi","level":"WARN","service":{"name":"shop"},
           "host":{"name":"a"},"trace":{"id":"5b8efff798038103d269b633813fc60c"},"span_id":"eee19b7ec3c1b174"}"#
            .replace('\n', " ")
            .as_str(),
        r#"{service.name="shop" host.name="a"} 2026-11-30T15:20:01.500Z WARN=13 "hi" {} 5b8efff798038103d269b633813fc60c eee19b7ec3c1b174"#,
    );
    check_line(
        r#"{"ts":1700000000.25,"msg":"x"}"#,
        r#"{} 2023-11-14T22:13:20.250Z "x" {}"#,
    );
    check_line(
        r#"{"time":"1700000000123","log":7}"#,
        "{} 2023-11-14T22:13:20.123Z 7 {}",
    );
    check_line(r#"{"level":30}"#, "{} 30=0 {}");
}

#[test]
fn everything_else_is_an_attribute_of_its_type() {
    check_line(
        r#"{"a":{"b":{"c":1,"d":[]},"e":{}},"f":[1,"x",{"g":null,"h":[true]}],"i":1.0,"j":null,"k":"\u00e9\n"}"#,
        r#"{} {a.b.c=1 a.b.d=[] a.e=() f=[1,"x",(g=null h=[true])] i=1.0 j=null k="é\n"}"#,
    );
    check_line(
        r#"{"a":18446744073709551615,"b":-9223372036854775808,"c":1e400,"d":1e2,"e":false}"#,
        r#"{} {a="18446744073709551615" b=-9223372036854775808 c="1e400" d=100.0 e=false}"#,
    );
    check_line(r#"{"":{"":1},"x":{"":2}}"#, "{} {.=1 x.=2}");
}

#[test]
fn what_has_not_the_shape_of_its_place_stays_an_attribute() {
    check_line(
        r#"{"time":"soon","trace_id":"abc","span_id":"0000000000000000","level":true,"message":null}"#,
        r#"{} {message=null time="soon" level=true trace_id="abc" span_id="0000000000000000"}"#,
    );
    check_line(r#"{"time":-5,"host.name":1}"#, "{} {host.name=1 time=-5}");
}

#[test]
fn of_two_fields_for_one_place_the_better_one_counts() {
    let expected = r#"{} error=17 "m" {log="l" msg="s" severity="info"}"#;
    check_line(
        r#"{"log":"l","msg":"s","message":"m","severity":"info","level":"error"}"#,
        expected,
    );
    let expected = r#"{} error=17 "m" {msg="s" log="l" severity="info"}"#;
    check_line(
        r#"{"message":"m","msg":"s","log":"l","level":"error","severity":"info"}"#,
        expected,
    );
}

#[test]
fn lines_that_cannot_be_read_are_refused_alone() {
    let text =
        b"{\"message\":\"a\"}\r\n\n  not json\n{\"message\":\"b\"}\n[1]\n\xff\n{\"a\":1} x\n";
    let (records, refusals) = told(&lines(), text);
    assert_eq!(
        records,
        [
            r#"{} "a" {}"#,
            r#"{} "not json" {}"#,
            r#"{} "b" {}"#,
            r#"{} "[1]" {}"#,
            "{} 0xff {}",
            r#"{} "{\"a\":1} x" {}"#,
        ]
    );
    let ordinals: Vec<u32> = refusals.iter().map(|(ordinal, _)| *ordinal).collect();
    assert_eq!(ordinals, [1, 3, 4, 5]);
    let Places::Lines(places) = translated(&lines(), text, LIMIT).expect("a request").places else {
        panic!("lines are told");
    };
    assert_eq!(places, [1, 3, 4, 5, 6, 7]);
    check_refused(
        &format!("{}1{}", "{\"a\":".repeat(70), "}".repeat(70)),
        "too_deep",
    );
    check_refused(
        &format!("{{\"a\":{}{}}}", "[".repeat(70), "]".repeat(70)),
        "too_deep",
    );
    check_refused(&format!("{{\"{}\":1}}", "k".repeat(70_000)), "too_large");
    check_refused("{\"a\":01}", "byte 5");
}

#[test]
fn an_array_is_as_good_as_lines() {
    let text = b" [{\"message\":\"a\"},\n1,\n\n {\"message\":\"b\"}]";
    let (records, refusals) = told(&lines(), text);
    assert_eq!(records, [r#"{} "a" {}"#, r#"{} "1" {}"#, r#"{} "b" {}"#]);
    assert_eq!(refusals.len(), 1);
    let Places::Lines(places) = translated(&lines(), text, LIMIT).expect("a request").places else {
        panic!("lines are told");
    };
    assert_eq!(places, [1, 2, 4]);
    for text in [&b"[{}"[..], b"[{}] x", b"[{},]", b"[{\"a\":}]"] {
        let error = translated(&lines(), text, LIMIT).expect_err("no array");
        assert!(matches!(error, DialectError::Malformed { .. }), "{error}");
    }
    assert_eq!(told(&lines(), b""), (vec![], vec![]));
    assert_eq!(told(&lines(), b"[]"), (vec![], vec![]));
}

#[test]
fn neighbours_of_one_resource_share_it() {
    let service = |name: &str| format!("{{\"service.name\":\"{name}\"}}\n");
    let text = [
        service("a"),
        service("a"),
        "{}\n".into(),
        "{}\n".into(),
        service("a"),
    ]
    .concat();
    let payload = translated(&lines(), text.as_bytes(), LIMIT)
        .expect("a request")
        .payload;
    let request = ExportLogsServiceRequest::decode(&payload[..]).expect("protobuf");
    let counts = request
        .resource_logs
        .iter()
        .map(|group| group.scope_logs[0].log_records.len());
    assert_eq!(counts.collect::<Vec<_>>(), [2, 2, 1]);
}

#[test]
fn names_that_the_sender_says_and_a_service_for_those_without() {
    let source = Source::Lines(Fields {
        time: Names::One("when".into()),
        body: Names::One("a.b".into()),
        severity: Names::One("l".into()),
        unit: lines::UNIT,
        service: Some("shop".into()),
    });
    let text = br#"{"when":1,"a":{"b":"x"},"l":"info","message":"m"}
{"service.name":"other"}"#;
    let (records, _) = told(&source, text);
    assert_eq!(
        records,
        [
            r#"{service.name="shop"} 1970-01-01T00:00:01Z info=9 "x" {message="m"}"#,
            r#"{service.name="other"} {}"#,
        ]
    );
}

#[test]
fn documents_of_a_bulk_request() {
    let text = br#"{"create":{"_index":"logs","_id":"1\""}}
{"@timestamp":1700000000123,"message":"a","log":{"level":"error"}}
{"index":{"_id":7}}
{"@timestamp":"2026-11-30","message":"b"}
{"delete":{"_index":"x","_id":"1"}}
{"update":{"_index":"x","_id":"1"}}
{"doc":{}}
{"create":{"_index":"logs","dynamic_templates":{}}}
not json
"#;
    let bulk = Source::Bulk(Bulk {
        index: Some("path".into()),
    });
    let (records, refusals) = told(&bulk, text);
    assert_eq!(
        records[..2],
        [
            r#"{} 2023-11-14T22:13:20.123Z error=17 "a" {elasticsearch.index="logs" elasticsearch.id="1\""}"#,
            r#"{} 2026-11-30T00:00:00Z "b" {elasticsearch.index="path" elasticsearch.id="7"}"#,
        ]
    );
    assert_eq!(records.len(), 5);
    let ordinals: Vec<u32> = refusals.iter().map(|(ordinal, _)| *ordinal).collect();
    assert_eq!(ordinals, [2, 3, 4]);
    let Places::Items(items) = translated(&bulk, text, LIMIT).expect("a request").places else {
        panic!("items are told");
    };
    let item = |(action, index, id): (bulk::Action, &[u8], Option<&[u8]>)| {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        format!(
            "{} {} {}",
            action.as_str(),
            text(index),
            id.map(text).unwrap_or_default()
        )
    };
    assert_eq!(
        items.iter().map(item).collect::<Vec<_>>(),
        [
            "create logs 1\\\"",
            "index path 7",
            "delete x 1",
            "update x 1",
            "create logs "
        ]
    );
}

#[test]
fn a_bulk_request_whose_actions_cannot_be_told() {
    for text in [
        "x\n{}\n",
        "{}\n{}\n",
        "{\"create\":{}}\n",
        "{\"make\":{}}\n{}\n",
        "{\"create\":1}\n{}\n",
        "{\"create\":{}} x\n{}\n",
        "{\"create\":{\"_id\":[]}}\n{}\n",
    ] {
        let bulk = Source::Bulk(Bulk::default());
        let error = translated(&bulk, text.as_bytes(), LIMIT).expect_err("no bulk request");
        let text_of_error = error.to_string();
        assert!(text_of_error.contains("line 1"), "{text}: {text_of_error}");
    }
    let (_, refusals) = told(&Source::Bulk(Bulk::default()), b"{\"create\":{}}\n{}");
    assert_eq!(refusals, [(0, "malformed: index is missing".to_string())]);
}

fn push(labels: &str, entries: Vec<Entry>) -> Vec<u8> {
    let request = PushRequest {
        streams: vec![Stream {
            labels: labels.to_string(),
            entries,
        }],
    };
    let mut encoder = snap::raw::Encoder::new();
    encoder
        .compress_vec(&request.encode_to_vec())
        .expect("it fits")
}

fn entry(seconds: i64, line: &str, metadata: &[(&str, &str)]) -> Entry {
    let pair = |(name, value): &(&str, &str)| LabelPair {
        name: name.to_string(),
        value: value.to_string(),
    };
    Entry {
        timestamp: Some(Timestamp { seconds, nanos: 5 }),
        line: line.to_string(),
        structured_metadata: metadata.iter().map(pair).collect(),
    }
}

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

#[test]
fn streams_of_loki_in_protobuf_and_in_json() {
    let labels = r#"{service_name="shop", job="a\"b", level="info", k8s_pod_name="p"}"#;
    let entries = vec![
        entry(1_700_000_000, "one", &[("trace_id", TRACE), ("user", "u")]),
        entry(
            1_700_000_001,
            "two",
            &[("detected_level", "error"), ("span_id", "short")],
        ),
    ];
    let json = format!(
        r#"{{"other":[],"streams":[{{"values":[
            ["1700000000000000005","one",{{"trace_id":"{TRACE}","user":"u"}}],
            ["1700000001000000005","two",{{"detected_level":"error","span_id":"short"}}]],
          "stream":{{"service_name":"shop","job":"a\"b","level":"info","k8s_pod_name":"p"}}}}]}}"#
    );
    let resource = r#"{service.name="shop" job="a\"b" k8s.pod.name="p"}"#;
    let expected = [
        format!(r#"{resource} 2023-11-14T22:13:20.000000005Z info=9 "one" {{user="u"}} {TRACE}"#),
        format!(
            r#"{resource} 2023-11-14T22:13:21.000000005Z error=17 "two" {{span_id="short" level="info"}}"#
        ),
    ];
    for (source, text) in [
        (Source::LokiProtobuf, push(labels, entries)),
        (Source::LokiJson, json.into_bytes()),
    ] {
        let (records, refusals) = told(&source, &text);
        assert_eq!(
            (&records[..], refusals),
            (&expected[..], vec![]),
            "{source:?}"
        );
    }
}

#[test]
fn entries_of_loki_that_are_none_are_refused_alone() {
    let text = br#"{"streams":[{"stream":{},"values":[["1","a"],["x","b"],["2"],3,["3","c",{"m":1}],["4","d","e"],
        ["5","e"],["-5","f"]]}]}"#;
    let (records, refusals) = told(&Source::LokiJson, text);
    assert_eq!(records.len(), 8);
    let ordinals: Vec<u32> = refusals.iter().map(|(ordinal, _)| *ordinal).collect();
    assert_eq!(ordinals, [1, 2, 3, 4, 5, 7]);
    assert!(
        refusals[5].1.starts_with("time_out_of_range"),
        "{refusals:?}"
    );

    let bad = push("{a=b}", vec![entry(1, "x", &[]), entry(2, "y", &[])]);
    let (records, refusals) = told(&Source::LokiProtobuf, &bad);
    assert_eq!((records.len(), refusals.len()), (2, 2));
    assert!(refusals[0].1.contains("labels"), "{refusals:?}");

    for (source, text) in [
        (Source::LokiProtobuf, &b"\x03\x08abc"[..]),
        (Source::LokiProtobuf, b"no snappy"),
        (Source::LokiProtobuf, b""),
        (Source::LokiJson, b"{\"streams\":{}}"),
        (Source::LokiJson, b"{\"streams\":[{\"stream\":[]}]}"),
        (Source::LokiJson, b"{\"streams\":[{\"stream\":{\"a\":1}}]}"),
        (Source::LokiJson, b"{\"streams\":[{\"values\":1}]}"),
        (Source::LokiJson, b"[]"),
        (Source::LokiJson, b""),
    ] {
        let error = translated(&source, text, LIMIT).expect_err("no push request");
        assert!(
            matches!(error, DialectError::Malformed { .. }),
            "{text:?}: {error}"
        );
    }
}

fn syslog(texts: &[(&str, Option<syslog::Cut>)]) -> (Source, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut messages = Vec::new();
    for (text, cut) in texts {
        let start = bytes.len();
        bytes.extend_from_slice(text.as_bytes());
        messages.push(syslog::Message {
            received: Nanos(1_767_323_045_000_000_000),
            peer: IpAddr::from([192, 0, 2, 1]),
            text: start..bytes.len(),
            cut: *cut,
        });
    }
    let messages = Arc::new(messages);
    let zone = Zone::default();
    (Source::Syslog(Received { messages, zone }), bytes)
}

#[test]
fn messages_of_syslog() {
    let (source, text) = syslog(&[
        (
            "<165>1 2025-10-11T22:14:15.003Z host app 12 ID47 [a@1 x=\"1\" x=\"\\\"2\" y=\"\"][b@2] hello",
            None,
        ),
        ("<34>Jan  1 22:14:15 host su[42]: no", None),
        ("no priority", None),
        ("<1>cut", Some(syslog::Cut::TooLong { limit_bytes: 6 })),
        ("<1>bro", Some(syslog::Cut::BrokenOff)),
    ]);
    let (records, refusals) = told(&source, &text);
    let peer = r#"network.peer.address="192.0.2.1""#;
    let expected = [
        format!(
            r#"{{host.name="host" service.name="app"}} 2025-10-11T22:14:15.003Z notice=10 "hello" {{{peer} syslog.facility=20 syslog.facility.name="local4" syslog.version=1 syslog.procid="12" syslog.msgid="ID47" syslog.a@1.x=["1","\"2"] syslog.a@1.y="" syslog.b@2=""}}"#
        ),
        format!(
            r#"{{host.name="host" service.name="su"}} 2026-01-01T22:14:15Z crit=18 "no" {{{peer} syslog.facility=4 syslog.facility.name="auth" syslog.procid="42"}}"#
        ),
        format!(r#"{{}} "no priority" {{{peer}}}"#),
        r#"{} "<1>cut" {}"#.to_string(),
        r#"{} "<1>bro" {}"#.to_string(),
    ];
    assert_eq!(records, expected);
    let reasons: Vec<&str> = refusals.iter().map(|(_, why)| &why[..9]).collect();
    assert_eq!(reasons, ["too_large", "malformed"]);
}

/// The limit is that of the protobuf, whatever the text is; at its end no memory is held.
#[test]
fn the_output_has_a_limit() {
    let text = "{\"aaaaaaaaaaaaaaaaaaaaaaaa\":{\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1}}\n"
        .repeat(100);
    let error = translated(&lines(), text.as_bytes(), text.len() as u64).expect_err("too large");
    assert!(matches!(error, DialectError::TooLarge), "{error}");
    let budget = Budget::new(10_000);
    let error = translate(&lines(), text.as_bytes(), LIMIT, &mut budget.empty()).expect_err("full");
    assert!(matches!(error, DialectError::Memory(_)), "{error}");
    assert_eq!(budget.used_bytes(), 0);
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        "[a-z\"\\\\é\u{1}]{0,5}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// The leaves of a document by their flattened names, as `line` prints them.
fn leaves(prefix: &str, document: &serde_json::Value, found: &mut Vec<String>) {
    match document {
        serde_json::Value::Object(map) if !map.is_empty() || prefix.is_empty() => {
            for (name, inner) in map {
                let dot = if prefix.is_empty() { "" } else { "." };
                leaves(&format!("{prefix}{dot}{name}"), inner, found);
            }
        }
        other => found.push(format!("{prefix}={}", json_text(other))),
    }
}

fn json_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(list) => {
            format!(
                "[{}]",
                list.iter().map(json_text).collect::<Vec<_>>().join(",")
            )
        }
        serde_json::Value::Object(map) => {
            let pair = |(name, inner)| format!("{name}={}", json_text(inner));
            format!("({})", map.iter().map(pair).collect::<Vec<_>>().join(" "))
        }
        serde_json::Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

proptest! {
    /// No field of any document is lost, and none changes.
    #[test]
    fn documents_keep_everything(map in proptest::collection::btree_map("[a-z]{1,3}", json_value(), 0..5)) {
        let map: serde_json::Map<_, _> = map.into_iter().collect();
        let document = serde_json::Value::from(map);
        // Names that mean something are other tests'.
        let means_something = |name: &str| ["ts", "msg", "log"].contains(&name);
        prop_assume!(!document.as_object().unwrap().keys().any(|name| means_something(name)));
        let (records, refusals) = told(&lines(), document.to_string().as_bytes());
        let mut expected = Vec::new();
        leaves("", &document, &mut expected);
        prop_assert_eq!(&records[0], &format!("{{}} {{{}}}", expected.join(" ")));
        prop_assert!(refusals.is_empty());
    }

    #[test]
    fn nothing_panics_and_what_is_written_is_protobuf(
        text in r#"[\[\]{}:,"a-f0-9_. \nenull-]{0,120}"#,
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        for text in [text.as_bytes(), &bytes] {
            let sources = [
                lines(),
                Source::LokiJson,
                Source::LokiProtobuf,
                Source::Bulk(Bulk { index: Some("i".into()) }),
            ];
            for source in sources {
                if let Ok(translated) = translated(&source, text, LIMIT) {
                    ExportLogsServiceRequest::decode(&translated.payload[..]).expect("protobuf");
                }
            }
        }
    }
}
