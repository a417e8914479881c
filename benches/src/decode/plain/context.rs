//! The columns of resource and scope.

use super::{
    Repeated,
    json::{Entries, object},
};
use arrow::array::{ArrayRef, Int64Builder};
use opentelemetry_proto::tonic::{
    common::v1::{InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
};
use std::sync::Arc;

/// Absent messages are empty ones.
pub(super) struct Group<'a> {
    pub(super) service_name: Option<&'a str>,
    pub(super) resource_attributes: String,
    resource_dropped: i64,
    resource_schema_url: &'a str,
    pub(super) scope: Option<&'a InstrumentationScope>,
    pub(super) scope_attributes: String,
    scope_schema_url: &'a str,
}

impl<'a> Group<'a> {
    /// What the records of a resource share.
    pub(super) fn new(resource: Option<&'a Resource>, schema_url: &'a str) -> Group<'a> {
        let attributes = resource.map_or(&[][..], |resource| &resource.attributes[..]);
        Group {
            service_name: service_name(attributes),
            resource_attributes: json(attributes),
            resource_dropped: resource
                .map_or(0, |resource| i64::from(resource.dropped_attributes_count)),
            resource_schema_url: schema_url,
            scope: None,
            scope_attributes: String::new(),
            scope_schema_url: "",
        }
    }

    /// Goes on to a scope of it.
    pub(super) fn enter(&mut self, scope: Option<&'a InstrumentationScope>, schema_url: &'a str) {
        self.scope = scope;
        self.scope_attributes = json(scope.map_or(&[][..], |scope| &scope.attributes[..]));
        self.scope_schema_url = schema_url;
    }

    pub(super) fn scope_name(&self) -> &'a str {
        self.scope.map_or("", |scope| &scope.name)
    }

    pub(super) fn scope_version(&self) -> &'a str {
        self.scope.map_or("", |scope| &scope.version)
    }
}

fn json(list: &[KeyValue]) -> String {
    object(&mut Vec::new(), &mut Entries::new(), list).to_string()
}

fn service_name(attributes: &[KeyValue]) -> Option<&str> {
    let entry = attributes
        .iter()
        .rfind(|entry| entry.key == "service.name")?;
    match entry.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        // The generated data has text only.
        _ => None,
    }
}

/// The columns `service_name` and 60 to 68.
#[derive(Default)]
pub(super) struct Context {
    service_name: Repeated,
    resource_attributes: Repeated,
    resource_dropped: Int64Builder,
    resource_schema_url: Repeated,
    /// The data has none.
    resource_entity_refs: Repeated,
    scope_name: Repeated,
    scope_version: Repeated,
    scope_attributes: Repeated,
    scope_dropped: Int64Builder,
    scope_schema_url: Repeated,
}

impl Context {
    /// Appends `count` rows of `group`.
    pub(super) fn append(&mut self, group: &Group<'_>, count: usize) {
        let or_null = |text: &str| (!text.is_empty()).then(|| text.to_string());
        self.service_name.append_options(group.service_name, count);
        self.resource_attributes
            .append_values(&group.resource_attributes, count);
        self.resource_dropped
            .append_value_n(group.resource_dropped, count);
        self.resource_schema_url
            .append_options(or_null(group.resource_schema_url), count);
        self.resource_entity_refs
            .append_options(None::<String>, count);
        self.scope_name
            .append_options(or_null(group.scope_name()), count);
        self.scope_version
            .append_options(or_null(group.scope_version()), count);
        self.scope_attributes
            .append_values(&group.scope_attributes, count);
        let dropped = group
            .scope
            .map_or(0, |scope| i64::from(scope.dropped_attributes_count));
        self.scope_dropped.append_value_n(dropped, count);
        self.scope_schema_url
            .append_options(or_null(group.scope_schema_url), count);
    }

    /// `service_name`, and the others in their order.
    pub(super) fn finish(mut self) -> (ArrayRef, [ArrayRef; 9]) {
        (
            Arc::new(self.service_name.finish()),
            [
                Arc::new(self.resource_attributes.finish()),
                Arc::new(self.resource_dropped.finish()),
                Arc::new(self.resource_schema_url.finish()),
                Arc::new(self.resource_entity_refs.finish()),
                Arc::new(self.scope_name.finish()),
                Arc::new(self.scope_version.finish()),
                Arc::new(self.scope_attributes.finish()),
                Arc::new(self.scope_dropped.finish()),
                Arc::new(self.scope_schema_url.finish()),
            ],
        )
    }
}
