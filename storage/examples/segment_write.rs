//! Measures how fast log rows become a segment: generated rows in requests of 1,000, then plan, prepare and write.
//!
//! `cargo run --release -p cairn-storage --example segment_write -- [rows] [rounds]`. Times are of this thread on the
//! processor, so that a busy machine does not distort them.

use arrow::{
    array::*,
    datatypes::{DataType, Int32Type},
};
use cairn_storage::{
    attributes::encode,
    id::{SegmentId, TenantId},
    schema,
    segment::{
        window::plan,
        write::{FieldIds, Identity, Target, prepare},
    },
    signal::{Signal, Table},
    snapshot::BufferedRequest,
    time::{Nanos, TimeRange},
    world::real,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::sync::Arc;

const REQUEST_ROWS: usize = 1_000;
/// 2026-01-01T12:00:00Z.
const START: i64 = 1_767_268_800_000_000_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rows: usize = arguments
        .next()
        .map_or(500_000, |text| text.parse().expect("a number of rows"));
    let rounds: usize = arguments
        .next()
        .map_or(3, |text| text.parse().expect("a number of rounds"));
    let mut random = StdRng::seed_from_u64(1);
    let requests: Vec<Arc<BufferedRequest>> = (0..rows / REQUEST_ROWS)
        .map(|i| Arc::new(request(&mut random, i)))
        .collect();
    for _ in 0..rounds {
        round(&requests);
    }
}

fn round(requests: &[Arc<BufferedRequest>]) {
    let folder = tempfile::tempdir().expect("a folder");
    let world = real::world();
    let start = on_processor();
    let plans = plan(requests, Signal::Logs, 64).expect("a plan");
    let planned = on_processor();
    for plan in plans {
        let rows = plan.rows();
        let id = SegmentId(ulid::Ulid::from_parts(1, u128::from(world.random.next())));
        let identity = Identity {
            id,
            tenant: TenantId::default_tenant(),
            signal: Signal::Logs,
            level: 0,
            wal: Vec::new(),
            replaces: Vec::new(),
            siblings: vec![id],
        };
        let begun = on_processor();
        let prepared = prepare(identity, requests, plan).expect("prepared");
        let sorted = on_processor();
        let mut field_ids = FieldIds::new();
        for (table, columns) in prepared.promoted() {
            field_ids.extend(
                (1_000..)
                    .zip(columns)
                    .map(|(id, column)| ((table, column), id)),
            );
        }
        let target = Target {
            world: world.clone(),
            root: folder.path().to_path_buf(),
            row_group_rows: 131_072,
            compression_level: 1,
        };
        let written = prepared.write(&target, &field_ids).expect("written");
        let done = on_processor();
        let object = &written.meta.objects[0];
        let index = written
            .meta
            .index
            .as_ref()
            .map_or(0, |index| index.size_bytes);
        eprintln!(
            "{rows} rows: plan {:.0} ms, prepare {:.0} ms, write {:.0} ms; {:.2} M rows/s; {:.1} bytes a row, footer {} bytes, index {:.1} bytes a row, {} promoted",
            (planned - start) * 1e3,
            (sorted - begun) * 1e3,
            (done - sorted) * 1e3,
            rows as f64 / (planned - start + done - begun) / 1e6,
            object.file.size_bytes as f64 / rows as f64,
            object.footer_bytes,
            index as f64 / rows as f64,
            object.promoted.len(),
        );
        sizes(&written.footers[0].1, rows);
    }
}

/// Bytes a row of the largest columns.
fn sizes(footer: &parquet::file::metadata::ParquetMetaData, rows: u64) {
    let mut columns: Vec<(i64, String)> = (0..footer.row_group(0).num_columns())
        .map(|i| {
            let chunks = footer.row_groups().iter().map(|group| group.column(i));
            (
                chunks.map(|c| c.compressed_size()).sum(),
                footer.row_group(0).column(i).column_path().string(),
            )
        })
        .collect();
    columns.sort_by(|a, b| b.cmp(a));
    let text: Vec<String> = columns
        .iter()
        .take(16)
        .map(|(bytes, name)| format!("{name} {:.2}", *bytes as f64 / rows as f64))
        .collect();
    eprintln!("    {}", text.join(", "));
}

/// Seconds that this thread spent on the processor.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos: f64 = text
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number");
    nanos / 1e9
}

fn request(random: &mut StdRng, number: usize) -> BufferedRequest {
    let start = START + number as i64 * 10_000_000;
    // Several services behind one collector.
    let resources: Vec<usize> = (0..5).map(|_| random.random_range(0..80)).collect();
    let of: Vec<usize> = (0..REQUEST_ROWS)
        .map(|i| resources[i * resources.len() / REQUEST_ROWS])
        .collect();
    let times: Vec<i64> = (0..REQUEST_ROWS)
        .map(|i| start + (i % 200) as i64 * 40_000 + random.random_range(0..40_000))
        .collect();
    let schema = schema::batch_schema(Table::Logs);
    let columns = schema
        .fields()
        .iter()
        .map(|field| column(random, field, &times, &of))
        .collect();
    let batch = RecordBatch::try_new(schema, columns).expect("columns of the schema");
    BufferedRequest {
        epoch: 1,
        sequence: number as u64,
        received: Nanos(start),
        memory_bytes: batch.get_array_memory_size() as u64,
        tables: vec![(Table::Logs, batch)],
        time: TimeRange {
            min: Nanos(start),
            max: Nanos(start + 10_000_000),
        },
    }
}

fn column(
    random: &mut StdRng,
    field: &arrow::datatypes::Field,
    times: &[i64],
    resources: &[usize],
) -> ArrayRef {
    let rows = times.len();
    let constant = |text: &'static str| repeated((0..rows).map(|_| Some(text)));
    match field.name().as_str() {
        "timestamp" => {
            Arc::new(TimestampNanosecondArray::from(times.to_vec()).with_timezone("UTC"))
        }
        "observed_timestamp" => {
            let later = times
                .iter()
                .map(|t| t + random.random_range(1_000..90_000))
                .collect::<Vec<_>>();
            Arc::new(TimestampNanosecondArray::from(later).with_timezone("UTC"))
        }
        "timestamp_origin" => constant("record"),
        "service_name" => repeated(resources.iter().map(|r| Some(format!("service-{}", r / 4)))),
        "severity_number" => Arc::new(Int32Array::from_iter_values(
            (0..rows).map(|_| if random.random_bool(0.9) { 9 } else { 17 }),
        )),
        "severity_text" => repeated((0..rows).map(|_| {
            Some(if random.random_bool(0.9) {
                "INFO"
            } else {
                "ERROR"
            })
        })),
        "body" => Arc::new(StringArray::from_iter_values(
            (0..rows).map(|_| body(random)),
        )),
        "body_type" => constant("string"),
        "trace_id" | "span_id" => ids(random, field.data_type(), rows),
        "attributes" => Arc::new(StringArray::from_iter_values(
            resources.iter().map(|r| attributes(random, *r)),
        )),
        "resource_attributes" => repeated(resources.iter().map(|r| Some(resource(*r)))),
        "scope_name" => repeated(
            resources
                .iter()
                .map(|r| Some(format!("io.example.scope{}", r % 7))),
        ),
        "scope_attributes" => constant("{}"),
        "row_ordinal" => Arc::new(Int32Array::from_iter_values(0..rows as i32)),
        _ if matches!(field.data_type(), DataType::Int64) => {
            Arc::new(Int64Array::from(vec![0; rows]))
        }
        _ => new_null_array(field.data_type(), rows),
    }
}

fn ids(random: &mut StdRng, data_type: &DataType, rows: usize) -> ArrayRef {
    let DataType::FixedSizeBinary(width) = data_type else {
        panic!("an id is of fixed size")
    };
    let mut current = [0_u8; 16];
    let ids = (0..rows).map(|i| {
        if i % 5 == 0 {
            current = random.random::<u128>().to_be_bytes();
        }
        (i % 10 < 3).then(|| current[..*width as usize].to_vec())
    });
    Arc::new(
        FixedSizeBinaryArray::try_from_sparse_iter_with_size(
            ids.collect::<Vec<_>>().into_iter(),
            *width,
        )
        .expect("ids"),
    )
}

fn repeated(values: impl Iterator<Item = Option<impl AsRef<str>>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

fn body(random: &mut StdRng) -> String {
    let user = random.random_range(0..100_000);
    match random.random_range(0..4) {
        0 => format!(
            "GET /api/v1/cart/{user} answered 200 in {} ms",
            random.random_range(1..900)
        ),
        1 => format!(
            "order {} of user {user} was placed, {} items",
            random.random::<u32>(),
            random.random_range(1..9)
        ),
        2 => format!(
            "cache miss for key session:{:016x}, falling back to the database",
            random.random::<u64>()
        ),
        _ => format!(
            "payment provider answered with code {} after {} attempts",
            random.random_range(100..600),
            random.random_range(1..4)
        ),
    }
}

fn attributes(random: &mut StdRng, resource: usize) -> String {
    let mut entries: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut put = |key, write: &dyn Fn(&mut Vec<u8>)| {
        let mut json = Vec::new();
        write(&mut json);
        entries.push((key, json));
    };
    let methods = ["GET", "POST", "PUT"];
    let (method, status, user) = (
        random.random_range(0..3),
        random.random_range(0..5),
        random.random_range(0..100_000),
    );
    put("http.request.method", &|out| {
        encode::text(out, methods[method])
    });
    put("http.response.status_code", &|out| {
        encode::int(out, 200 + status)
    });
    put("user.id", &|out| encode::text(out, &format!("u{user}")));
    if resource.is_multiple_of(2) {
        put("url.path", &|out| {
            encode::text(out, &format!("/api/v1/cart/{}", user % 1_000))
        });
        put("duration.ms", &|out| {
            encode::double(out, user as f64 / 100.0)
        });
    }
    if resource.is_multiple_of(3) {
        put("thread.name", &|out| {
            encode::text(out, &format!("worker-{}", user % 16))
        });
        put("retry", &|out| encode::boolean(out, user % 10 == 0));
    }
    if random.random_bool(0.005) {
        put("exception.stacktrace", &|out| {
            encode::text(out, "at main\nat start")
        });
    }
    let mut out = Vec::new();
    encode::object(&mut out, &mut entries, |out, json| {
        out.extend_from_slice(json)
    });
    String::from_utf8(out).expect("UTF-8")
}

fn resource(resource: usize) -> String {
    format!(
        "{{\"host.name\":\"node-{}\",\"k8s.namespace.name\":\"shop\",\"k8s.pod.name\":\"service-{}-7d9c5b6f4-{resource:05}\",\"service.instance.id\":\"{:032x}\",\"service.name\":\"service-{}\",\"service.version\":\"1.{}.0\",\"telemetry.sdk.language\":\"java\"}}",
        resource % 20,
        resource / 4,
        resource as u128 * 0x1234_5678_9abc_def0_1234_5678,
        resource / 4,
        resource % 5
    )
}
