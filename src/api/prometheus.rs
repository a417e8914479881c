//! Prometheus' HTTP API below `/prometheus/api/v1`, over the series of the caller's tenant.
//!
//! Paths, parameters, answers and kinds of errors are those of Prometheus 3 ("HTTP API" in its documentation), so that
//! its clients and Grafana's data source work unchanged. Questions with GET or, as a form, with POST.

mod answer;
mod exemplars;
mod failure;
mod language;
mod parameters;
mod queries;
mod read;
mod series;
mod status;
mod targets;

pub(super) use exemplars::query as query_exemplars;
pub(super) use language::{format, parse};
pub(super) use queries::{instant, range};
pub(super) use read::post as remote_read;
pub(super) use series::{label_names, label_values, metadata, series};
pub(super) use status::{
    alertmanagers, alerts, build_info, cardinality, flags, rules, runtime_info,
};
pub(super) use targets::{metadata as target_metadata, scrape_pools, targets};
