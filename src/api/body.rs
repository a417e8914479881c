//! Bodies of requests in JSON.

use super::problem::Problem;
use serde::de::DeserializeOwned;

/// Reads an object. What is none is invalid: an array, too, which serde would take for the members in their order.
pub(super) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::invalid("the body must be a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| {
        let detail = format!("the body is not the JSON that this path takes: {error}");
        Problem::invalid(detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        one: Option<u64>,
        two: Option<u64>,
    }

    #[test]
    fn only_an_object_is_one() {
        let read = object::<Pair>(b" \r\n\t{\"one\": 1}").expect("an object");
        let expected = Pair {
            one: Some(1),
            two: None,
        };
        assert_eq!(read, expected);
        for body in [
            "[1, 2]",
            "[null, null]",
            "null",
            "\"{}\"",
            "1",
            "",
            "{",
            "{\"three\": 3}",
        ] {
            let problem = object::<Pair>(body.as_bytes()).expect_err(body);
            assert_eq!(problem.status(), StatusCode::BAD_REQUEST, "{body}");
        }
    }
}
