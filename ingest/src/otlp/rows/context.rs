//! The columns of resource and scope, the same for all rows of a scope: filled once a scope, a run of keys each.

use crate::otlp::columns::{DictionaryColumn, NULL_KEY, Unfit, numbers};
use arrow::{array::ArrayRef, datatypes::Int64Type};

/// What a resource adds to its rows. Text is canonical JSON or plain text.
#[derive(Debug, Clone, Default)]
pub struct Resource {
    pub attributes: Vec<u8>,
    pub dropped_attributes_count: u32,
    pub schema_url: Vec<u8>,
    /// A canonical JSON list; empty where there is none.
    pub entity_refs: Vec<u8>,
    /// The text of the attribute `service.name`, if there is one that is not NULL.
    pub service_name: Option<Vec<u8>>,
}

/// What a scope adds to its rows.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    pub name: Vec<u8>,
    pub version: Vec<u8>,
    pub attributes: Vec<u8>,
    pub dropped_attributes_count: u32,
    pub schema_url: Vec<u8>,
}

/// The columns `service_name` and 60 to 68 of a table.
#[derive(Debug)]
pub struct ContextColumns {
    service_name: DictionaryColumn,
    resource_attributes: DictionaryColumn,
    resource_dropped: Vec<i64>,
    resource_schema_url: DictionaryColumn,
    resource_entity_refs: DictionaryColumn,
    scope_name: DictionaryColumn,
    scope_version: DictionaryColumn,
    scope_attributes: DictionaryColumn,
    scope_dropped: Vec<i64>,
    scope_schema_url: DictionaryColumn,
}

impl ContextColumns {
    /// Columns with room for `rows` rows.
    pub fn with_capacity(rows: usize, seed: u64) -> Self {
        let texts = || DictionaryColumn::with_capacity(rows, seed);
        ContextColumns {
            service_name: texts(),
            resource_attributes: texts(),
            resource_dropped: Vec::with_capacity(rows),
            resource_schema_url: texts(),
            resource_entity_refs: texts(),
            scope_name: texts(),
            scope_version: texts(),
            scope_attributes: texts(),
            scope_dropped: Vec::with_capacity(rows),
            scope_schema_url: texts(),
        }
    }

    /// Completes the rows up to `rows`, all of this resource and scope. The texts go into the dictionaries even if
    /// there is no row, so that whether they are UTF-8 shows in any case.
    pub fn fill(&mut self, rows: usize, resource: &Resource, scope: &Scope) {
        let count = rows - self.service_name.rows();
        let service_name = match &resource.service_name {
            Some(name) => self.service_name.key(name),
            None => NULL_KEY,
        };
        self.service_name.push_many(service_name, count);
        push(&mut self.resource_schema_url, &resource.schema_url, count);
        push(&mut self.resource_entity_refs, &resource.entity_refs, count);
        push(&mut self.scope_name, &scope.name, count);
        push(&mut self.scope_version, &scope.version, count);
        push(&mut self.scope_schema_url, &scope.schema_url, count);
        push(&mut self.resource_attributes, &resource.attributes, count);
        push(&mut self.scope_attributes, &scope.attributes, count);
        let dropped = i64::from(resource.dropped_attributes_count);
        self.resource_dropped.resize(rows, dropped);
        let dropped = i64::from(scope.dropped_attributes_count);
        self.scope_dropped.resize(rows, dropped);
    }

    /// The column `service_name`, and the others in their order.
    pub fn finish(self) -> Result<(ArrayRef, Vec<ArrayRef>), Unfit> {
        let others = vec![
            self.resource_attributes.finish()?,
            numbers::<Int64Type>(self.resource_dropped)?,
            self.resource_schema_url.finish()?,
            self.resource_entity_refs.finish()?,
            self.scope_name.finish()?,
            self.scope_version.finish()?,
            self.scope_attributes.finish()?,
            numbers::<Int64Type>(self.scope_dropped)?,
            self.scope_schema_url.finish()?,
        ];
        Ok((self.service_name.finish()?, others))
    }
}

/// Appends `count` equal rows; empty text is NULL.
fn push(column: &mut DictionaryColumn, text: &[u8], count: usize) {
    let key = column.key_or_null(text);
    column.push_many(key, count);
}
