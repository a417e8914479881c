//! Queries with their answers.

use super::{encoded, get, interval, records::BASE, records::END};
use crate::server::Server;
use serde_json::Value as Json;

/// Log queries, and the seconds of the lines that they answer, oldest first.
const LINES: [(&str, &str); 34] = [
    (r#"{service_name="shop"}"#, "0 10 20 30 40"),
    (r#"{service_name=~"shop|till"}"#, "0 10 20 30 40 50 60"),
    (r#"{service_name=~".+", level!="info"}"#, "20 30 50 60"),
    (r#"{service_name=~".+", service_name!="shop"}"#, "50 60"),
    (r#"{level="info", service_name!="till"}"#, "0 10 40"),
    (r#"{level=~"warn|error"}"#, "20 30 50"),
    (r#"{level="unknown"}"#, "60"),
    (r#"{k8s_namespace_name="prod", level!~"info|warn"}"#, "20"),
    (r#"{k8s_namespace_name="pro"}"#, ""),
    (r#"{service_name="shop", nothing=""}"#, "0 10 20 30 40"),
    (r#"{service_name="shop"} |= "pay""#, "10 20"),
    (r#"{service_name="shop"} != "pay""#, "0 30 40"),
    (r#"{service_name="shop"} |= "cart" != "12ms""#, "40"),
    (r#"{service_name="shop"} |= "slow" or "payment""#, "20 30"),
    (r#"{service_name="shop"} |~ "status=(4|5)..""#, "10"),
    (r#"{service_name="shop"} |~ "(?i)SLOW""#, "30"),
    (r#"{service_name="shop"} !~ "status=\\d+""#, "20 30"),
    (r#"{service_name="till"} |= ip("10.0.0.0/8")"#, "50"),
    (
        r#"{service_name="shop"} |> "method=GET <_> status=200 <_>""#,
        "0 40",
    ),
    (r#"{service_name="shop"} !> "method=<_>""#, "20 30"),
    (r#"{service_name="shop"} | logfmt | status="500""#, "10"),
    (
        r#"{service_name="shop"} | logfmt | status>=200 and status<300"#,
        "0 40",
    ),
    (r#"{service_name="shop"} | logfmt | took > 100ms"#, "10 30"),
    (r#"{service_name="shop"} | logfmt | size >= 10KB"#, "30"),
    (
        r#"{service_name="shop"} | logfmt | user=~"al.*" or status="500""#,
        "0 10 40",
    ),
    (r#"{service_name="shop"} | json | user_name="bob""#, "20"),
    (
        r#"{service_name="shop"} | json n="user.name" | n="bob""#,
        "20",
    ),
    (r##"{service_name="shop"} | json | __error__="""##, "20"),
    (r#"{service_name="shop"} | http_route="/pay""#, "20"),
    (r#"{service_name="shop"} | trace_id!="""#, "20"),
    (r#"{service_name=~".+"} | detected_level="warn""#, "30 50"),
    (
        r#"{service_name="shop"} | regexp "took=(?P<t>\\S+)" | t="18ms""#,
        "40",
    ),
    (
        r#"{service_name="shop"} | pattern "method=<m> path=<p> <_>" | p="/pay""#,
        "10",
    ),
    (
        r#"{service_name="shop"} | logfmt | line_format "{{.user}}" |= "alice""#,
        "0 40",
    ),
];

/// Log queries, and the lines that they answer, oldest first.
const TEXTS: [(&str, &str); 5] = [
    (
        r#"{service_name="shop"} | logfmt | user="bob" | line_format "{{.path}} {{.status}} {{.level}}""#,
        "/pay 500 info",
    ),
    (
        r#"{level="error"} | json | line_format "{{.msg | upper}} {{.code}}""#,
        "PAYMENT FAILED 42",
    ),
    (
        r#"{level="error"} | label_format route=http_route | line_format "{{.route}}""#,
        "/pay",
    ),
    (
        r#"{service_name="till"} | regexp "(?P<what>full|ok)" | line_format "{{.what}}""#,
        "full|ok",
    ),
    (
        r#"{level="error"} | line_format "{{.severity_number}} {{.trace_id | trunc 4}}""#,
        "17 abab",
    ),
];

/// Metric queries, and their answers at the time of the last record.
const VALUES: [(&str, &str); 19] = [
    (
        r#"count_over_time({level="error"} | keep service_name [1m])"#,
        r#"{"service_name":"shop"}=1"#,
    ),
    (r#"sum(count_over_time({service_name="shop"}[1m]))"#, "{}=4"),
    (
        r#"sum(count_over_time({service_name="shop"}[61s]))"#,
        "{}=5",
    ),
    (
        r#"sum by (service_name) (count_over_time({service_name=~".+"}[5m]))"#,
        r#"{"service_name":"shop"}=5 {"service_name":"till"}=2"#,
    ),
    (
        r#"sum by (level) (count_over_time({service_name="shop"} |= "took" [5m]))"#,
        r#"{"level":"info"}=3 {"level":"warn"}=1"#,
    ),
    (
        r#"sum by (detected_level) (count_over_time({service_name="till"}[5m]))"#,
        r#"{"detected_level":"unknown"}=1 {"detected_level":"warn"}=1"#,
    ),
    (r#"sum(rate({service_name="shop"}[50s]))"#, "{}=0.06"),
    (
        r#"sum(bytes_over_time({service_name="till"}[5m]))"#,
        "{}=28",
    ),
    (
        r#"sum(count_over_time({service_name="shop"}[20s] offset 20s))"#,
        "{}=2",
    ),
    (
        r#"sum by (user) (count_over_time({service_name="shop"} | logfmt | user!="" [5m]))"#,
        r#"{"user":"alice"}=2 {"user":"bob"}=1"#,
    ),
    (
        r#"sum by (http_route) (count_over_time({level="error"}[5m]))"#,
        r#"{"http_route":"/pay"}=1"#,
    ),
    (
        r#"sum(sum_over_time({service_name="shop"} | logfmt | unwrap rows [5m]))"#,
        "{}=10",
    ),
    (
        r#"max(max_over_time({service_name="shop"} | logfmt | unwrap status [5m]))"#,
        "{}=500",
    ),
    (
        r#"max by (user) (max_over_time({service_name="shop"} | logfmt | user!="" | unwrap duration(took) [5m]))"#,
        r#"{"user":"alice"}=0.018 {"user":"bob"}=0.25"#,
    ),
    (
        r#"quantile_over_time(0.5, {service_name="shop"} | logfmt | unwrap status [5m]) by (service_name)"#,
        r#"{"service_name":"shop"}=200"#,
    ),
    (
        r#"topk(1, sum by (service_name) (count_over_time({service_name=~".+"}[5m])))"#,
        r#"{"service_name":"shop"}=5"#,
    ),
    (
        r#"sum(count_over_time({level="error"}[5m])) / sum(count_over_time({service_name="shop"}[5m]))"#,
        "{}=0.2",
    ),
    (
        r#"absent_over_time({service_name="nobody"}[5m])"#,
        r#"{"service_name":"nobody"}=1"#,
    ),
    (
        r#"label_replace(sum by (service_name) (count_over_time({service_name="till"}[5m])), "s", "$1", "service_name", "(.).*")"#,
        r#"{"s":"t","service_name":"till"}=2"#,
    ),
];

pub(super) async fn check_all(server: &Server) {
    for (query, expected) in LINES {
        for direction in ["forward", "backward"] {
            let found = lines(server, query, &[("direction", direction)]).await;
            let seconds: Vec<String> = found.iter().map(|(second, _)| second.to_string()).collect();
            assert_eq!(seconds.join(" "), expected, "{query} {direction}");
        }
    }
    for (query, expected) in TEXTS {
        let found = lines(server, query, &[]).await;
        let texts: Vec<String> = found.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts.join("|"), expected, "{query}");
    }
    for (query, expected) in VALUES {
        assert_eq!(values(server, query).await, expected, "{query}");
    }
    limited(server).await;
}

/// Limits and intervals count from the end that comes first.
async fn limited(server: &Server) {
    let check = async |pairs: &[(&str, &str)], expected: &[u64]| {
        let found = lines(server, r#"{service_name=~".+"}"#, pairs).await;
        let seconds: Vec<u64> = found.iter().map(|(second, _)| *second).collect();
        assert_eq!(seconds, expected, "{pairs:?}");
    };
    check(&[("limit", "2"), ("direction", "backward")], &[50, 60]).await;
    check(&[("limit", "2"), ("direction", "forward")], &[0, 10]).await;
    check(
        &[("interval", "25s"), ("direction", "forward")],
        &[0, 30, 60],
    )
    .await;
    check(
        &[("interval", "25s"), ("direction", "backward")],
        &[0, 30, 60],
    )
    .await;
}

/// Second and text of the lines that a query answers, oldest first.
async fn lines(server: &Server, query: &str, more: &[(&str, &str)]) -> Vec<(u64, String)> {
    let question = encoded(&[&[("query", query)], more].concat());
    let answer = get(server, &format!("query_range?{}&{question}", interval())).await;
    let streams = answer["data"]["result"].as_array().expect("streams");
    let values = streams
        .iter()
        .flat_map(|stream| stream["values"].as_array().expect("values"));
    let mut lines: Vec<(u64, String)> = values
        .map(|value| {
            let text = |at: usize| value[at].as_str().expect("a text").to_owned();
            let ns: u64 = text(0).parse().expect("a number");
            (ns / 1_000_000_000 - BASE, text(1))
        })
        .collect();
    lines.sort();
    lines
}

/// Labels and values of an instant query.
async fn values(server: &Server, query: &str) -> String {
    let question = encoded(&[("query", query), ("time", &END.to_string())]);
    let answer = get(server, &format!("query?{question}")).await;
    let elements = answer["data"]["result"].as_array().expect("a vector");
    let shown = |element: &Json| {
        let value = element["value"][1].as_str().expect("a value");
        format!("{}={value}", element["metric"])
    };
    let mut shown: Vec<String> = elements.iter().map(shown).collect();
    shown.sort();
    shown.join(" ")
}
