//! Requests of remote write as the rows that they become, and each kind of bad.

use super::*;
use arrow::{
    array::ArrayRef,
    compute::cast,
    datatypes::DataType,
    record_batch::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use cairn_proto::{
    write_v1::{
        BucketSpan, Count, Exemplar, Histogram, Label, MetricMetadata, Sample, TimeSeries,
        WriteRequest, ZeroCount,
    },
    write_v2,
};
use cairn_storage::{append::Reason, signal::Table};
use prost::Message;

const RECEIVED: Nanos = Nanos(1_700_000_000_123_456_789);

fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    let label = |(name, value): &(&str, &str)| Label {
        name: name.to_string(),
        value: value.to_string(),
    };
    pairs.iter().map(label).collect()
}

fn sample(value: f64, timestamp: i64) -> Sample {
    Sample { value, timestamp }
}

fn series(pairs: &[(&str, &str)], samples: &[Sample]) -> TimeSeries {
    TimeSeries {
        labels: labels(pairs),
        samples: samples.to_vec(),
        ..TimeSeries::default()
    }
}

fn request(timeseries: Vec<TimeSeries>) -> WriteRequest {
    WriteRequest {
        timeseries,
        metadata: Vec::new(),
    }
}

fn decode_one(request: &WriteRequest, known: &Families) -> Decoded {
    let payload = Bytes::from(request.encode_to_vec());
    decode(Encoding::PrometheusV1, &payload, RECEIVED, known).expect("a request")
}

fn decode_two(request: &write_v2::Request) -> Decoded {
    let payload = Bytes::from(request.encode_to_vec());
    decode(
        Encoding::PrometheusV2,
        &payload,
        RECEIVED,
        &Families::default(),
    )
    .expect("a request")
}

fn table(decoded: &Decoded, wanted: Table) -> Option<&RecordBatch> {
    let mut tables = decoded.tables.iter();
    tables
        .find(|(table, _)| *table == wanted)
        .map(|(_, batch)| batch)
}

/// The rows of a table, the named columns with blanks between; NULL is `-`.
fn rows(decoded: &Decoded, wanted: Table, columns: &str) -> Vec<String> {
    let Some(batch) = table(decoded, wanted) else {
        return Vec::new();
    };
    let options = FormatOptions::default().with_null("-");
    // Times as ns.
    let column = |name: &str| match batch.column_by_name(name).expect("a column") {
        times if matches!(times.data_type(), DataType::Timestamp(..)) => {
            cast(times, &DataType::Int64).expect("ns")
        }
        column => column.clone(),
    };
    let shown: Vec<ArrayRef> = columns.split(' ').map(column).collect();
    let formatters: Vec<ArrayFormatter<'_>> = shown
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).expect("shown"))
        .collect();
    let row = |row| {
        let cells = formatters
            .iter()
            .map(|column| column.value(row).to_string());
        cells.collect::<Vec<_>>().join(" ")
    };
    (0..batch.num_rows()).map(row).collect()
}

fn rejected(decoded: &Decoded) -> Vec<(u32, Reason, &str)> {
    let one = |one: &'_ cairn_storage::append::Rejected| (one.ordinal, one.reason);
    decoded
        .rejected
        .iter()
        .map(|rejected| {
            let (ordinal, reason) = one(rejected);
            (ordinal, reason, rejected.detail.as_str())
        })
        .collect()
}

#[test]
fn samples_and_their_series() {
    let stale = f64::from_bits(points::STALE_NAN_BITS);
    let odd = f64::from_bits(0x7ff8_0000_0000_0001);
    let pairs = [
        ("__name__", "up"),
        ("a", "\"ü\\"),
        ("empty", ""),
        ("instance", "i"),
        ("job", "j"),
    ];
    let decoded = decode_one(
        &request(vec![
            series(
                &pairs,
                &[sample(1.5, 1_000), sample(stale, 2_000), sample(odd, 3_000)],
            ),
            series(&[("Z", "1"), ("__name__", "other")], &[sample(0.0, 0)]),
            series(&pairs, &[sample(2.0, 4_000)]),
            series(&[("__name__", "nothing")], &[]),
        ]),
        &Families::default(),
    );
    assert_eq!((decoded.offered, rejected(&decoded)), (5, vec![]));
    assert_eq!(
        rows(
            &decoded,
            Table::Samples,
            "metric timestamp start_timestamp value value_int flags row_ordinal"
        ),
        [
            "up 1000000000 - 1.5 - 0 0",
            "up 2000000000 - - - 1 1",
            "up 3000000000 - NaN - 0 2",
            "other 0 - - 0 0 3",
            "up 4000000000 - - 2 0 4",
        ]
    );
    let values = table(&decoded, Table::Samples).expect("samples");
    let values = values.column_by_name("value").expect("a column");
    let values = arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(values);
    assert_eq!(
        values.value(2).to_bits(),
        odd.to_bits(),
        "the bits are kept"
    );
    assert_eq!(
        rows(
            &decoded,
            Table::Series,
            "metric type unit temporality is_monotonic metadata service_name attributes \
             resource_attributes scope_attributes scope_name"
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .as_str()
        ),
        [
            r#"up gauge - - - {"prometheus.type":"unknown"} j {"a":"\"ü\\","instance":"i","job":"j"} {} {} -"#,
            r#"other gauge - - - {"prometheus.type":"unknown"} - {"Z":"1"} {} {} -"#,
        ]
    );
}

#[test]
fn metadata_describes_and_identifies_nothing() {
    let named = |name: &str| series(&[("__name__", name)], &[sample(1.0, 1)]);
    let names = ["a_total", "b_bucket", "c", "b_created", "a"];
    let plain = request(names.map(named).to_vec());
    let mut told = plain.clone();
    let of = |name: &str, of: i32| MetricMetadata {
        r#type: of,
        metric_family_name: name.to_string(),
        help: format!("help of {name}"),
        unit: "s".to_string(),
    };
    told.metadata = vec![of("a", 1), of("b", 3), of("c", 77)];
    let (plain, told) = (
        decode_one(&plain, &Families::default()),
        decode_one(&told, &Families::default()),
    );
    let described = "metric type temporality is_monotonic unit description metadata";
    assert_eq!(
        rows(&told, Table::Series, described),
        [
            r#"a_total sum cumulative true s help of a {"prometheus.type":"counter"}"#,
            r#"b_bucket gauge - - s help of b {"prometheus.type":"histogram"}"#,
            r#"c gauge - - s help of c {"prometheus.type":"unknown"}"#,
            r#"b_created gauge - - - - {"prometheus.type":"unknown"}"#,
            r#"a sum cumulative true s help of a {"prometheus.type":"counter"}"#,
        ]
    );
    let ids = |decoded| rows(decoded, Table::Series, "series_id");
    assert_eq!(ids(&plain), ids(&told));
    assert_eq!(
        rows(&plain, Table::Samples, "series_id"),
        ids(&plain),
        "each sample has its series"
    );

    let known = KnownFamilies::default();
    let (one, other) = (
        "one".parse().expect("an id"),
        "other".parse().expect("an id"),
    );
    let mut said = Families::default();
    said.learn(b"a", MetricType::Counter, b"s", &[b'x'; 5_000]);
    said.learn(b"no text", MetricType::Counter, b"\xff", b"");
    known.learn(&one, said);
    assert!(known.of(&other).is_empty());
    let later = decode_one(&request(vec![named("a_total")]), &known.of(&one));
    let help = "x".repeat(1 << 10);
    let expected = format!("sum s {help}");
    assert_eq!(
        rows(&later, Table::Series, "type unit description"),
        [expected]
    );
    assert!(
        known
            .of(&one)
            .find(b"no text")
            .is_some_and(|family| family.unit.is_empty())
    );
}

#[test]
fn what_is_wrong_with_a_series_is_wrong_with_all_of_its_points_and_no_others() {
    let two = [sample(1.0, 1), sample(2.0, 2)];
    type Labels<'a> = &'a [(&'a str, &'a str)];
    let bad: [(Labels<'_>, Reason, &str); 6] = [
        (&[("a", "b")], Reason::Incomplete, "no label __name__"),
        (
            &[("__name__", ""), ("a", "b")],
            Reason::Incomplete,
            "no label __name__",
        ),
        (
            &[("", "x"), ("__name__", "m")],
            Reason::Malformed,
            "empty name",
        ),
        (
            &[("a", "1"), ("__name__", "m"), ("a", "2")],
            Reason::Malformed,
            "stands twice",
        ),
        (
            &[("__name__", "m"), ("a", "1"), ("a", "2")],
            Reason::Malformed,
            "stands twice",
        ),
        (
            &[("__name__", "m"), ("__name__", "n")],
            Reason::Malformed,
            "stands twice",
        ),
    ];
    for (pairs, reason, what) in bad {
        let good = series(&[("__name__", "good")], &two);
        let decoded = decode_one(
            &request(vec![good.clone(), series(pairs, &two), good]),
            &Families::default(),
        );
        assert_eq!(decoded.offered, 6);
        let ordinals = rows(&decoded, Table::Samples, "row_ordinal");
        assert_eq!(ordinals, ["0", "1", "4", "5"], "{pairs:?}");
        let found = rejected(&decoded);
        assert_eq!(found.len(), 2, "{found:?}");
        for (at, (ordinal, found, detail)) in found.into_iter().enumerate() {
            assert_eq!((ordinal as usize, found), (at + 2, reason), "{detail}");
            assert!(detail.contains(what), "{detail}");
        }
        let first = TimeSeries::decode(&decoded.rejected[0].record[..]).expect("the series");
        assert_eq!(first.labels, labels(pairs), "the first keeps the series");
        let second = Sample::decode(&decoded.rejected[1].record[..]).expect("the sample");
        assert_eq!(second, two[1]);
    }
}

#[test]
fn labels_in_any_order_are_those_of_one_series() {
    let orders: [&[(&str, &str)]; 3] = [
        &[("__name__", "m"), ("a", "1"), ("b", "2")],
        &[("b", "2"), ("a", "1"), ("__name__", "m")],
        &[("__name__", "m"), ("b", "2"), ("c", ""), ("a", "1")],
    ];
    let all = orders.map(|pairs| series(pairs, &[sample(1.0, 1)]));
    let decoded = decode_one(&request(all.to_vec()), &Families::default());
    assert!(rejected(&decoded).is_empty());
    let mut series = rows(&decoded, Table::Samples, "series_id");
    assert_eq!(series.len(), 3);
    series.dedup();
    assert_eq!(series.len(), 1);
}

#[test]
fn bytes_that_are_no_text_reject_their_series() {
    let mut payload = request(vec![
        series(&[("__name__", "m"), ("a", "XX")], &[sample(1.0, 1)]),
        series(&[("__name__", "m"), ("a", "good")], &[sample(1.0, 1)]),
    ])
    .encode_to_vec();
    let at = payload
        .windows(2)
        .position(|pair| pair == b"XX")
        .expect("there");
    payload[at] = 0xff;
    let payload = Bytes::from(payload);
    let decoded = decode(
        Encoding::PrometheusV1,
        &payload,
        RECEIVED,
        &Families::default(),
    );
    let decoded = decoded.expect("a request");
    let [(0, Reason::Malformed, detail)] = rejected(&decoded)[..] else {
        panic!("{decoded:?}")
    };
    assert!(detail.contains("not UTF-8"), "{detail}");
    assert_eq!(rows(&decoded, Table::Samples, "row_ordinal"), ["1"]);
}

#[test]
fn times() {
    let max = i64::MAX / 1_000_000;
    let samples = [sample(1.0, -1), sample(1.0, max), sample(1.0, max + 1)];
    let decoded = decode_one(
        &request(vec![series(&[("__name__", "m")], &samples)]),
        &Families::default(),
    );
    let found: Vec<_> = rejected(&decoded)
        .iter()
        .map(|one| (one.0, one.1))
        .collect();
    assert_eq!(
        found,
        [(0, Reason::TimeOutOfRange), (2, Reason::TimeOutOfRange)]
    );
    assert_eq!(rows(&decoded, Table::Samples, "row_ordinal"), ["1"]);
}

fn with_histograms(histograms: Vec<Histogram>) -> WriteRequest {
    request(vec![TimeSeries {
        labels: labels(&[("__name__", "h")]),
        histograms,
        ..TimeSeries::default()
    }])
}

fn span(offset: i32, length: u32) -> BucketSpan {
    BucketSpan { offset, length }
}

fn whole() -> Histogram {
    Histogram {
        count: Some(Count::Int(21)),
        sum: 4.5,
        schema: 3,
        zero_threshold: 0.001,
        zero_count: Some(ZeroCount::Int(2)),
        negative_spans: vec![span(0, 1)],
        negative_deltas: vec![1],
        positive_spans: vec![span(-2, 2), span(2, 1), span(0, 1)],
        positive_deltas: vec![3, 1, 2, -1],
        reset_hint: 2,
        timestamp: 5,
        start_timestamp: 4,
        ..Histogram::default()
    }
}

const EXPONENTIAL: &str = "count sum scale zero_count zero_threshold positive_offset positive_counts \
     negative_offset negative_counts reset_hint flags";

fn columns(names: &str) -> String {
    names.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn native_histograms_with_whole_counts() {
    let stale = Histogram {
        sum: f64::from_bits(points::STALE_NAN_BITS),
        timestamp: 6,
        ..Histogram::default()
    };
    let empty = Histogram {
        timestamp: 7,
        ..Histogram::default()
    };
    let decoded = decode_one(
        &with_histograms(vec![whole(), stale, empty]),
        &Families::default(),
    );
    assert_eq!(rejected(&decoded), []);
    assert_eq!(
        rows(&decoded, Table::Histograms, &columns(EXPONENTIAL)),
        [
            "21 4.5 3 2 0.001 -3 [3, 4, 0, 0, 6, 5] -1 [1] 2 0",
            "0 - 0 0 0.0 - - - - - 1",
            "0 0.0 0 0 0.0 - - - - - 0",
        ]
    );
    assert_eq!(
        rows(
            &decoded,
            Table::Histograms,
            "timestamp start_timestamp count_double bucket_counts"
        ),
        ["5000000 4000000 - -", "6000000 - - -", "7000000 - - -",]
    );
    assert_eq!(
        rows(&decoded, Table::Series, "metric type temporality"),
        ["h exponential_histogram cumulative"]
    );
}

#[test]
fn native_histograms_with_counts_that_are_not_whole() {
    let of = Histogram {
        count: Some(Count::Float(2.5)),
        zero_count: Some(ZeroCount::Float(0.25)),
        positive_deltas: vec![],
        positive_counts: vec![0.5, 0.25, 1.0, 0.5],
        negative_deltas: vec![],
        negative_counts: vec![0.0],
        reset_hint: 3,
        ..whole()
    };
    let decoded = decode_one(&with_histograms(vec![of]), &Families::default());
    assert_eq!(rejected(&decoded), []);
    assert_eq!(
        rows(&decoded, Table::Histograms, &columns(EXPONENTIAL)),
        ["3 4.5 3 - 0.001 -3 - -1 - 3 0"]
    );
    let doubles = "count_double zero_count_double positive_counts_double negative_counts_double";
    assert_eq!(
        rows(&decoded, Table::Histograms, doubles),
        ["2.5 0.25 [0.5, 0.25, 0.0, 0.0, 1.0, 0.5] [0.0]"]
    );
    assert_eq!(
        rows(&decoded, Table::Series, "type temporality"),
        ["exponential_histogram -"],
        "a gauge has no temporality"
    );
}

#[test]
fn native_histograms_with_custom_buckets() {
    let of = Histogram {
        count: Some(Count::Int(6)),
        sum: 9.0,
        schema: -53,
        positive_spans: vec![span(1, 1), span(1, 1)],
        positive_deltas: vec![2, 2],
        custom_values: vec![0.5, 1.0, 2.5],
        timestamp: 5,
        ..Histogram::default()
    };
    let doubles = Histogram {
        count: Some(Count::Float(0.5)),
        positive_deltas: vec![],
        positive_counts: vec![0.25, 0.25],
        ..of.clone()
    };
    let decoded = decode_one(&with_histograms(vec![of, doubles]), &Families::default());
    assert_eq!(rejected(&decoded), []);
    assert_eq!(
        rows(
            &decoded,
            Table::Histograms,
            "count explicit_bounds bucket_counts bucket_counts_double scale positive_counts"
        ),
        [
            "6 [0.5, 1.0, 2.5] [0, 2, 0, 4] - - -",
            "1 [0.5, 1.0, 2.5] - [0.0, 0.25, 0.0, 0.25] - -",
        ]
    );
    assert_eq!(rows(&decoded, Table::Series, "type"), ["histogram"]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn native_histograms_that_cannot_be_right() {
    let bad: Vec<(Histogram, Reason, &str)> = vec![
        (
            Histogram {
                schema: 53,
                ..whole()
            },
            Reason::Malformed,
            "schema",
        ),
        (
            Histogram {
                schema: -10,
                ..whole()
            },
            Reason::Malformed,
            "schema",
        ),
        (
            Histogram {
                positive_deltas: vec![3, 1, 2],
                ..whole()
            },
            Reason::Malformed,
            "spans",
        ),
        (
            Histogram {
                positive_deltas: vec![3, 1, 2, -1, 0],
                ..whole()
            },
            Reason::Malformed,
            "spans",
        ),
        (
            Histogram {
                positive_deltas: vec![3, -4, 2, 1],
                ..whole()
            },
            Reason::Malformed,
            "below zero",
        ),
        (
            Histogram {
                positive_deltas: vec![i64::MAX, 1, 0, 0],
                ..whole()
            },
            Reason::Malformed,
            "below zero",
        ),
        (
            Histogram {
                positive_spans: vec![span(0, 2), span(-1, 2)],
                ..whole()
            },
            Reason::Malformed,
            "spans",
        ),
        (
            Histogram {
                positive_spans: vec![span(0, 2), span(4_093, 2)],
                ..whole()
            },
            Reason::TooLarge,
            "4096",
        ),
        (
            Histogram {
                positive_spans: vec![span(0, u32::MAX)],
                ..whole()
            },
            Reason::TooLarge,
            "4096",
        ),
        (
            Histogram {
                positive_spans: vec![span(i32::MIN, 4)],
                ..whole()
            },
            Reason::Malformed,
            "spans",
        ),
        (
            Histogram {
                timestamp: -1,
                ..whole()
            },
            Reason::TimeOutOfRange,
            "1970",
        ),
        (
            Histogram {
                schema: -53,
                custom_values: vec![2.0, 1.0],
                ..whole()
            },
            Reason::Malformed,
            "ascend",
        ),
        (
            Histogram {
                schema: -53,
                custom_values: vec![f64::INFINITY],
                ..whole()
            },
            Reason::Malformed,
            "finite",
        ),
        (
            Histogram {
                schema: -53,
                custom_values: vec![1.0],
                ..whole()
            },
            Reason::Malformed,
            "spans",
        ),
    ];
    for (histogram, reason, what) in bad {
        let request = with_histograms(vec![whole(), histogram.clone(), whole()]);
        let decoded = decode_one(&request, &Families::default());
        let [(1, found, detail)] = rejected(&decoded)[..] else {
            panic!("{histogram:?}: {:?}", rejected(&decoded))
        };
        assert_eq!(found, reason, "{detail}");
        assert!(detail.contains(what), "{detail}");
        let counts = rows(
            &decoded,
            Table::Histograms,
            "positive_counts negative_counts",
        );
        assert_eq!(
            counts, ["[3, 4, 0, 0, 6, 5] [1]"; 2],
            "the others are whole"
        );
    }
}

#[test]
fn gaps_up_to_the_limit_are_dense() {
    let of = Histogram {
        positive_spans: vec![span(0, 2), span(4_092, 2)],
        ..whole()
    };
    let decoded = decode_one(&with_histograms(vec![of]), &Families::default());
    assert_eq!(rejected(&decoded), []);
    let lists = table(&decoded, Table::Histograms).expect("one");
    let lists = lists.column_by_name("positive_counts").expect("a column");
    let list = arrow::array::AsArray::as_list::<i32>(lists).value(0);
    assert_eq!(arrow::array::Array::len(&list), 4_096);
}

#[test]
fn exemplars() {
    let exemplar = |pairs: &[(&str, &str)], timestamp| Exemplar {
        labels: labels(pairs),
        value: 0.5,
        timestamp,
    };
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let mut with_samples = series(&[("__name__", "a")], &[sample(1.0, 1)]);
    with_samples.exemplars = vec![
        exemplar(
            &[
                ("z", "1"),
                ("trace_id", trace),
                ("span_id", "b7ad6b7169203331"),
            ],
            1,
        ),
        exemplar(&[("trace_id", "short"), ("b", "1"), ("b", "2")], 2),
        exemplar(&[], -1),
    ];
    let mut alone = with_histograms(vec![whole()]).timeseries.remove(0);
    let mut of_histogram = alone.clone();
    of_histogram.histograms.clear();
    of_histogram.exemplars = vec![exemplar(&[], 3)];
    let mut never_seen = series(&[("__name__", "c")], &[]);
    never_seen.exemplars = vec![exemplar(&[], 4)];
    alone.exemplars.clear();
    let decoded = decode_one(
        &request(vec![with_samples, alone, of_histogram, never_seen]),
        &Families::default(),
    );
    assert_eq!((decoded.offered, decoded.duplicate_keys), (7, 1));
    let [(3, Reason::TimeOutOfRange, _)] = rejected(&decoded)[..] else {
        panic!("{:?}", rejected(&decoded))
    };
    assert_eq!(
        rows(
            &decoded,
            Table::Exemplars,
            "metric timestamp value trace_id span_id attributes row_ordinal"
        ),
        [
            format!(r#"a 1000000 0.5 {trace} b7ad6b7169203331 {{"z":"1"}} 1"#),
            r#"a 2000000 0.5 - - {"b":"2","trace_id":"short"} 2"#.to_string(),
            "h 3000000 0.5 - - {} 5".to_string(),
            "c 4000000 0.5 - - {} 6".to_string(),
        ]
    );
    let ids = rows(&decoded, Table::Exemplars, "series_id");
    assert_eq!(
        vec![ids[2].clone()],
        rows(&decoded, Table::Histograms, "series_id")
    );
    let mut of_series = rows(&decoded, Table::Series, "series_id");
    of_series.retain(|id| ids.contains(id));
    assert_eq!(of_series.len(), 3, "each has its series");
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one request with all that the version has"
)]
fn version_two() {
    let symbols = ["", "__name__", "m", "job", "j", "help", "s"];
    let one = write_v2::TimeSeries {
        labels_refs: vec![1, 2, 3, 4],
        samples: vec![
            write_v2::Sample {
                value: 1.0,
                timestamp: 5,
                start_timestamp: 0,
            },
            write_v2::Sample {
                value: 2.0,
                timestamp: 6,
                start_timestamp: 3,
            },
        ],
        metadata: Some(write_v2::Metadata {
            r#type: 1,
            help_ref: 5,
            unit_ref: 6,
        }),
        created_timestamp: 2,
        exemplars: vec![write_v2::Exemplar {
            labels_refs: vec![3, 4],
            value: 1.0,
            timestamp: 5,
        }],
        histograms: vec![],
    };
    let bad = |labels_refs: Vec<u32>| write_v2::TimeSeries {
        labels_refs,
        ..one.clone()
    };
    let decoded = decode_two(&write_v2::Request {
        symbols: symbols.map(str::to_string).to_vec(),
        timeseries: vec![one.clone(), bad(vec![1, 7]), bad(vec![1, 2, 3])],
    });
    assert_eq!(
        rows(
            &decoded,
            Table::Samples,
            "metric timestamp start_timestamp value_int"
        ),
        ["m 5000000 2000000 1", "m 6000000 3000000 2",]
    );
    assert_eq!(
        rows(
            &decoded,
            Table::Series,
            "metric type unit description service_name attributes"
        ),
        [r#"m sum s help j {"job":"j"}"#]
    );
    assert_eq!(
        rows(&decoded, Table::Exemplars, "attributes"),
        [r#"{"job":"j"}"#]
    );
    let found = rejected(&decoded);
    let ordinals: Vec<u32> = found.iter().map(|one| one.0).collect();
    assert_eq!((decoded.offered, ordinals), (9, vec![3, 4, 5, 6, 7, 8]));
    assert!(
        found[0].2.contains("symbol") && found[3].2.contains("odd"),
        "{found:?}"
    );

    let same = decode_one(
        &request(vec![series(
            &[("__name__", "m"), ("job", "j")],
            &[sample(1.0, 5)],
        )]),
        &Families::default(),
    );
    assert_eq!(
        rows(&same, Table::Series, "series_id"),
        rows(&decoded, Table::Series, "series_id"),
        "both versions have one series"
    );
}

#[test]
fn requests_that_are_none() {
    let no_first = write_v2::Request {
        symbols: vec!["a".to_string()],
        timeseries: Vec::new(),
    };
    let payloads = [
        (Encoding::PrometheusV1, vec![0x0a, 5, 0]),
        (Encoding::PrometheusV1, vec![0x1a, 2, 0x08, 0x80]),
        (Encoding::PrometheusV1, vec![0x08, 1]),
        (Encoding::PrometheusV2, no_first.encode_to_vec()),
    ];
    for (encoding, payload) in payloads {
        let payload = Bytes::from(payload);
        let error = decode(encoding, &payload, RECEIVED, &Families::default());
        assert!(
            matches!(error, Err(DecodeError::Malformed { .. })),
            "{error:?}"
        );
    }
    // A series of its own is one record, since its points cannot be told.
    let broken = Bytes::from_static(&[0x0a, 2, 0x12, 9]);
    let decoded = decode(
        Encoding::PrometheusV1,
        &broken,
        RECEIVED,
        &Families::default(),
    );
    assert_eq!(rejected(&decoded.expect("a request")).len(), 1);
}

#[test]
fn records_are_found_by_their_ordinals() {
    let mut first = series(&[("__name__", "a")], &[sample(1.0, 1), sample(2.0, 2)]);
    first.histograms = vec![whole()];
    let bad = series(&[("a", "b")], &[sample(3.0, 3)]);
    let payload = Bytes::from(request(vec![first, bad]).encode_to_vec());
    let found = records(Encoding::PrometheusV1, &payload, &[3, 1, 2, 9]);
    assert_eq!(Sample::decode(&found[0].bytes[..]), Ok(sample(3.0, 3)));
    assert_eq!(Sample::decode(&found[1].bytes[..]), Ok(sample(2.0, 2)));
    assert_eq!(Histogram::decode(&found[2].bytes[..]), Ok(whole()));
    assert!(found[3].bytes.is_empty());
}
