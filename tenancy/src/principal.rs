//! A principal: the tenant a request acts for, and what it may do there.

pub use crate::scope::Scope;

use crate::error::{Error, Result};
use cairn_storage::id::TenantId;
use std::sync::Arc;

/// Who a request comes from. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub tenant: TenantId,
    /// The name of the key, for logs and error texts; `anonymous` where no keys are configured.
    pub key_name: Arc<str>,
    scopes: Arc<[Scope]>,
}

impl Principal {
    /// A principal with the given scopes.
    pub fn new(tenant: TenantId, key_name: &str, scopes: &[Scope]) -> Principal {
        Principal {
            tenant,
            key_name: key_name.into(),
            scopes: scopes.into(),
        }
    }

    /// The principal of a server without keys: the default tenant with every scope.
    pub fn anonymous() -> Principal {
        Principal::new(TenantId::default_tenant(), "anonymous", &Scope::ALL)
    }

    /// Whether this principal has `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Fails with `Denied` where this principal lacks `scope`.
    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.has(scope) {
            return Ok(());
        }
        Err(Error::Scope {
            key_name: self.key_name.to_string(),
            scope,
        })
    }
}
