//! What a key may allow.

/// Something that a key may allow.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sending telemetry.
    Ingest,
    /// Reading it.
    Query,
    /// Looking after the server: the metrics of all tenants and of the process, flushing on demand. Not reading
    /// telemetry.
    Operate,
    /// Deleting the tenant's telemetry for ever, by what it says.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 4] = [Scope::Ingest, Scope::Query, Scope::Operate, Scope::Admin];

    /// The name in settings, metrics and error texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Ingest => "ingest",
            Scope::Query => "query",
            Scope::Operate => "operate",
            Scope::Admin => "admin",
        }
    }
}
