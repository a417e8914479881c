//! The one door to questions over stored telemetry.

mod account;
mod delivery;
mod lane;
mod logql;
mod promql;
mod schema;
mod warm;

pub use schema::{AttributeAnswer, ColumnAnswer, SchemaAnswer, TableAnswer};

use crate::{
    config::{Config, SLACK_BYTES},
    error::{Error, Result},
    promql::remembered::SeriesMemory,
    session::{self, Blueprint, EngineParts},
    sql::{
        answer::{Part, SqlAnswer},
        describe::{self, Described},
        lanes::{LaneLimits, Lanes},
        memory::Memory,
        pressure::Pressure,
        run::{self, Job},
        scrub::Scrub,
    },
    telemetry::Telemetry,
};
use account::Account;
use arrow::record_batch::RecordBatch;
use cairn_storage::{id::TenantId, store::Store};
use delivery::{Deadline, Delivery, Running, Terms, given_up, report, start};
use futures::{StreamExt, stream::BoxStream};
use prometheus_client::registry::Registry;
use serde_json::Value;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Statements that may wait for a commit sequence at the same time. They hold no lane, only their text and their
/// connection; one that asks for a sequence that never comes waits until its deadline.
const MOST_WAITING: usize = 256;

/// Answers questions of all tenants. Share it in an `Arc`.
pub struct Engine {
    store: Arc<Store>,
    config: Config,
    blueprint: Arc<Blueprint>,
    telemetry: Telemetry,
    memory: Memory,
    pressure: Arc<Pressure>,
    lanes: Arc<Lanes>,
    /// A permit for each statement that waits for a commit sequence.
    waiting: Semaphore,
    scrub: Scrub,
    /// What PromQL knows of the series of segments.
    series: Arc<SeriesMemory>,
}

/// A statement and who asks it.
#[derive(Debug, Clone)]
pub struct SqlRequest {
    /// Whose rows the statement sees.
    pub tenant: TenantId,
    /// One statement: `SELECT`, `WITH … SELECT`, `VALUES`, `EXPLAIN [ANALYZE]` of these, `DESCRIBE table`,
    /// `SHOW TABLES`, `SHOW COLUMNS FROM table`.
    pub statement: String,
    /// `null`, an array for `$1`, `$2`, …, or an object for `$name`. Values are scalars or arrays of scalars.
    pub parameters: Value,
    /// From now to the last row; the configured limit where `None` or longer than that.
    pub deadline: Option<Duration>,
    /// The most rows of the answer; the configured limit where `None` or more than that.
    pub max_rows: Option<u64>,
    /// Wait until requests up to this commit sequence can be seen (read your writes).
    pub min_sequence: Option<u64>,
}

impl Engine {
    /// An engine over `store`. What does not fit in memory goes to files under `spill_dir`, a folder in the data
    /// folder that nobody else uses.
    ///
    /// Fails with `Invalid` for settings that cannot work and with `Unavailable` when the folder cannot be made.
    pub fn new(
        store: Arc<Store>,
        config: Config,
        spill_dir: &Path,
        registry: &mut Registry,
    ) -> Result<Engine> {
        config.validate()?;
        let memory = Memory::new(&config, spill_dir, store.world())?;
        let limit_bytes = match config.process_memory_bytes {
            0 => (store.memory_limit_bytes() + config.memory_bytes).saturating_add(SLACK_BYTES),
            bytes => bytes,
        };
        let pressure = Pressure::new(store.world().clone(), limit_bytes);
        let lanes = Lanes::new(LaneLimits {
            lanes: config.lanes,
            per_tenant: config.concurrent,
            // One thread more than partitions would leave processors to operators that block on a lock; two
            // at least, so that a statement on one processor still notices that it should stop.
            threads: config.partitions().max(2),
        });
        let telemetry = Telemetry::register(registry);
        let blueprint = Blueprint::new(&config)?;
        let scrub = Scrub::new(spill_dir);
        let series = Arc::new(SeriesMemory::new(config.series_memory_bytes));
        Ok(Engine {
            store,
            config,
            blueprint,
            telemetry,
            memory,
            pressure,
            lanes,
            waiting: Semaphore::new(MOST_WAITING),
            scrub,
            series,
        })
    }

    /// Answers a statement. Returns when it is planned and under way; the rows come with the answer's parts.
    ///
    /// The caller gets an answer or an error within the deadline even when planning does not yield.
    pub async fn sql(&self, request: SqlRequest) -> Result<SqlAnswer> {
        let (deadline, account) = self.open(&request.tenant, request.deadline);
        let answered = self.begin(request, &deadline, &account).await;
        // Parts close the account when the answer has begun.
        answered.map_err(|error| self.report(error, &account))
    }

    async fn begin(
        &self,
        request: SqlRequest,
        deadline: &Deadline,
        account: &Arc<Account>,
    ) -> Result<SqlAnswer> {
        let lane = self
            .lane(&request.tenant, request.min_sequence, deadline)
            .await?;
        let job = self.job(request)?;
        let terms = Terms {
            deadline,
            watched: self.pressure.watch(),
            stop: job.stop.clone(),
            account,
        };
        let mut running = start(lane, move |reply| run::run(job, reply), terms);
        tokio::select! {
            schema = &mut running.schema => match schema {
                Ok(schema) => Ok(SqlAnswer { schema, parts: self.deliver(running, deadline, account) }),
                // The statement ended without a schema: its first part says why.
                Err(_) => Err(match running.parts.recv().await {
                    Some(Err(error)) => error,
                    // It was stopped before it said anything.
                    None if deadline.left().is_zero() => Error::TimedOut(deadline.timeout),
                    _ => Error::Internal("a statement ended without an answer".to_string()),
                }),
            },
            error = given_up(&running.watched, deadline) => {
                account.leave_running();
                Err(error)
            }
        }
    }

    fn deliver(
        &self,
        running: Running,
        deadline: &Deadline,
        account: &Arc<Account>,
    ) -> BoxStream<'static, Result<Part>> {
        let delivery = Delivery {
            running,
            deadline: deadline.clone(),
            account: Arc::clone(account),
            scrub: self.scrub.clone(),
            store: Arc::clone(&self.store),
        };
        delivery.parts()
    }

    /// What a session of one statement is made of.
    fn parts(&self) -> Result<EngineParts> {
        Ok(EngineParts {
            store: Arc::clone(&self.store),
            config: self.config.clone(),
            blueprint: Arc::clone(&self.blueprint),
            runtime: self.memory.statement()?,
            telemetry: self.telemetry.clone(),
        })
    }

    fn job(&self, request: SqlRequest) -> Result<Job> {
        let wanted = request.max_rows.unwrap_or(u64::MAX);
        Ok(Job {
            parts: self.parts()?,
            tenant: request.tenant,
            statement: request.statement,
            parameters: request.parameters,
            max_rows: wanted.min(self.config.answer_rows),
            max_bytes: self.config.answer_bytes,
            scrub: self.scrub.clone(),
            stop: CancellationToken::new(),
        })
    }

    fn report(&self, error: Error, account: &Account) -> Error {
        report(error, &self.scrub, account)
    }

    /// Brings the metrics that are levels, not counts, up to date. Call it before metrics are read.
    pub fn update_metrics(&self) {
        let (running, ending) = self.lanes.counts();
        let level = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.telemetry.running.set(level(running));
        self.telemetry.ending.set(level(ending));
        self.telemetry.memory.set(level(self.memory.used_bytes()));
    }

    /// The tables of a tenant with their columns and attribute keys, as far as the catalog, the buffers and, for
    /// resources, the rows of the last day tell.
    pub async fn schema(&self, tenant: &TenantId) -> Result<SchemaAnswer> {
        let session = session::open(&self.parts()?, tenant);
        let described = describe::all(&session).await?;
        let mut resources = Vec::with_capacity(described.len());
        for table in &described {
            resources.push(self.resources(tenant, table).await);
        }
        let (store, tenant) = (Arc::clone(&self.store), tenant.clone());
        // Reading the keys of buffered rows may take a while.
        let answer = move || {
            let tables = described.iter().zip(resources);
            tables
                .map(|(table, maps)| schema::table(&store, &tenant, table, maps))
                .collect()
        };
        let tables = self.store.world().blocking(answer).await?;
        Ok(SchemaAnswer { tables })
    }

    /// The resources of a table's last day: segments list the keys of attributes, not those of resources, and
    /// of these there are few different ones. `None` if they could not be had in time.
    async fn resources(&self, tenant: &TenantId, table: &Described) -> Option<Vec<RecordBatch>> {
        if !table
            .columns()
            .any(|column| column.name() == schema::RESOURCES)
        {
            return Some(Vec::new());
        }
        let request = SqlRequest {
            tenant: tenant.clone(),
            statement: format!(
                "SELECT DISTINCT {} FROM {} WHERE timestamp >= now() - INTERVAL '1 day' LIMIT {}",
                schema::RESOURCES,
                table.name,
                schema::MOST_RESOURCES
            ),
            parameters: Value::Null,
            deadline: Some(schema::RESOURCES_DEADLINE),
            max_rows: None,
            min_sequence: None,
        };
        let mut parts = self.sql(request).await.ok()?.parts;
        let mut batches = Vec::new();
        while let Part::Rows(batch) = parts.next().await?.ok()? {
            batches.push(batch);
        }
        Some(batches)
    }
}

#[cfg(test)]
mod tests;
