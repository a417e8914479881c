//! One DataFusion session for one request of one tenant: its tables and nothing else, our rules and functions.
//!
//! What all sessions have in common (functions, rules, settings) is made once, in a [`Blueprint`]; a session is a
//! copy of it with the catalog of its tenant.

use crate::{
    completeness::ScanReport,
    condense::Condense,
    config::Config,
    dialect::{self, Analyze, Dialect},
    error::{Error, Result},
    functions,
    scan::{KeepOrder, STORE_URL},
    scope::Scope,
    tables::{CATALOG, SCHEMA, SegmentTable, SharedParts, Tables, Unordered},
    telemetry::Telemetry,
};
use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use cairn_storage::{
    id::TenantId,
    signal::{Signal, Table},
    snapshot::Snapshot,
    store::Store,
};
use datafusion::{
    catalog::{CatalogProviderList, MemoryCatalogProviderList, SchemaProvider},
    common::config::{ConfigOptions, SpillCompression},
    error::DataFusionError,
    execution::{
        SendableRecordBatchStream, SessionState, SessionStateBuilder, SessionStateDefaults,
        TaskContext,
        memory_pool::{MemoryConsumer, MemoryReservation},
        object_store::ObjectStoreUrl,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    logical_expr::{LogicalPlan, planner::ExprPlanner},
    optimizer::{Analyzer, analyzer::function_rewrite::ApplyFunctionRewrites},
    physical_plan::{ExecutionPlan, execute_stream},
    prelude::SessionConfig,
    sql::parser::Statement,
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::memory::InMemory;
use std::{collections::HashMap, sync::Arc};

/// What sessions of all tenants share.
#[derive(Clone)]
pub struct EngineParts {
    pub store: Arc<Store>,
    pub config: Config,
    pub blueprint: Arc<Blueprint>,
    /// Memory pool and spill folder. Make it with [`runtime`], so that it can reach no file.
    pub runtime: Arc<RuntimeEnv>,
    pub telemetry: Telemetry,
}

/// Functions, rules and settings, without any table.
pub struct Blueprint {
    state: SessionState,
}

/// A session and what its scans report. Use it for one request.
pub struct TenantSession {
    state: SessionState,
    runtime: Arc<RuntimeEnv>,
    tables: Tables,
    pub report: Arc<ScanReport>,
}

/// The environment that `builder` (memory pool and disk manager set as wanted) describes, without the local
/// file system: its sessions can open no file by name.
pub fn runtime(builder: RuntimeEnvBuilder) -> Result<Arc<RuntimeEnv>> {
    let runtime = builder.build()?;
    // The built-in registry knows `file://` from the start and finds nothing else by itself.
    runtime.deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())?;
    // Scans ask for a store before they ask for our readers. It stays empty.
    let url = ObjectStoreUrl::parse(STORE_URL)?;
    runtime.register_object_store(url.as_ref(), Arc::new(InMemory::new()));
    Ok(Arc::new(runtime))
}

/// Opens a session of `tenant`. Snapshots are taken when its tables are first asked for.
pub fn open(parts: &EngineParts, tenant: &TenantId) -> TenantSession {
    let report = Arc::new(ScanReport::default());
    let scope = Scope::new(parts.store.clone(), tenant.clone(), report.clone());
    let tables = Tables::new(scope);
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.to_string(), Arc::new(tables.clone()));
    let mut state = parts.blueprint.state.clone();
    state.register_catalog_list(Arc::new(catalogs));
    // What `now()` says.
    state.mark_start_execution();
    TenantSession {
        state,
        runtime: parts.runtime.clone(),
        tables,
        report,
    }
}

impl TenantSession {
    /// Plans a parsed statement (one that the guard let through), with the short forms of this dialect
    /// (`resource['k']`, hex ids) resolved. Nothing is read yet.
    pub async fn plan(&self, mut statement: Statement) -> Result<LogicalPlan> {
        dialect::normalize(&mut statement);
        Ok(self.state.statement_to_plan(statement).await?)
    }

    /// How `plan` is carried out, optimized.
    pub async fn physical(&self, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self.state.create_physical_plan(plan).await?)
    }

    /// Starts `plan`; its rows come in one stream.
    pub fn execute(
        &self,
        plan: Arc<dyn ExecutionPlan>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        // Plans carry their functions; only what comes over a wire would look them up by name.
        let context = TaskContext::new(
            None,
            self.state.session_id().to_string(),
            self.state.config().clone(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            self.runtime.clone(),
        );
        execute_stream(plan, Arc::new(context))
    }

    /// The rows of a plan that was not made of a statement.
    pub(crate) async fn rows(
        &self,
        plan: LogicalPlan,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let rows = self.execute(self.physical(&plan).await?)?;
        Ok(rows.map_err(Error::from).boxed())
    }

    /// A stored table of the tenant, also one that statements cannot name.
    pub(crate) fn table(&self, table: Table) -> SegmentTable {
        self.tables.stored(table)
    }

    /// The snapshot of a signal that the tables read.
    pub(crate) fn snapshot(&self, signal: Signal) -> Arc<Snapshot> {
        self.tables.snapshot(signal)
    }

    /// Memory of the statement's pool for something that does not spill.
    pub(crate) fn reservation(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(name).register(&self.runtime.memory_pool)
    }

    /// The settings of this session.
    pub fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    /// The settings of this session, to change them.
    pub fn options_mut(&mut self) -> &mut ConfigOptions {
        self.state.config_mut().options_mut()
    }

    /// The names of the tables that statements can name, sorted, and their columns, hidden ones included.
    pub async fn tables(&self) -> Result<Vec<(String, SchemaRef)>> {
        let mut names = self.tables.table_names();
        names.sort_unstable();
        let mut tables = Vec::with_capacity(names.len());
        for name in names {
            if let Some(table) = self.tables.table(&name).await? {
                tables.push((name, table.schema()));
            }
        }
        Ok(tables)
    }
}

impl Blueprint {
    /// What sessions under `config` have in common. Takes about a millisecond: make one for the process.
    pub fn new(config: &Config) -> Result<Arc<Blueprint>> {
        let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(Dialect)];
        planners.extend(SessionStateDefaults::default_expr_planners());
        let mut scalar = SessionStateDefaults::default_scalar_functions();
        scalar.extend(functions::all());
        // Before types are coerced for what was not seen while planning, after it for the casts that coercion adds.
        let rewrites = Arc::new(ApplyFunctionRewrites::new(vec![Arc::new(Analyze)]));
        let mut analyzer = Analyzer::new().rules;
        analyzer.insert(0, rewrites.clone());
        analyzer.push(rewrites);
        let state = SessionStateBuilder::new()
            .with_config(session_config(config))
            // Only planning sees it, which takes no memory from a pool.
            .with_runtime_env(runtime(RuntimeEnvBuilder::new())?)
            .with_expr_planners(planners)
            .with_scalar_functions(scalar)
            .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
            .with_window_functions(SessionStateDefaults::default_window_functions())
            .with_table_function_list(SessionStateDefaults::default_table_functions())
            .with_analyzer_rules(analyzer)
            .with_optimizer_rule(Arc::new(SharedParts))
            .with_optimizer_rule(Arc::new(Unordered))
            .with_physical_optimizer_rule(Arc::new(KeepOrder))
            .with_physical_optimizer_rule(Arc::new(Condense))
            .build();
        Ok(Arc::new(Blueprint { state }))
    }
}

fn session_config(config: &Config) -> SessionConfig {
    let mut session = SessionConfig::new()
        .with_target_partitions(config.partitions())
        .with_batch_size(config.batch_rows)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    let options = session.options_mut();
    // What stands for a sort that the scan made needless keeps rows ready for the merge; 1 GiB a partition is
    // its default.
    options.execution.sort_pushdown_buffer_capacity = 64 << 20;
    options.execution.spill_compression = SpillCompression::Lz4Frame;
    // The catalog gives statistics; nothing is to be collected from files.
    options.execution.collect_statistics = false;
    session
}
