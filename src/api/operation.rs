//! One operation of the API: what the router serves and the document tells, so that neither knows one that the other
//! does not.

use super::state::Api;
use axum::{handler::Handler, routing::MethodRouter};
use cairn_tenancy::principal::Scope;
use serde_json::Value;
use std::sync::Arc;

/// The methods of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    /// Its key in a path item of OpenAPI.
    pub(super) fn key(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Post => "post",
            Method::Put => "put",
            Method::Delete => "delete",
        }
    }
}

/// A path and a method.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// Who may: principals with one of these; without any, everybody and without credentials.
    pub(super) scopes: &'static [Scope],
    pub(super) serve: MethodRouter<Arc<Api>>,
    /// The Operation Object of OpenAPI, without what follows from the scopes.
    pub(super) about: Value,
}

impl Operation {
    pub(super) fn new<T: 'static>(
        (method, path): (Method, &'static str),
        scopes: &'static [Scope],
        handler: impl Handler<T, Arc<Api>>,
        about: Value,
    ) -> Operation {
        let serve = match method {
            Method::Get => axum::routing::get(handler),
            Method::Post => axum::routing::post(handler),
            Method::Put => axum::routing::put(handler),
            Method::Delete => axum::routing::delete(handler),
        };
        Operation {
            method,
            path,
            scopes,
            serve,
            about,
        }
    }
}
