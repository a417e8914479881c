//! A real store in a temporary folder, and questions to it.

use arrow::{
    array::{ArrayRef, RecordBatch},
    util::display::{ArrayFormatter, FormatOptions},
};
use bytes::Bytes;
use cairn_query::{
    completeness::Completeness,
    config::Config,
    error::{Error, Result},
    ids,
    session::{self, Blueprint, EngineParts},
    telemetry::Telemetry,
};
use cairn_storage::{
    append::{Append, Decode, Decoded},
    catalog::memory::MemoryCatalog,
    id::TenantId,
    objects,
    signal::{Encoding, Signal},
    store::{Parts, Store},
    time::Nanos,
    world::real,
};
use datafusion::{
    execution::runtime_env::RuntimeEnvBuilder, logical_expr::LogicalPlan, sql::parser::DFParser,
};
use futures::TryStreamExt;
use std::sync::Arc;
use tempfile::TempDir;

/// A store with what was appended to it.
pub(crate) struct World {
    pub(crate) store: Arc<Store>,
    pub(crate) parts: EngineParts,
    appended: std::sync::atomic::AtomicU64,
    _folder: TempDir,
}

/// What a statement gave.
pub(crate) struct Answer {
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) completeness: Completeness,
}

struct NoDecode;

impl Decode for NoDecode {
    fn decode(
        &self,
        _: Signal,
        _: Encoding,
        _: u16,
        _: &Bytes,
        _: Nanos,
    ) -> std::result::Result<Decoded, String> {
        Err("nothing is replayed here".to_string())
    }
}

impl World {
    /// An empty store.
    pub(crate) async fn new() -> World {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let world = real::world();
        let config = cairn_storage::config::Config {
            data_dir: folder.path().to_path_buf(),
            ..Default::default()
        };
        let bucket = objects::open_bucket(&config, &world)
            .await
            .expect("a folder becomes a bucket");
        let parts = Parts {
            catalog: Arc::new(MemoryCatalog::new(world.clone())),
            world,
            config,
            bucket,
            decode: Arc::new(NoDecode),
            telemetry: cairn_storage::telemetry::Telemetry::unregistered(),
        };
        let store = Store::open(parts).await.expect("an empty folder opens");
        let config = Config {
            partitions: 3,
            ..Config::default()
        };
        let parts = EngineParts {
            store: store.clone(),
            blueprint: Blueprint::new(&config).expect("the functions go together"),
            config,
            runtime: session::runtime(RuntimeEnvBuilder::new()).expect("a runtime"),
            telemetry: Telemetry::default(),
        };
        World {
            store,
            parts,
            appended: Default::default(),
            _folder: folder,
        }
    }

    /// Appends one request of the default tenant.
    pub(crate) async fn append(&self, signal: Signal, decoded: Decoded) {
        self.append_of(TenantId::default_tenant(), signal, decoded)
            .await;
    }

    /// Appends one request.
    pub(crate) async fn append_of(&self, tenant: TenantId, signal: Signal, decoded: Decoded) {
        let number = self
            .appended
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let append = Append {
            tenant,
            signal,
            encoding: Encoding::OtlpProtobuf,
            decoder_version: 1,
            received: Nanos(1_700_000_000_000_000_000 + number as i64),
            payload: Bytes::from(number.to_be_bytes().to_vec()),
            decoded,
            refusals: Vec::new(),
        };
        let reservation = self.store.budget().reserve(1).expect("an empty budget");
        self.store
            .append(append, reservation)
            .await
            .expect("a healthy store takes it");
    }

    /// Runs a statement for the default tenant.
    pub(crate) async fn sql(&self, statement: &str) -> Result<Answer> {
        self.sql_of(&TenantId::default_tenant(), statement).await
    }

    /// Runs a statement for a tenant.
    pub(crate) async fn sql_of(&self, tenant: &TenantId, statement: &str) -> Result<Answer> {
        let session = session::open(&self.parts, tenant);
        let mut statements = DFParser::parse_sql(statement)?;
        let plan: LogicalPlan = session
            .plan(statements.pop_front().expect("one statement"))
            .await?;
        let rows = session.execute(session.physical(&plan).await?)?;
        let batches = rows.try_collect().await.map_err(Error::from)?;
        Ok(Answer {
            batches,
            completeness: session.report.completeness(),
        })
    }

    /// The rows that a statement gives, each as text, in order.
    pub(crate) async fn rows(&self, statement: &str) -> Vec<Vec<String>> {
        match self.sql(statement).await {
            Ok(answer) => rows(&answer.batches),
            Err(error) => panic!("{statement}: {error:?}"),
        }
    }
}

/// The rows of batches, each value as text: `NULL`, ids and other bytes in hexadecimal.
pub(crate) fn rows(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<ArrayRef> = batch
            .columns()
            .iter()
            .map(|column| ids::hex_column(column).unwrap_or_else(|| column.clone()))
            .collect();
        let formatters: Vec<_> = columns
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).expect("a printable type"))
            .collect();
        for row in 0..batch.num_rows() {
            rows.push(
                formatters
                    .iter()
                    .map(|f| f.value(row).to_string())
                    .collect(),
            );
        }
    }
    rows
}
