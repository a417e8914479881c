//! Prometheus' API over what came in as OTLP: names, labels, values, histograms, from the buffer and from segments.

use crate::server::Server;
use hyper::{Method, StatusCode};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    metrics::v1::{
        Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
        HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
        SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric::Data,
        number_data_point::Value as Number, summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
};
use serde_json::{Value as Json, json};

/// The instant of the last point, seconds.
const END: u64 = 1_760_000_000;

/// Points of every series, 15 s apart.
const POINTS: u64 = 21;

/// The instant of a point, ns.
fn at(point: u64) -> u64 {
    (END - (POINTS - 1 - point) * 15) * 1_000_000_000
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(value),
        ..KeyValue::default()
    }
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: format!("what {name} means"),
        data: Some(data),
        ..Metric::default()
    }
}

/// Number points of one method; `value` of the number of a point.
fn numbers(method: &str, value: impl Fn(u64) -> Number) -> Vec<NumberDataPoint> {
    let point = |at_point| NumberDataPoint {
        attributes: vec![attribute("http.method", method)],
        start_time_unix_nano: at(0),
        time_unix_nano: at(at_point),
        value: Some(value(at_point)),
        exemplars: match at_point {
            1 => vec![Exemplar {
                time_unix_nano: at(1),
                value: Some(exemplar::Value::AsInt(7)),
                trace_id: vec![0xab; 16],
                ..Exemplar::default()
            }],
            _ => Vec::new(),
        },
        ..NumberDataPoint::default()
    };
    (0..POINTS).map(point).collect()
}

fn sum(monotonic: bool, temporality: i32, data_points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum {
        data_points,
        aggregation_temporality: temporality,
        is_monotonic: monotonic,
    })
}

#[expect(
    clippy::too_many_lines,
    reason = "every kind of metric, one after another"
)]
fn metrics() -> Vec<Metric> {
    let mut requests = numbers("GET", |point| Number::AsInt(30 * point as i64));
    requests.extend(numbers("POST", |point| {
        Number::AsDouble(15.0 * point as f64)
    }));
    let classic = |point| HistogramDataPoint {
        time_unix_nano: at(point),
        start_time_unix_nano: at(0),
        count: 4 * point,
        sum: Some(2.0 * point as f64),
        explicit_bounds: vec![0.1, 1.0],
        bucket_counts: vec![point, 2 * point, point],
        ..HistogramDataPoint::default()
    };
    let native = |point| ExponentialHistogramDataPoint {
        time_unix_nano: at(point),
        start_time_unix_nano: at(0),
        count: 3 * point,
        sum: Some(5.0 * point as f64),
        scale: 0,
        zero_count: point,
        // OTLP's bucket 0 of scale 0 is (1, 2].
        positive: Some(Buckets {
            offset: 0,
            bucket_counts: vec![point, point],
        }),
        ..ExponentialHistogramDataPoint::default()
    };
    let summary = |point| SummaryDataPoint {
        time_unix_nano: at(point),
        count: point,
        sum: 3.0 * point as f64,
        quantile_values: vec![ValueAtQuantile {
            quantile: 0.5,
            value: 3.0,
        }],
        ..SummaryDataPoint::default()
    };
    vec![
        metric("http.server.requests", "{request}", sum(true, 2, requests)),
        metric(
            "jobs.done",
            "1",
            sum(true, 1, numbers("GET", |_| Number::AsInt(3))),
        ),
        metric(
            "memory.utilization",
            "1",
            Data::Gauge(Gauge {
                data_points: numbers("GET", |point| Number::AsDouble(point as f64 / 100.0)),
            }),
        ),
        metric(
            "http.duration",
            "s",
            Data::Histogram(Histogram {
                data_points: (0..POINTS).map(classic).collect(),
                aggregation_temporality: 2,
            }),
        ),
        metric(
            "size",
            "By",
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: (0..POINTS).map(native).collect(),
                aggregation_temporality: 2,
            }),
        ),
        metric(
            "old",
            "",
            Data::Summary(Summary {
                data_points: (0..POINTS).map(summary).collect(),
            }),
        ),
    ]
}

fn request() -> ExportMetricsServiceRequest {
    let resource = Resource {
        attributes: vec![
            attribute("service.name", "shop"),
            attribute("service.namespace", "eu"),
            attribute("service.instance.id", "shop-1"),
            attribute("host.name", "h1"),
        ],
        ..Resource::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope::default()),
                metrics: metrics(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

/// The data of an answer.
async fn get(server: &Server, question: &str) -> Json {
    let path = format!("/prometheus/api/v1/{question}");
    let (status, text) = server.api(Method::GET, &path, None, "").await;
    assert_eq!(status, StatusCode::OK, "{question}: {text}");
    let answer: Json = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["status"], "success");
    answer["data"].clone()
}

/// The labels and values of an instant query at the end, sorted.
async fn instant(server: &Server, query: &str) -> Vec<(Json, Json)> {
    let query: String = serde_urlencoded::to_string([("query", query)]).expect("it is text");
    let data = get(server, &format!("query?{query}&time={END}")).await;
    let elements = data["result"].as_array().expect("a vector").clone();
    let pair = |element: Json| {
        let value = match &element["value"] {
            Json::Null => element["histogram"][1].clone(),
            value => nearest(&value[1]),
        };
        (element["metric"].clone(), value)
    };
    let mut pairs: Vec<_> = elements.into_iter().map(pair).collect();
    pairs.sort_by_key(|(labels, _)| labels.to_string());
    pairs
}

/// A number as text without what is left of computing with doubles.
fn nearest(value: &Json) -> Json {
    let number = value.as_str().and_then(|text| text.parse::<f64>().ok());
    number.map_or(value.clone(), |number| {
        json!(((number * 1e9).round() / 1e9).to_string())
    })
}

async fn check(server: &Server, query: &str, expected: Json) {
    let found: Vec<Json> = instant(server, query)
        .await
        .into_iter()
        .map(|(labels, value)| json!([labels, value]))
        .collect();
    assert_eq!(Json::Array(found), expected, "{query}");
}

/// All questions; the answers are the same wherever the points lie.
#[expect(clippy::too_many_lines, reason = "a list of questions and answers")]
async fn check_all(server: &Server) {
    let get_labels = json!({ "http_method": "GET", "instance": "shop-1", "job": "eu/shop" });
    check(
        server,
        "rate(http_server_requests_total{http_method='GET'}[5m])",
        json!([[get_labels, "2"]]),
    )
    .await;
    check(
        server,
        "sum by (job) (rate(http_server_requests_total[5m]))",
        json!([[{ "job": "eu/shop" }, "3"]]),
    )
    .await;
    // Delta points are added up: 20 of 3 lie in the left-open range of 300 s.
    check(
        server,
        "increase(jobs_done_total[5m])",
        json!([[get_labels, "60"]]),
    )
    .await;
    check(
        server,
        "memory_utilization_ratio * 100 > bool 19",
        json!([[get_labels, "1"]]),
    )
    .await;
    check(
        server,
        r#"sum(http_duration_seconds_bucket{le="1"})"#,
        json!([[{}, "60"]]),
    )
    .await;
    check(
        server,
        "count by (le) (http_duration_seconds_bucket)",
        json!([
            [{ "le": "+Inf" }, "1"], [{ "le": "0.1" }, "1"], [{ "le": "1" }, "1"],
        ]),
    )
    .await;
    check(
        server,
        "sum(http_duration_seconds_sum) / sum(http_duration_seconds_count)",
        json!([[{}, "0.5"]]),
    )
    .await;
    check(
        server,
        "histogram_count(sum(size_bytes))",
        json!([[{}, "60"]]),
    )
    .await;
    let native = json!({ "count": "60", "sum": "100", "buckets": [
        [3, "-0", "0", "20"], [0, "1", "2", "20"], [0, "2", "4", "20"],
    ] });
    check(server, "sum(size_bytes)", json!([[{}, native]])).await;
    check(server, r#"sum(old{quantile="0.5"})"#, json!([[{}, "3"]])).await;
    check(server, "sum(old_count)", json!([[{}, "20"]])).await;
    check(
        server,
        r#"{"http.server.requests", "http.method"="POST"} - 0"#,
        json!([
            [{ "http.method": "POST", "instance": "shop-1", "job": "eu/shop" }, "300"],
        ]),
    )
    .await;
    check(server, "sum by (host_name) (memory_utilization_ratio * on (job, instance) group_left (host_name) target_info)",
        json!([[{ "host_name": "h1" }, "0.2"]])).await;
    let interval = format!("start={}&end={END}", END - 300);
    let names = get(server, &format!("label/__name__/values?{interval}")).await;
    assert_eq!(
        names,
        json!([
            "http_duration_seconds_bucket",
            "http_duration_seconds_count",
            "http_duration_seconds_sum",
            "http_server_requests_total",
            "jobs_done_total",
            "memory_utilization_ratio",
            "old",
            "old_count",
            "old_sum",
            "size_bytes",
            "target_info",
        ])
    );
    let values = get(server, &format!("label/http_method/values?{interval}")).await;
    assert_eq!(values, json!(["GET", "POST"]));
    let names = get(server, &format!("labels?{interval}&match[]=old")).await;
    assert_eq!(names, json!(["__name__", "instance", "job", "quantile"]));
    let series = get(
        server,
        &format!("series?{interval}&match[]=http_server_requests_total"),
    )
    .await;
    assert_eq!(series.as_array().map(Vec::len), Some(2));
    let metadata = get(server, "metadata?metric=http_server_requests_total").await;
    assert_eq!(
        metadata,
        json!({ "http_server_requests_total": [
        { "type": "counter", "help": "what http.server.requests means", "unit": "{request}" },
    ] })
    );
    let exemplars = get(
        server,
        &format!("query_exemplars?{interval}&query=http_server_requests_total"),
    )
    .await;
    assert_eq!(exemplars.as_array().map(Vec::len), Some(2), "{exemplars}");
    assert_eq!(
        exemplars[0]["exemplars"][0]["labels"]["trace_id"],
        "ab".repeat(16)
    );
    let counted = get(server, &format!("status/tsdb?{interval}")).await;
    assert_eq!(counted["headStats"]["numSeries"], 14, "{counted}");
    let query = "query=sum(rate(http_server_requests_total[1m]))";
    let matrix = get(server, &format!("query_range?{query}&{interval}&step=60")).await;
    let values = matrix["result"][0]["values"]
        .as_array()
        .expect("a series")
        .clone();
    assert_eq!(values.len(), 5, "{matrix}");
    assert!(
        values.iter().all(|point| nearest(&point[1]) == "3"),
        "{matrix}"
    );
}

#[tokio::test]
async fn otlp_metrics_answer_promql_from_buffer_and_segments() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    server
        .send_metrics(request(), None)
        .await
        .expect("it is taken");
    check_all(&server).await;
    let (status, _) = server.api(Method::POST, "/api/v1/flush", None, "").await;
    assert_eq!(status, StatusCode::OK);
    check_all(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn failures_are_said_as_prometheus_says_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let check = async |question: &str, status: u16, kind: &str| {
        let path = format!("/prometheus/api/v1/{question}");
        let (code, text) = server.api(Method::GET, &path, None, "").await;
        assert_eq!(code.as_u16(), status, "{question}: {text}");
        let answer: Json = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (&answer["status"], &answer["errorType"]),
            (&json!("error"), &json!(kind)),
            "{question}"
        );
    };
    check("query", 400, "bad_data").await;
    check("query?query=sum(", 400, "bad_data").await;
    check("query?query=up&time=never", 400, "bad_data").await;
    check("query_range?query=up&start=2&end=1&step=1", 400, "bad_data").await;
    check(
        "query_range?query=up&start=0&end=100000&step=1",
        400,
        "bad_data",
    )
    .await;
    check("series", 400, "bad_data").await;
    check("series?match[]=%7B%7D", 400, "bad_data").await;
    server.stop().await;
}
