//! Messages of Prometheus' exposition as points.

use super::*;

/// A field of bytes.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, u64::from(number << 3 | 2));
    put_varint(&mut out, content.len() as u64);
    out.extend_from_slice(content);
    out
}

fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, u64::from(number << 3));
    put_varint(&mut out, value);
    out
}

fn double(number: u32, value: f64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, u64::from(number << 3 | 1));
    out.extend_from_slice(&value.to_le_bytes());
    out
}

/// A family with one metric, after its length.
fn family(name: &str, of: u64, metric: &[Vec<u8>]) -> Vec<u8> {
    let parts = [
        field(1, name.as_bytes()),
        field(2, b"what it is"),
        varint(3, of),
        field(4, &metric.concat()),
    ];
    let message = parts.concat();
    let mut out = Vec::new();
    put_varint(&mut out, message.len() as u64);
    [out, message].concat()
}

fn points(page: &[u8], forms: Forms) -> Result<Vec<Point>, Fault> {
    let mut points = Vec::new();
    read(page, forms, |point, _| {
        points.push(point);
        Ok(())
    })?;
    Ok(points)
}

/// The points that are numbers as `name{labels} value`.
fn numbers(points: &[Point]) -> Vec<String> {
    let shown = points.iter().filter_map(|point| {
        let Value::Number(value) = point.value else {
            return None;
        };
        let labels: Vec<String> = point
            .labels
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        Some(format!("{}{{{}}} {value}", point.name, labels.join(" ")))
    });
    shown.collect()
}

const CLASSIC: Forms = Forms {
    native: false,
    classic: false,
};
const NATIVE: Forms = Forms {
    native: true,
    classic: false,
};

#[test]
fn counters_gauges_and_summaries() {
    let label = field(1, &[field(1, b"l"), field(2, b"v")].concat());
    let exemplar = [
        field(1, &[field(1, b"t"), field(2, b"1")].concat()),
        double(2, 0.5),
    ]
    .concat();
    let created = field(3, &[varint(1, 7), varint(2, 5)].concat());
    let counter = [double(1, 3.0), field(2, &exemplar), created].concat();
    let quantile = [double(1, 0.5), double(2, 4.0)].concat();
    let summary = [varint(1, 2), double(2, 9.0), field(3, &quantile)].concat();
    let page = [
        family(
            "c",
            0,
            &[label.clone(), field(3, &counter), varint(6, 1_500)],
        ),
        family("g", 1, &[field(2, &double(1, -1.0))]),
        family("s", 2, &[field(4, &summary)]),
        family("u", 3, &[field(5, &double(1, 8.0))]),
    ]
    .concat();
    let points = points(&page, CLASSIC).expect("it is sound");
    assert_eq!(
        numbers(&points),
        [
            "c{l=v} 3",
            "g{} -1",
            "s_count{} 2",
            "s_sum{} 9",
            "s{quantile=0.5} 4",
            "u{} 8"
        ]
    );
    assert_eq!(
        (points[0].time, points[0].created),
        (Some(1_500_000_000), 7_000_000_005)
    );
    assert_eq!(
        points[0].exemplars[0].labels,
        [("t".to_string(), "1".to_string())]
    );
}

#[test]
fn histograms_of_both_forms() {
    let bucket = |bound, count| field(3, &[varint(1, count), double(2, bound)].concat());
    let span = [varint(1, 4), varint(2, 1)].concat();
    let classic = [varint(1, 5), double(2, 7.5), bucket(1.0, 2)].concat();
    let native = [
        varint(5, 6),
        double(6, 0.001),
        field(12, &span),
        varint(13, 10),
    ]
    .concat();
    let histogram = field(7, &[classic, native].concat());
    let page = family("h", 4, &[histogram]);
    let expected = [
        "h_count{} 5",
        "h_sum{} 7.5",
        "h_bucket{le=1.0} 2",
        "h_bucket{le=+Inf} 5",
    ];
    assert_eq!(
        numbers(&points(&page, CLASSIC).expect("it is sound")),
        expected
    );
    let both = Forms {
        classic: true,
        ..NATIVE
    };
    let both = points(&page, both).expect("it is sound");
    assert_eq!((both.len(), numbers(&both).len()), (5, 4));
    let native = points(&page, NATIVE).expect("it is sound");
    let [
        Point {
            value: Value::Histogram(message),
            ..
        },
    ] = &native[..]
    else {
        panic!("{native:?}");
    };
    // The same numbers under the fields of remote write.
    let expected = [
        varint(1, 5),
        double(3, 7.5),
        varint(4, 6),
        double(5, 0.001),
        field(11, &span),
        field(12, &[10]),
    ];
    assert_eq!(message, &expected.concat());
}

#[test]
fn what_is_broken_is_refused() {
    let page = family("c", 0, &[field(3, &double(1, 3.0))]);
    for length in 1..page.len() {
        assert!(points(&page[..length], CLASSIC).is_err(), "{length}");
    }
    assert!(
        points(&[], CLASSIC)
            .expect("an empty page is one")
            .is_empty()
    );
}
