//! Loki's HTTP API below `/loki/api/v1`, over the log records of the caller's tenant.
//!
//! Paths, parameters, answers and errors are those of Loki 3 ("Loki HTTP API" in its documentation), so that its clients
//! and Grafana's data source work unchanged. Questions with GET or, as a form, with POST. `push` is a receiver's.

mod answer;
mod failure;
mod fields;
mod index;
mod language;
mod parameters;
mod patterns;
mod queries;
mod streams;
mod tail;

pub(super) use fields::{detected_fields, detected_values};
pub(super) use index::{stats, volume, volume_range};
pub(super) use language::{build_info, format};
pub(super) use patterns::patterns;
pub(super) use queries::{instant, range};
pub(super) use streams::{detected_labels, label_names, label_values, series};
pub(super) use tail::get as tail;
