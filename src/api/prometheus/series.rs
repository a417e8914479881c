//! `series`, `labels`, `label/<name>/values` and `metadata`.

use super::{answer, failure::Failure, parameters::Parameters};
use crate::api::asked::Asked;
use axum::{extract::Path, response::Response};
use cairn_query::promql::questions::Asking;
use cairn_tenancy::principal::Principal;
use serde_json::{Map, Value, json};

/// Who asks about series, and which.
fn asking(principal: Principal, parameters: &Parameters) -> Result<Asking, Failure> {
    let (from_ms, through_ms) = parameters.interval_ms()?;
    Ok(Asking {
        tenant: principal.tenant,
        selectors: parameters.selectors()?,
        from_ms,
        through_ms,
        deadline: parameters.duration("timeout")?,
    })
}

/// `series`: the labels of the series that one of `match[]` selects.
pub(in crate::api) async fn series(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let asking = asking(asked.principal, &asked.parameters)?;
    if asking.selectors.is_empty() {
        return Err(Failure::bad_data("no match[] parameter provided"));
    }
    let (series, end) = asked.api.parts()?.engine.series(asking).await?;
    let labels = series.iter().map(answer::labels);
    Ok(answer::list(
        labels,
        (asked.parameters.limit("limit")?, &end),
        &asked.headers,
    ))
}

/// `labels`: the names of labels.
pub(in crate::api) async fn label_names(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let asking = asking(asked.principal, &asked.parameters)?;
    let (names, end) = asked.api.parts()?.engine.label_names(asking).await?;
    let names = names.into_iter().map(Value::from);
    Ok(answer::list(
        names,
        (asked.parameters.limit("limit")?, &end),
        &asked.headers,
    ))
}

/// `label/<name>/values`: the values of a label.
pub(in crate::api) async fn label_values(
    Path(name): Path<String>,
    asked: Asked<Parameters>,
) -> Result<Response, Failure> {
    let asking = asking(asked.principal, &asked.parameters)?;
    let name = unescaped(&name);
    let (values, end) = asked.api.parts()?.engine.label_values(asking, name).await?;
    let values = values.into_iter().map(Value::from);
    Ok(answer::list(
        values,
        (asked.parameters.limit("limit")?, &end),
        &asked.headers,
    ))
}

/// A name in Prometheus' escaping of UTF-8 names (`U__my_2e_label`), or as it stands.
fn unescaped(name: &str) -> String {
    let Some(escaped) = name.strip_prefix("U__") else {
        return name.to_owned();
    };
    let mut plain = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(at) = rest.find('_') {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(next) = after.strip_prefix('_') {
            plain.push('_');
            rest = next;
            continue;
        }
        let code = after.split_once('_').and_then(|(digits, next)| {
            let code = u32::from_str_radix(digits, 16)
                .ok()
                .and_then(char::from_u32);
            code.map(|code| (code, next))
        });
        let Some((code, next)) = code else {
            return name.to_owned();
        };
        plain.push(code);
        rest = next;
    }
    plain.push_str(rest);
    plain
}

/// `metadata`: type, help and unit of metrics.
pub(in crate::api) async fn metadata(asked: Asked<Parameters>) -> Result<Response, Failure> {
    let (limit, per_metric) = (
        asked.parameters.limit("limit")?,
        asked.parameters.limit("limit_per_metric")?,
    );
    let asking = asking(asked.principal, &asked.parameters)?;
    let (families, end) = asked.api.parts()?.engine.metric_metadata(asking).await?;
    let wanted = asked.parameters.get("metric");
    let mut by_name: Map<String, Value> = Map::new();
    for family in families
        .iter()
        .filter(|family| wanted.is_none_or(|name| family.name == name))
    {
        let is_new = !by_name.contains_key(&family.name);
        if is_new && limit.is_some_and(|limit| by_name.len() >= limit) {
            continue;
        }
        let of_name = by_name.entry(&family.name).or_insert_with(|| json!([]));
        let Some(list) = of_name.as_array_mut() else {
            continue;
        };
        if per_metric.is_none_or(|most| list.len() < most) {
            list.push(json!({ "type": family.kind, "help": family.help, "unit": family.unit }));
        }
    }
    Ok(answer::data(
        &Value::Object(by_name),
        Some(&end),
        &asked.headers,
    ))
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn escaped_names_are_read() {
        assert_eq!(unescaped("U__my_2e_label__x"), "my.label_x");
        assert_eq!(unescaped("plain_name"), "plain_name");
        assert_eq!(unescaped("U__broken_zz"), "U__broken_zz");
    }
}
