//! One DataFusion session for one request of one tenant: its tables and nothing else, our rules and functions.

use crate::{
    completeness::ScanReport,
    config::Config,
    dialect::{self, Analyze, Dialect},
    error::Result,
    functions,
    scan::STORE_URL,
    scope::Scope,
    tables::{CATALOG, SCHEMA, SharedParts, Tables},
    telemetry::Telemetry,
};
use cairn_storage::{id::TenantId, store::Store};
use datafusion::{
    catalog::{CatalogProviderList, MemoryCatalogProviderList},
    common::config::SpillCompression,
    execution::{
        SessionState, SessionStateBuilder, SessionStateDefaults,
        object_store::ObjectStoreUrl,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    logical_expr::{LogicalPlan, planner::ExprPlanner},
    optimizer::{Analyzer, analyzer::function_rewrite::ApplyFunctionRewrites},
    prelude::{SessionConfig, SessionContext},
    sql::parser::Statement,
};
use object_store::memory::InMemory;
use std::sync::Arc;

/// What sessions of all tenants share.
#[derive(Clone)]
pub struct EngineParts {
    pub store: Arc<Store>,
    pub config: Config,
    /// Memory pool and spill folder. Make it with [`runtime`], so that it can reach no file.
    pub runtime: Arc<RuntimeEnv>,
    pub telemetry: Telemetry,
}

/// A session and what its scans report. Use it for one request.
pub struct TenantSession {
    pub context: SessionContext,
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
pub fn open(parts: &EngineParts, tenant: &TenantId) -> Result<TenantSession> {
    let report = Arc::new(ScanReport::default());
    let scope = Scope::new(parts.store.clone(), tenant.clone(), report.clone());
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.to_string(), Arc::new(Tables::new(scope)));
    let state = state(parts, Arc::new(catalogs));
    Ok(TenantSession {
        context: SessionContext::new_with_state(state),
        report,
    })
}

impl TenantSession {
    /// Plans a parsed statement (one that the guard let through), with the short forms of this dialect
    /// (`resource['k']`, hex ids) resolved. Nothing is read yet.
    pub async fn plan(&self, mut statement: Statement) -> Result<LogicalPlan> {
        dialect::normalize(&mut statement);
        Ok(self.context.state().statement_to_plan(statement).await?)
    }
}

fn state(parts: &EngineParts, catalogs: Arc<dyn CatalogProviderList>) -> SessionState {
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(Dialect)];
    planners.extend(SessionStateDefaults::default_expr_planners());
    let mut scalar = SessionStateDefaults::default_scalar_functions();
    scalar.extend(functions::all());
    // Before types are coerced for what was not seen while planning, after it for the casts that coercion adds.
    let rewrites = Arc::new(ApplyFunctionRewrites::new(vec![Arc::new(Analyze)]));
    let mut analyzer = Analyzer::new().rules;
    analyzer.insert(0, rewrites.clone());
    analyzer.push(rewrites);
    SessionStateBuilder::new()
        .with_config(config(&parts.config))
        .with_runtime_env(parts.runtime.clone())
        .with_catalog_list(catalogs)
        .with_expr_planners(planners)
        .with_scalar_functions(scalar)
        .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .with_table_function_list(SessionStateDefaults::default_table_functions())
        .with_analyzer_rules(analyzer)
        .with_optimizer_rule(Arc::new(SharedParts))
        .build()
}

fn config(config: &Config) -> SessionConfig {
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
