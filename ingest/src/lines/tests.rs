//! Lines as the rows that they become.

use super::*;
use crate::{decode, otlp::DECODER_VERSION, prometheus::Families};
use arrow::util::pretty::pretty_format_batches;
use bytes::Bytes;
use cairn_storage::{
    append::Decoded,
    budget::Budget,
    signal::{Encoding, Signal, Table},
};
use proptest::prelude::*;

const RECEIVED: Nanos = Nanos(1_700_000_000_123_456_789);

fn decoded(form: LineForm, text: &[u8]) -> (Decoded, u64) {
    let budget = Budget::new(64 << 20);
    let mut memory = budget.empty();
    let transcoded = transcode(form, text, RECEIVED, (8 << 20, &mut memory)).expect("small");
    let payload = Bytes::from(transcoded.payload);
    let of = (Signal::Metrics, Encoding::Samples, DECODER_VERSION);
    let decoded = decode::decode(of, &payload, RECEIVED, &Families::default()).expect("ours");
    (decoded, transcoded.skipped_texts)
}

/// The samples of `text` as `name{attributes} value time`, those that are integers with an `i`.
fn samples(decoded: &Decoded) -> Vec<String> {
    let table = |wanted: Table| decoded.tables.iter().find(|(table, _)| *table == wanted);
    let Some((_, samples)) = table(Table::Samples) else {
        return Vec::new();
    };
    let (_, series) = table(Table::Series).expect("samples have series");
    let cells = |batch: &arrow::array::RecordBatch, name: &str| -> Vec<String> {
        let column = batch.column_by_name(name).expect("a column").clone();
        let text = arrow::compute::cast(&column, &arrow::datatypes::DataType::Utf8);
        let text = text.expect("everything is text");
        let text = arrow::array::AsArray::as_string::<i32>(&text);
        text.iter()
            .map(|cell| cell.unwrap_or("").to_string())
            .collect()
    };
    let attributes: std::collections::HashMap<String, String> = cells(series, "series_id")
        .into_iter()
        .zip(cells(series, "attributes"))
        .collect();
    let (ids, names) = (cells(samples, "series_id"), cells(samples, "metric"));
    let (values, ints) = (cells(samples, "value"), cells(samples, "value_int"));
    let times = samples.column_by_name("timestamp").expect("a column");
    let times =
        arrow::array::AsArray::as_primitive::<arrow::datatypes::TimestampNanosecondType>(times);
    (0..samples.num_rows())
        .map(|row| {
            let int = if ints[row].is_empty() {
                String::new()
            } else {
                format!("{}i", ints[row])
            };
            let (name, of) = (&names[row], &attributes[&ids[row]]);
            format!("{name}{of} {}{int} {}", values[row], times.value(row))
        })
        .collect()
}

fn check(form: LineForm, text: &str, expected: &[&str], rejected: &[&str]) {
    let (decoded, _) = decoded(form, text.as_bytes());
    let found = samples(&decoded);
    assert_eq!(found, expected, "{text}");
    let details: Vec<&str> = decoded
        .rejected
        .iter()
        .map(|one| one.detail.as_str())
        .collect();
    assert_eq!(details, rejected, "{text}");
    let exemplars = decoded
        .tables
        .iter()
        .filter(|(table, _)| *table == Table::Exemplars);
    let exemplars: usize = exemplars.map(|(_, batch)| batch.num_rows()).sum();
    let offered = expected.len() + rejected.len() + exemplars;
    assert_eq!(decoded.offered, offered as u64, "{text}");
}

#[test]
fn text_format() {
    let text = "\
# HELP up Whether it is\\nup.
# TYPE up gauge
up 1
  http_requests_total{code=\"200\",method=\"get\",} 1027 1395066363000

odd{b=\"\\\\x\\\"\\n\", a = \"ü\"} +Inf
{\"a.b\",\"c d\"=\"e\"} -1e3 5
# a comment
nan NaN 0
";
    let expected = [
        "up{} 1i 1700000000123456789",
        r#"http_requests_total{"code":"200","method":"get"} 1027i 1395066363000000000"#,
        r#"odd{"a":"ü","b":"\\x\"\n"} inf 1700000000123456789"#,
        r#"a.b{"c d":"e"} -1000i 5000000"#,
        "nan{} NaN 0",
    ];
    check(LineForm::Text, text, &expected, &[]);
}

#[test]
fn bad_lines_of_text_are_rejected_and_the_others_are_not() {
    let text = "a 1\nnovalue\nb x\nc{x=\"1\",x=\"2\"} 1\nd{x=1} 1\ne{x=\"1\" 1\nf 1 2 3\ng{x=\"1} 1\nh 1 -5\n{x=\"1\"} 2\nz 2 7";
    let expected = ["a{} 1i 1700000000123456789", "z{} 2i 7000000"];
    let rejected = [
        "line 2: a sample has no value",
        "line 3: its value is no number",
        "line 4: a label stands twice",
        "line 5: a value of a label is not in quotes",
        "line 6: labels do not end",
        "line 7: there is something behind the sample",
        "line 8: a quote does not end",
        "line 9: its time is not readable, before 1970 or after 2262",
        "line 10: a sample has no name",
    ];
    check(LineForm::Text, text, &expected, &rejected);
}

#[test]
fn openmetrics() {
    let text = "\
# TYPE foo counter
# UNIT foo seconds
# HELP foo How long.
foo_total{a=\"b\"} 17.0 1520879607.789 # {trace_id=\"0af7651916cd43dd8448eb211c80319c\",x=\"y\"} 0.67 1520879600.1234567891
foo_created 1520430000.123
# EOF
late 1
";
    let expected = [
        r#"foo_total{"a":"b"} 17i 1520879607789000000"#,
        "foo_created{} 1520430000.123 1700000000123456789",
    ];
    check(LineForm::OpenMetrics, text, &expected, &[]);
    let (decoded, _) = decoded(LineForm::OpenMetrics, text.as_bytes());
    let shown = |wanted: Table, columns: &[&str]| {
        let mut tables = decoded.tables.iter();
        let (_, batch) = tables.find(|(table, _)| *table == wanted).expect("rows");
        let schema = batch.schema();
        let at = |name: &&str| schema.index_of(name).expect("a column");
        let columns: Vec<usize> = columns.iter().map(at).collect();
        let batch = batch.project(&columns).expect("columns");
        pretty_format_batches(&[batch]).expect("shown").to_string()
    };
    let of_series = ["type", "unit", "description", "metadata", "temporality"];
    let series = shown(Table::Series, &of_series);
    for part in [
        "| sum ",
        "seconds",
        "How long.",
        r#"{"prometheus.type":"counter"}"#,
        "cumulative",
    ] {
        assert!(series.contains(part), "{part} in {series}");
    }
    let exemplars = shown(Table::Exemplars, &["attributes", "trace_id", "value"]);
    for part in [r#"{"x":"y"}"#, "0af7651916cd43dd8448eb211c80319c", "0.67"] {
        assert!(exemplars.contains(part), "{part} in {exemplars}");
    }
}

#[test]
fn line_protocol() {
    let text = "\
weather,location=us-midwest,season=summer temperature=82,wet=t 1465839830100400200
# a comment
my\\ disk,path=/a\\,b\\=c used=5i,free=18446744073709551615u,note=\"x y\\\" , z\"
m,empty= v=1u,w=-2.5e3 7\r
";
    let expected = [
        r#"weather_temperature{"location":"us-midwest","season":"summer"} 82i 1465839830100400200"#,
        r#"weather_wet{"location":"us-midwest","season":"summer"} 1i 1465839830100400200"#,
        r#"my disk_used{"path":"/a,b=c"} 5i 1700000000123456789"#,
        r#"my disk_free{"path":"/a,b=c"} 1.8446744073709552e19 1700000000123456789"#,
        "m_v{} 1i 7",
        "m_w{} -2500i 7",
    ];
    let form = LineForm::Influx(Precision::Nanoseconds);
    check(form, text, &expected, &[]);
    assert_eq!(decoded(form, text.as_bytes()).1, 1, "the text is counted");
    check(
        LineForm::Influx(Precision::Seconds),
        "a b=1 2",
        &["a_b{} 1i 2000000000"],
        &[],
    );
}

#[test]
fn bad_lines_of_line_protocol_are_rejected_and_the_others_are_not() {
    let text = "a v=1 1\nnofields\nb v=x\nc,t=1,t=2 v=1\n,x v=1\nd v=1 -1\ne v=1 1 2\nf,__name__=x v=1\ng v=\"open\nz v=2 3";
    let rejected = [
        "line 2: it has no fields",
        "line 3: a field is no value",
        "line 4: a tag stands twice",
        "line 5: it has no measurement",
        "line 6: its time is not readable, before 1970 or after 2262",
        "line 7: there is something behind the time",
        "line 8: a tag is named __name__, which is the name of the metric",
        "line 9: a text does not end",
    ];
    check(
        LineForm::Influx(Precision::Nanoseconds),
        text,
        &["a_v{} 1i 1"],
        &rejected,
    );
}

#[test]
fn more_than_the_limit_is_refused() {
    let budget = Budget::new(64 << 20);
    let text = "some_name{label=\"value\"} 1\n".repeat(1_000);
    let mut memory = budget.empty();
    let error = transcode(
        LineForm::Text,
        text.as_bytes(),
        RECEIVED,
        (1_000, &mut memory),
    );
    assert!(
        error
            .expect_err("too large")
            .to_string()
            .contains("larger than 1000 bytes")
    );
    let small = Budget::new(1 << 10);
    let mut memory = small.empty();
    let error = transcode(
        LineForm::Text,
        text.as_bytes(),
        RECEIVED,
        (1 << 20, &mut memory),
    );
    assert_eq!(
        error.expect_err("no memory").kind(),
        crate::error::Kind::Limited
    );
}

proptest! {
    /// Any bytes make rows and rejected records, never a panic and nothing in between.
    #[test]
    fn any_bytes(text in prop::collection::vec(
        prop::sample::select(b"ab=, \n\\\"{}#_1.5ie-\xff\r".to_vec()), 0..200)
    ) {
        for form in [LineForm::Text, LineForm::OpenMetrics, LineForm::Influx(Precision::Hours)] {
            let (decoded, _) = decoded(form, &text);
            let rows = samples(&decoded).len() + decoded.rejected.len();
            let exemplars = decoded.tables.iter().find(|(table, _)| *table == Table::Exemplars);
            let exemplars = exemplars.map_or(0, |(_, batch)| batch.num_rows());
            prop_assert_eq!((rows + exemplars) as u64, decoded.offered);
        }
    }
}
