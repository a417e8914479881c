//! `/metrics`: our own telemetry in the Prometheus text format.

use super::{problem::Problem, state::Api};
use axum::{Extension, extract::State, http::header::CONTENT_TYPE, response::IntoResponse};
use cairn_storage::id::TenantId;
use cairn_tenancy::principal::{Principal, Scope};
use std::sync::Arc;

/// The OpenMetrics text format, as prometheus-client writes it.
pub(super) const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics to those who operate the server; to everybody else the rows of the own tenant.
pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
) -> Result<impl IntoResponse, Problem> {
    if let Ok(parts) = api.parts() {
        parts.engine.update_metrics();
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &api.registry.read())
        .map_err(|_| Problem::internal("the metrics cannot be written"))?;
    if !principal.has(Scope::Operate) {
        text = of_tenant(&text, &principal.tenant);
    }
    Ok(([(CONTENT_TYPE, FORMAT)], text))
}

/// The rows of `text` that carry the label of `tenant`, with the descriptions of their families.
///
/// A row without the label counts for all tenants together, so it is left out too. Quotes in label values are
/// escaped, so that the label cannot be forged by a value.
fn of_tenant(text: &str, tenant: &TenantId) -> String {
    let label = format!("tenant=\"{tenant}\"");
    let mut kept = String::new();
    // Descriptions of the family that comes next, kept until it has a row.
    let mut head = String::new();
    let mut in_head = false;
    for line in text.lines() {
        if line.starts_with('#') {
            if !in_head {
                head.clear();
            }
            in_head = true;
            head.push_str(line);
            head.push('\n');
            continue;
        }
        in_head = false;
        let is_mine = line
            .match_indices(&label)
            .any(|(at, _)| line[..at].ends_with(['{', ',']));
        if is_mine {
            kept.push_str(&head);
            head.clear();
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept + "# EOF\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_sees_its_rows_only() {
        let text = "# HELP a A.\n# TYPE a counter\na_total{tenant=\"x\",signal=\"logs\"} 1\n\
                    a_total{signal=\"logs\",tenant=\"y\"} 2\na_total{note=\",tenant=\\\"x\\\"\",tenant=\"y\"} 3\n\
                    # HELP b B.\n# TYPE b gauge\nb 4\n# HELP c C.\n# TYPE c gauge\nc{not_tenant=\"x\"} 5\n# EOF\n";
        let tenant = "x".parse().expect("a valid id");
        let expected =
            "# HELP a A.\n# TYPE a counter\na_total{tenant=\"x\",signal=\"logs\"} 1\n# EOF\n";
        assert_eq!(of_tenant(text, &tenant), expected);
        let nobody = "z".parse().expect("a valid id");
        assert_eq!(of_tenant(text, &nobody), "# EOF\n");
    }
}
