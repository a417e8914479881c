//! How the operations of an interface that others have made are written down: questions with GET and, as a form, with POST.

use super::problem;
use crate::api::{
    operation::{Method, Operation},
    state::Api,
};
use axum::{handler::Handler, http::StatusCode};
use cairn_tenancy::principal::Scope;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// One parameter: its name, whether it must be there, and what it is.
pub(super) type Parameter = (&'static str, bool, &'static str);

pub(super) const DURATION: &str = "Seconds, or a duration such as `5m`.";

/// An interface, and its operations so far.
pub(super) struct Interface {
    /// Before the names of its operations.
    pub(super) id: &'static str,
    /// Before their paths.
    pub(super) prefix: &'static str,
    /// The response of a question that has an answer.
    pub(super) answer: Value,
    /// The codes of those that have none, and the content that they come with beside a problem document.
    pub(super) failures: &'static [StatusCode],
    pub(super) failure: (&'static str, Value),
    /// Whether a form has to be there.
    pub(super) wants_form: bool,
    pub(super) all: Vec<Operation>,
}

impl Interface {
    /// Adds a question with GET.
    pub(super) fn get<T: 'static>(
        &mut self,
        (path, summary): (&'static str, &str),
        handler: impl Handler<T, Arc<Api>>,
        parameters: &[Parameter],
    ) {
        let mut about = self.about((path, "get"), summary);
        let listed = parameters.iter().map(in_query).chain(in_path(path));
        about["parameters"] = listed.collect();
        let operation = Operation::new((Method::Get, path), &[Scope::Query], handler, about);
        self.all.push(operation);
    }

    /// Adds a question with GET and with POST.
    pub(super) fn both<T: 'static>(
        &mut self,
        (path, summary): (&'static str, &str),
        handler: impl Handler<T, Arc<Api>>,
        parameters: &[Parameter],
    ) {
        self.get((path, summary), handler.clone(), parameters);
        let mut about = self.about((path, "post"), summary);
        if let Some(name) = in_path(path) {
            about["parameters"] = json!([name]);
        }
        let properties = parameters.iter().map(|(name, _, what)| {
            let schema = json!({ "type": "string", "description": what });
            ((*name).to_owned(), schema)
        });
        let required: Vec<&str> = parameters.iter().filter(|p| p.1).map(|p| p.0).collect();
        let properties: Map<String, Value> = properties.collect();
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        let content = json!({ "application/x-www-form-urlencoded": { "schema": schema } });
        about["requestBody"] = match self.wants_form {
            true => json!({ "required": true, "content": content }),
            false => json!({ "content": content }),
        };
        let operation = Operation::new((Method::Post, path), &[Scope::Query], handler, about);
        self.all.push(operation);
    }

    /// What every operation has in common.
    pub(super) fn about(&self, (path, method): (&str, &str), summary: &str) -> Value {
        let short = path.trim_start_matches(self.prefix);
        let name: String = short
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let mut responses = json!({ "200": self.answer });
        for status in self.failures {
            let mut response = problem(*status);
            let (media_type, content) = &self.failure;
            response["content"][media_type] = content.clone();
            responses[status.as_str()] = response;
        }
        json!({
            "operationId": format!("{}_{method}_{name}", self.id),
            "summary": summary,
            "responses": responses,
        })
    }
}

fn in_query((name, required, what): &Parameter) -> Value {
    json!({
        "name": name,
        "in": "query",
        "required": required,
        "description": what,
        "schema": { "type": "string" },
    })
}

fn in_path(path: &str) -> Option<Value> {
    let name =
        json!({ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } });
    path.contains("{name}").then_some(name)
}
