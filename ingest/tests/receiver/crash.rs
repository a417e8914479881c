//! A power cut behind the OK: the log gives the same rows again, whatever the encoding of its frames.

use arrow::array::RecordBatch;
use bytes::Bytes;
use cairn_ingest::{
    config::Config,
    decode::FrameDecode,
    pipeline::{Pipeline, Request},
};
use cairn_proto::{
    write_v1::{Count, Histogram, Label, Sample, TimeSeries, WriteRequest},
    write_v2,
};
use cairn_storage::{
    catalog::memory::MemoryCatalog,
    config::Config as StorageConfig,
    id::TenantId,
    objects::open_bucket,
    signal::{Encoding, Signal, Table},
    store::{Parts, Store},
    telemetry::Telemetry,
    world::simulated::{Ended, Simulation},
};
use prost::Message;
use std::sync::Arc;

const TABLES: [Table; 3] = [Table::Samples, Table::Histograms, Table::Series];

fn first() -> Vec<u8> {
    let label = |name: &str, value: &str| Label {
        name: name.to_string(),
        value: value.to_string(),
    };
    let good = TimeSeries {
        labels: vec![label("__name__", "m"), label("job", "j")],
        samples: vec![Sample {
            value: 1.5,
            timestamp: 5,
        }],
        histograms: vec![Histogram {
            count: Some(Count::Float(0.5)),
            timestamp: 6,
            ..Histogram::default()
        }],
        ..TimeSeries::default()
    };
    let bad = TimeSeries {
        labels: vec![label("x", "y")],
        ..good.clone()
    };
    // Further ahead than is taken: admission refuses it, and replay does not ask again.
    let mut ahead = good.clone();
    ahead.samples[0].timestamp = 9_000_000_000_000;
    ahead.histograms.clear();
    let timeseries = vec![good, bad, ahead];
    WriteRequest {
        timeseries,
        metadata: Vec::new(),
    }
    .encode_to_vec()
}

fn second() -> Vec<u8> {
    let symbols = ["", "__name__", "m", "a", "b"].map(str::to_string).to_vec();
    let one = |labels_refs| write_v2::TimeSeries {
        labels_refs,
        samples: vec![write_v2::Sample {
            value: 2.0,
            timestamp: 7,
            start_timestamp: 1,
        }],
        metadata: Some(write_v2::Metadata {
            r#type: 1,
            help_ref: 3,
            unit_ref: 4,
        }),
        ..write_v2::TimeSeries::default()
    };
    let timeseries = vec![one(vec![1, 2]), one(vec![3, 4])];
    write_v2::Request {
        symbols,
        timeseries,
    }
    .encode_to_vec()
}

/// A machine that outlives its stores.
struct Machine {
    simulation: Simulation,
    catalog: Arc<MemoryCatalog>,
}

impl Machine {
    async fn open(&self) -> Arc<Store> {
        let world = self.simulation.world();
        let config = StorageConfig {
            data_dir: "/data".into(),
            ..StorageConfig::default()
        };
        let bucket = open_bucket(&config, &world)
            .await
            .expect("the bucket opens");
        let parts = Parts {
            bucket,
            catalog: self.catalog.clone(),
            decode: Arc::new(FrameDecode),
            telemetry: Telemetry::unregistered(),
            config,
            world,
        };
        Store::open(parts).await.expect("the store opens")
    }

    fn run<T>(&self, life: impl Future<Output = T>) -> T {
        match self.simulation.run(life) {
            Ended::Finished(value) => value,
            Ended::Stopped(stop) => panic!("ended by {stop:?}"),
        }
    }
}

fn rows(store: &Store, signal: Signal, tables: &[Table]) -> Vec<RecordBatch> {
    let snapshot = store.snapshot(&TenantId::default_tenant(), signal);
    let mut requests: Vec<_> = snapshot.buffered.iter().collect();
    requests.sort_by_key(|request| request.sequence);
    requests
        .iter()
        .flat_map(|request| {
            tables
                .iter()
                .filter_map(|table| request.batch(*table).cloned())
        })
        .collect()
}

#[test]
fn frames_of_prometheus_are_replayed_as_they_were_acknowledged() {
    let simulation = Simulation::new(7);
    let catalog = Arc::new(MemoryCatalog::new(simulation.world()));
    let machine = Machine {
        simulation,
        catalog,
    };
    let payloads = [
        (Encoding::PrometheusV1, first()),
        (Encoding::PrometheusV2, second()),
    ];
    let before = machine.run(async {
        let store = machine.open().await;
        let pipeline = Pipeline::new(store.clone(), &Config::default());
        for (encoding, payload) in payloads.clone() {
            let request = Request {
                tenant: TenantId::default_tenant(),
                signal: Signal::Metrics,
                encoding,
                memory: store.budget().reserve(payload.len() as u64).expect("room"),
                payload: Bytes::from(payload),
            };
            pipeline.ingest(request).await.expect("stored");
        }
        let of_metrics = rows(&store, Signal::Metrics, &TABLES);
        (
            of_metrics,
            rows(&store, Signal::DeadLetters, &[Table::DeadLetters]),
        )
    });
    assert_eq!(before.0.iter().map(RecordBatch::num_rows).sum::<usize>(), 6);
    assert_eq!(before.1.iter().map(RecordBatch::num_rows).sum::<usize>(), 4);
    machine.simulation.cut_power();
    let after = machine.run(async {
        let store = machine.open().await;
        let of_metrics = rows(&store, Signal::Metrics, &TABLES);
        (
            of_metrics,
            rows(&store, Signal::DeadLetters, &[Table::DeadLetters]),
        )
    });
    assert_eq!(after, before);
}
