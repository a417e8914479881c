//! What the rows of a tenant's logs hold, as texts.

use crate::server::Server;
use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::cast,
    datatypes::DataType,
};
use cairn_storage::signal::Signal;

/// A column of all logs of `tenant`; NULL is empty, ids are hexadecimal.
pub(crate) fn column(server: &Server, tenant: &str, name: &str) -> Vec<String> {
    let cells = |batch: &RecordBatch| {
        let column = batch.column_by_name(name).expect("a column");
        if let Some(ids) = column.as_fixed_size_binary_opt() {
            let id = |id: Option<&[u8]>| id.map(hex::encode).unwrap_or_default();
            return ids.iter().map(id).collect::<Vec<_>>();
        }
        let texts = cast(column, &DataType::Utf8).expect("a text");
        let texts = texts.as_string::<i32>();
        (0..texts.len())
            .map(|row| match texts.is_null(row) {
                true => String::new(),
                false => texts.value(row).to_string(),
            })
            .collect()
    };
    let batches = server.batches(tenant, Signal::Logs);
    batches.iter().flat_map(cells).collect()
}

/// One row of these columns.
pub(crate) fn row(server: &Server, tenant: &str, index: usize, names: &[&str]) -> Vec<String> {
    let cell = |name: &&str| column(server, tenant, name)[index].clone();
    names.iter().map(cell).collect()
}

/// How many log records have this outcome.
pub(crate) fn outcome(server: &Server, outcome: &str) -> u64 {
    let labels = ["signal=\"logs\"", &format!("outcome=\"{outcome}\"")];
    server.metric("storage_records_total", &labels) as u64
}
