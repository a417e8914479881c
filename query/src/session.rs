//! One DataFusion session for one request of one tenant: its tables and nothing else, our rules and functions.

use crate::{completeness::ScanReport, config::Config, error::Result, telemetry::Telemetry};
use cairn_storage::id::TenantId;
use datafusion::{
    execution::{
        object_store::ObjectStoreUrl,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    logical_expr::LogicalPlan,
    prelude::SessionContext,
    sql::parser::Statement,
};
use std::sync::Arc;

/// What sessions of all tenants share.
#[derive(Clone)]
pub struct EngineParts {
    pub config: Config,
    /// Memory pool and spill folder. Make it with [`runtime_builder`], so that it can reach no file.
    pub runtime: Arc<RuntimeEnv>,
    pub telemetry: Telemetry,
}

/// A session and what its scans report. Use it for one request.
pub struct TenantSession {
    pub context: SessionContext,
    pub report: Arc<ScanReport>,
}

/// A builder of runtime environments; add memory pool and disk manager, then [`seal`] what it builds.
pub fn runtime_builder() -> RuntimeEnvBuilder {
    RuntimeEnvBuilder::new()
}

/// Takes the local file system out of `runtime`: its sessions can then open no file by name.
pub fn seal(runtime: RuntimeEnv) -> Result<Arc<RuntimeEnv>> {
    let files = ObjectStoreUrl::local_filesystem();
    // The built-in registry knows `file://` from the start and finds nothing else by itself.
    runtime.deregister_object_store(files.as_ref())?;
    Ok(Arc::new(runtime))
}

/// Opens a session of `tenant`.
pub fn open(parts: &EngineParts, tenant: &TenantId) -> Result<TenantSession> {
    let _ = (parts, tenant);
    Err(crate::error::Error::Internal("to come".to_string()))
}

impl TenantSession {
    /// Plans a parsed statement (one that the guard let through), with the short forms of this dialect
    /// (`resource['k']`, hex ids) resolved. Nothing is read yet.
    pub async fn plan(&self, statement: Statement) -> Result<LogicalPlan> {
        Ok(self.context.state().statement_to_plan(statement).await?)
    }
}
