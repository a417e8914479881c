//! How long rows are kept: days by signal, and a tenant's own.

use super::Config;
use crate::{
    error::{Error, Result},
    id::TenantId,
    signal::Signal,
};
use std::time::Duration;

/// A hundred years: who means more means for ever.
const MOST_DAYS: u32 = 36_500;

const DAY_SECONDS: u64 = 86_400;

/// Days that rows of each signal are kept; 0 keeps them for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    pub logs_days: u32,
    pub metrics_days: u32,
    pub spans_days: u32,
    pub dead_letters_days: u32,
}

/// What a tenant has otherwise than [`Retention`] says, in days; 0 keeps its rows for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnRetention {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spans_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters_days: Option<u32>,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            logs_days: 30,
            // People compare this month with the ones before.
            metrics_days: 90,
            spans_days: 30,
            dead_letters_days: 30,
        }
    }
}

impl Retention {
    fn days(&self, signal: Signal) -> u32 {
        match signal {
            Signal::Logs => self.logs_days,
            Signal::Metrics => self.metrics_days,
            Signal::Spans => self.spans_days,
            Signal::DeadLetters => self.dead_letters_days,
        }
    }
}

impl OwnRetention {
    fn days(&self, signal: Signal) -> Option<u32> {
        match signal {
            Signal::Logs => self.logs_days,
            Signal::Metrics => self.metrics_days,
            Signal::Spans => self.spans_days,
            Signal::DeadLetters => self.dead_letters_days,
        }
    }
}

impl Config {
    /// The days that rows of a tenant's signal are kept; `None` for ever.
    pub fn retention_days(&self, tenant: &TenantId, signal: Signal) -> Option<u32> {
        let own = self.retention_of.get(tenant);
        let days = own
            .and_then(|own| own.days(signal))
            .unwrap_or_else(|| self.retention.days(signal));
        (days > 0).then_some(days)
    }

    /// How long rows of a tenant's signal are kept; `None` for ever.
    pub fn retention(&self, tenant: &TenantId, signal: Signal) -> Option<Duration> {
        let days = self.retention_days(tenant, signal)?;
        Some(Duration::from_secs(u64::from(days) * DAY_SECONDS))
    }

    /// Refuses numbers of days that nobody means.
    pub(super) fn validate_retention(&self) -> Result<()> {
        for signal in Signal::ALL {
            let own = self.retention_of.iter().filter_map(|(tenant, own)| {
                Some((format!("retention_of.{tenant}"), own.days(signal)?))
            });
            let all = ("retention".to_string(), self.retention.days(signal));
            for (table, days) in own.chain([all]) {
                if days > MOST_DAYS {
                    return Err(Error::Invalid {
                        what: "storage settings",
                        detail: format!(
                            "{table}.{signal}_days ({days}) must be at most {MOST_DAYS}: say 0 to keep rows for ever"
                        ),
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
