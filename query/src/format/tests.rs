//! Whole answers in each format, byte by byte.

use super::{Encoder, Format};
use crate::{
    completeness::{Completeness, Missing},
    error::{Error, Place},
    sql::answer::{AnswerEnd, Truncated},
};
use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
        FixedSizeBinaryArray, Float32Array, Float64Array, Int64Array, ListArray, NullArray,
        RecordBatch, StringArray, StringViewArray, StructArray, TimestampNanosecondArray,
        TimestampSecondArray, UInt64Array,
    },
    datatypes::{DataType, Field, Float64Type, Int32Type, Schema},
    ipc::reader::StreamReader,
};
use std::{sync::Arc, time::Duration};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let field =
        |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let fields: Vec<Field> = columns.iter().map(field).collect();
    let arrays = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of one length")
}

/// Two rows with a column of each type: values, and NULL or what is hard to write.
fn every_type() -> RecordBatch {
    let ids = FixedSizeBinaryArray::try_from_sparse_iter_with_size(
        vec![Some([0xab, 0xcd, 0, 1, 2, 3, 4, 5]), None].into_iter(),
        8,
    );
    let lists = vec![Some(vec![Some(1.5), None, Some(f64::NAN)]), Some(vec![])];
    let names: DictionaryArray<Int32Type> = vec![Some("shop"), None].into_iter().collect();
    let pair = StructArray::from(vec![
        (
            Arc::new(Field::new("x", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("y", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef,
        ),
    ]);
    let decimals = Decimal128Array::from(vec![Some(1_234_567_890_123_456_789_012), Some(-5)]);
    batch(vec![
        (
            "text",
            Arc::new(StringViewArray::from(vec!["a, \"b\"\n\u{1}é", ""])),
        ),
        (
            "int",
            Arc::new(Int64Array::from(vec![i64::MIN, 9_007_199_254_740_993])),
        ),
        (
            "uint",
            Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])),
        ),
        (
            "double",
            Arc::new(Float64Array::from(vec![f64::NAN, f64::NEG_INFINITY])),
        ),
        ("double2", Arc::new(Float64Array::from(vec![0.1, 1e300]))),
        (
            "single",
            Arc::new(Float32Array::from(vec![0.1, f32::INFINITY])),
        ),
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("id", Arc::new(ids.expect("all of one length"))),
        (
            "bytes",
            Arc::new(BinaryArray::from(vec![&b"\xff\x00a"[..], &b""[..]])),
        ),
        (
            "at",
            Arc::new(TimestampNanosecondArray::from(vec![Some(1), None]).with_timezone("UTC")),
        ),
        ("local", Arc::new(TimestampSecondArray::from(vec![0, -1]))),
        ("day", Arc::new(Date32Array::from(vec![20_000, 0]))),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists)),
        ),
        ("name", Arc::new(names)),
        ("pair", Arc::new(pair)),
        (
            "decimal",
            Arc::new(
                decimals
                    .with_precision_and_scale(30, 2)
                    .expect("30 digits are enough"),
            ),
        ),
        ("none", Arc::new(NullArray::new(2))),
    ])
}

fn end() -> AnswerEnd {
    AnswerEnd {
        completeness: Completeness {
            sequence: 42,
            taken: 1_700_000_000_000_000_001,
            segments_considered: 3,
            segments_pruned: 1,
            segments_read: 2,
            bytes_read: 4_096,
            bytes_cached: 1_024,
            requests: 5,
            buffered_rows: 7,
            missing: vec![Missing {
                segment: Some("01jd".into()),
                reason: "gäste \"x\"".into(),
                ..Missing::default()
            }],
        },
        rows: 2,
        truncated: Some(Truncated::Rows(2)),
        elapsed: Duration::from_micros(1_500),
    }
}

const COMPLETENESS: &str = r#"{"complete":false,"rows":2,"truncated":"row limit of 2 reached","sequence":42,"taken":"2023-11-14T22:13:20.000000001Z","segments":{"considered":3,"pruned":1,"read":2},"missing":[{"segment":"01jd","reason":"g\u00e4ste \"x\""}],"buffered_rows":7,"bytes_read":4096,"bytes_cached":1024,"requests":5,"elapsed_ms":1.5}"#;

fn written(format: Format, batches: &[RecordBatch]) -> Vec<u8> {
    let schema = batches.first().map(RecordBatch::schema).expect("a batch");
    let mut encoder = Encoder::new(format, &schema).expect("the schema can be written");
    let mut out = encoder.start().expect("the start can be written");
    for batch in batches {
        out.extend(encoder.rows(batch).expect("the rows can be written"));
    }
    out.extend(encoder.end(&end()).expect("the end can be written"));
    out
}

fn text(format: Format, batches: &[RecordBatch]) -> String {
    String::from_utf8(written(format, batches)).expect("text formats are UTF-8")
}

const JSON_ROWS: [&str; 2] = [
    r#"["a, \"b\"\n\u0001é",-9223372036854775808,18446744073709551615,"NaN",0.1,0.1,true,"abcd000102030405","/wBh","1970-01-01T00:00:00.000000001Z","1970-01-01T00:00:00","2024-10-04",[1.5,null,"NaN"],"shop",{"x":1,"y":"a"},12345678901234567890.12,null]"#,
    r#"["",9007199254740993,null,"-Infinity",1e300,"Infinity",null,null,"",null,"1969-12-31T23:59:59","1970-01-01",[],null,{"x":null,"y":"b"},-0.05,null]"#,
];

const COLUMNS: &str = r#"[{"name":"text","type":"VARCHAR"},{"name":"int","type":"BIGINT"},{"name":"uint","type":"BIGINT UNSIGNED"},{"name":"double","type":"DOUBLE"},{"name":"double2","type":"DOUBLE"},{"name":"single","type":"REAL"},{"name":"bool","type":"BOOLEAN"},{"name":"id","type":"BINARY(8)"},{"name":"bytes","type":"VARBINARY"},{"name":"at","type":"TIMESTAMP(9) WITH TIME ZONE"},{"name":"local","type":"TIMESTAMP(0)"},{"name":"day","type":"DATE"},{"name":"list","type":"DOUBLE[]"},{"name":"name","type":"VARCHAR"},{"name":"pair","type":"STRUCT(x BIGINT, y VARCHAR)"},{"name":"decimal","type":"DECIMAL(30, 2)"},{"name":"none","type":"NULL"}]"#;

#[test]
fn json() {
    let rows = every_type();
    let parts = [rows.slice(0, 1), rows.slice(1, 1)];
    let expected = format!(
        "{{\"columns\":{COLUMNS},\"rows\":[\n{},\n{}\n],\"completeness\":{COMPLETENESS}}}\n",
        JSON_ROWS[0], JSON_ROWS[1]
    );
    assert_eq!(text(Format::Json, &parts), expected);
    assert_eq!(text(Format::Json, &[rows]), expected);
    let parsed: serde_json::Value = serde_json::from_str(&expected).expect("it is JSON");
    assert_eq!(
        parsed["rows"][1][1],
        serde_json::json!(9_007_199_254_740_993_i64)
    );
}

#[test]
fn json_without_rows() {
    let none = every_type().slice(0, 0);
    let text = text(Format::Json, &[none]);
    assert!(text.contains("\"rows\":[\n],\"completeness\""), "{text}");
    serde_json::from_str::<serde_json::Value>(&text).expect("it is JSON");
}

#[test]
fn ndjson() {
    let text = text(Format::Ndjson, &[every_type()]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0], format!("{{\"$columns\":{COLUMNS}}}"));
    assert!(lines[1].starts_with(r#"{"text":"a, \"b\"\n\u0001é","int":-9223372036854775808,"#));
    for (line, row) in lines[1..3].iter().zip(JSON_ROWS) {
        let line: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).expect("a line is JSON");
        let row: Vec<serde_json::Value> = serde_json::from_str(row).expect("a row is JSON");
        let names: Vec<String> = every_type()
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .collect();
        for (name, value) in names.iter().zip(row) {
            assert_eq!(line[name], value, "{name}");
        }
    }
    assert_eq!(lines[3], format!("{{\"$completeness\":{COMPLETENESS}}}"));
}

#[test]
fn csv() {
    let expected = concat!(
        "text,int,uint,double,double2,single,bool,id,bytes,at,local,day,list,name,pair,decimal,none\r\n",
        "\"a, \"\"b\"\"\n\u{1}é\",-9223372036854775808,18446744073709551615,NaN,0.1,0.1,true,abcd000102030405,/wBh,",
        "1970-01-01T00:00:00.000000001Z,1970-01-01T00:00:00,2024-10-04,\"[1.5,null,\"\"NaN\"\"]\",shop,",
        "\"{\"\"x\"\":1,\"\"y\"\":\"\"a\"\"}\",12345678901234567890.12,\r\n",
        "\"\",9007199254740993,,-Infinity,1e300,Infinity,,,\"\",,1969-12-31T23:59:59,1970-01-01,[],,",
        "\"{\"\"x\"\":null,\"\"y\"\":\"\"b\"\"}\",-0.05,\r\n",
    );
    assert_eq!(text(Format::Csv, &[every_type()]), expected);
    let blanks = batch(vec![(
        "a b",
        Arc::new(StringArray::from(vec![" x", "y\t", "z"])) as ArrayRef,
    )]);
    assert_eq!(
        text(Format::Csv, &[blanks]),
        "a b\r\n\" x\"\r\n\"y\t\"\r\nz\r\n"
    );
}

#[test]
fn arrow() {
    let rows = every_type();
    let bytes = written(Format::Arrow, &[rows.slice(0, 1), rows.slice(1, 1)]);
    let mut bytes = bytes.as_slice();
    let first = StreamReader::try_new(&mut bytes, None).expect("a stream");
    let read: Vec<RecordBatch> = first.collect::<Result<_, _>>().expect("whole batches");
    assert_eq!(read, [rows.slice(0, 1), rows.slice(1, 1)]);
    let second = StreamReader::try_new(&mut bytes, None).expect("a second stream");
    let read: Vec<RecordBatch> = second.collect::<Result<_, _>>().expect("whole batches");
    let expected = batch(vec![(
        "completeness",
        Arc::new(StringArray::from(vec![COMPLETENESS])),
    )]);
    assert_eq!(read[0].columns(), expected.columns());
    assert!(bytes.is_empty());
}

#[test]
fn arrow_leaves_behind_what_is_not_in_the_answer() {
    let long = "x".repeat(100_000);
    let all = batch(vec![(
        "a",
        Arc::new(StringViewArray::from(vec![
            long.as_str(),
            "a text of more than 12 bytes",
        ])),
    )]);
    let bytes = written(Format::Arrow, &[all.slice(1, 1)]);
    assert!(bytes.len() < 10_000, "{}", bytes.len());
}

#[test]
fn columns_of_one_name_are_told_apart() {
    let one = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let rows = batch(vec![
        ("a", one()),
        ("a", one()),
        ("a_2", one()),
        ("a", one()),
    ]);
    assert!(
        text(Format::Csv, std::slice::from_ref(&rows))
            .starts_with("a,a_2,a_2_2,a_3\r\n1,1,1,1\r\n")
    );
    assert!(text(Format::Ndjson, &[rows]).contains("{\"a\":1,\"a_2\":1,\"a_2_2\":1,\"a_3\":1}"));
}

#[test]
fn an_answer_that_breaks_off_says_so() {
    let failed = |format| {
        let rows = every_type();
        let mut encoder = Encoder::new(format, &rows.schema()).expect("the schema can be written");
        let mut out = encoder.start().expect("the start can be written");
        out.extend(encoder.rows(&rows).expect("the rows can be written"));
        let place = Some(Place { line: 1, column: 2 });
        let error = Error::Invalid {
            detail: "division by zero".into(),
            place,
        };
        out.extend(encoder.failed(&error)?);
        Some(String::from_utf8(out).expect("text formats are UTF-8"))
    };
    let error =
        r#"{"kind":"invalid","detail":"division by zero","position":{"line":1,"column":2}}"#;
    let json = failed(Format::Json).expect("JSON has a place for it");
    assert!(
        json.ends_with(&format!("\n],\"error\":{error}}}\n")),
        "{json}"
    );
    serde_json::from_str::<serde_json::Value>(&json).expect("it is JSON");
    let lines = failed(Format::Ndjson).expect("NDJSON has a place for it");
    assert_eq!(
        lines.lines().last(),
        Some(format!("{{\"$error\":{error}}}").as_str())
    );
    assert_eq!(failed(Format::Csv), None);
    assert_eq!(failed(Format::Arrow), None);
}

#[test]
fn accept_headers_choose() {
    let check = |accept: &str, expected: Option<Format>| {
        assert_eq!(Format::accepted(accept), expected, "{accept}");
    };
    check("application/json", Some(Format::Json));
    check("*/*", Some(Format::Json));
    check("text/csv", Some(Format::Csv));
    check("TEXT/CSV; charset=utf-8", Some(Format::Csv));
    check("application/x-ndjson", Some(Format::Ndjson));
    check("application/vnd.apache.arrow.stream", Some(Format::Arrow));
    check(
        "text/html, application/xhtml+xml, */*;q=0.8",
        Some(Format::Json),
    );
    check("application/json;q=0.5, text/csv;q=0.9", Some(Format::Csv));
    check("application/json;q=0, text/csv;q=0.1", Some(Format::Csv));
    check("text/html", None);
    check("application/json;q=0", None);
    check("", None);
}
