//! The parameters of a question: of the query string, and of the form in the body.

use super::failure::Failure;
use crate::api::asked::{Pairs, Read};
use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use cairn_logql::{ast::Matcher, parse_log};
use cairn_query::logql::Direction;
use cairn_storage::{time::Nanos, world::Clock};

/// The names and values of a question.
#[derive(Debug, Default)]
pub(in crate::api) struct Parameters(Pairs);

/// From an instant to another, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
}

/// How far back questions look that say nothing of it: queries, and questions about labels, ns.
pub(super) const HOUR_NS: i64 = 3_600 * SECOND_NS;
pub(super) const LABELS_NS: i64 = 6 * HOUR_NS;

pub(super) const SECOND_NS: i64 = 1_000_000_000;

/// The most steps of a range query, as in Loki.
const MOST_STEPS: i64 = 11_000;

/// A question without `step` gets about so many.
const USUAL_STEPS: i64 = 250;

/// Lines of an answer where the question says nothing, and the most that it may ask for (`max_entries_limit_per_query`).
pub(super) const USUAL_LINES: usize = 100;
pub(super) const MOST_LINES: usize = 5_000;

impl Read for Parameters {
    type Failure = Failure;

    fn read(query: Option<&str>, form: &[u8]) -> Result<Parameters, Failure> {
        Pairs::new(query, form)
            .map(Parameters)
            .map_err(Failure::invalid)
    }
}

impl Parameters {
    /// The first value of `name`; an empty one is as good as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// `query`, which must be there.
    pub(super) fn query(&self) -> Result<&str, Failure> {
        self.get("query").ok_or_else(|| {
            Failure::invalid(
                "parse error : syntax error: unexpected $end: the parameter query is missing",
            )
        })
    }

    /// `query` of a question about lines; one that selects everything, or is missing, means all that have a level, which all
    /// have.
    pub(super) fn log_query(&self) -> &str {
        match self.get("query") {
            Some(query) if !is_everything(query) => query,
            _ => r#"{level=~".+"}"#,
        }
    }

    /// The selectors of all `names`; none of what selects everything, `{}`.
    pub(super) fn selectors(&self, names: &[&str]) -> Result<Vec<Vec<Matcher>>, Failure> {
        let texts = self.0.iter().filter(|(key, value)| {
            names.contains(key) && !value.trim().is_empty() && !is_everything(value)
        });
        let selector =
            |(_, text): (&str, &str)| Ok(parse_log(text).map_err(Failure::invalid)?.selector);
        texts.map(selector).collect()
    }

    /// The instant `name`.
    fn time(&self, name: &str) -> Result<Option<i64>, Failure> {
        let parsed = |text: &str| {
            instant_ns(text).ok_or_else(|| {
                Failure::invalid(format!(
                    "could not parse '{name}' parameter: {text:?} is no time"
                ))
            })
        };
        self.get(name).map(parsed).transpose()
    }

    /// The instant `time`, or now.
    pub(super) fn at(&self, clock: &dyn Clock) -> Result<i64, Failure> {
        let Nanos(now) = clock.now();
        Ok(self.time("time")?.unwrap_or(now))
    }

    /// `start` and `end`, or the time `since`, or else `usual` before now.
    pub(super) fn interval(&self, clock: &dyn Clock, usual_ns: i64) -> Result<Interval, Failure> {
        let Nanos(now) = clock.now();
        let since = self.duration_ns("since")?.unwrap_or(usual_ns);
        let end_ns = self.time("end")?.unwrap_or(now);
        let start = self.time("start")?;
        let start_ns = start.unwrap_or_else(|| end_ns.min(now).saturating_sub(since));
        if end_ns < start_ns {
            return Err(Failure::invalid(
                "end timestamp must not be before or equal to start time",
            ));
        }
        Ok(Interval { start_ns, end_ns })
    }

    /// The duration `name`: seconds, or `5m` and the like.
    pub(super) fn duration_ns(&self, name: &str) -> Result<Option<i64>, Failure> {
        let parsed = |text: &str| {
            duration_ns(text).filter(|ns| *ns >= 0).ok_or_else(|| {
                Failure::invalid(format!(
                    "cannot parse {text:?} to a valid duration, in '{name}'"
                ))
            })
        };
        self.get(name).map(parsed).transpose()
    }

    /// `step`, or what makes a good number of them.
    pub(super) fn step_ns(&self, interval: Interval) -> Result<i64, Failure> {
        let length = interval.end_ns.saturating_sub(interval.start_ns);
        let seconds = length / SECOND_NS / USUAL_STEPS;
        let step = self.duration_ns("step")?;
        let step = step.unwrap_or(seconds.max(1) * SECOND_NS);
        if step <= 0 {
            return Err(Failure::invalid(
                "zero or negative query resolution step widths are not accepted. Try a positive integer",
            ));
        }
        if length / step > MOST_STEPS {
            return Err(Failure::invalid(
                "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter",
            ));
        }
        Ok(step)
    }

    /// The number `name`, above 0, or `usual`; more than `most` is refused.
    pub(super) fn limit(
        &self,
        name: &str,
        (usual, most): (usize, usize),
    ) -> Result<usize, Failure> {
        let Some(text) = self.get(name) else {
            return Ok(usual);
        };
        match text.parse::<usize>() {
            Ok(0) => Err(Failure::invalid("limit must be a positive value")),
            Ok(limit) if limit > most => Err(Failure::invalid(format!(
                "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {most})"
            ))),
            Ok(limit) => Ok(limit),
            Err(_) => Err(Failure::invalid(format!("'{name}' must be a number"))),
        }
    }

    /// `direction`, in any case.
    pub(super) fn direction(&self) -> Result<Direction, Failure> {
        let text = self.get("direction").unwrap_or("backward");
        match text.to_ascii_lowercase().as_str() {
            "forward" => Ok(Direction::Forward),
            "backward" => Ok(Direction::Backward),
            _ => Err(Failure::invalid(format!("invalid direction '{text}'"))),
        }
    }
}

/// Whether a selector has no matcher.
fn is_everything(selector: &str) -> bool {
    let inner = selector
        .trim()
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim().is_empty())
}

/// An instant as clients write it: a number with a point is seconds; one without up to ten digits, too, and
/// nanoseconds with more; anything else is RFC 3339.
fn instant_ns(text: &str) -> Option<i64> {
    if let Ok(whole) = text.parse::<i64>() {
        return match text.len() <= 10 {
            true => whole.checked_mul(SECOND_NS),
            false => Some(whole),
        };
    }
    if let Ok(seconds) = text.parse::<f64>() {
        // Whole and rest apart: a float has no room for both to the nanosecond.
        let (whole, rest) = (seconds.trunc(), seconds.fract());
        let is_possible = seconds.is_finite() && whole.abs() < (i64::MAX / SECOND_NS) as f64;
        let rest = (rest * 1e6).round() as i64 * 1_000;
        return is_possible.then(|| whole as i64 * SECOND_NS + rest);
    }
    string_to_timestamp_nanos(text).ok()
}

fn duration_ns(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ns = (seconds * 1e9).round();
        return (ns.is_finite() && ns.abs() < 9.2e18).then_some(ns as i64);
    }
    cairn_promql::parse::duration_ms(text)?.checked_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::{Interval, Parameters, Read, SECOND_NS, duration_ns, instant_ns};

    #[test]
    fn times_are_seconds_nanoseconds_or_dates() {
        let whole = 1_700_000_000 * SECOND_NS;
        let check = |text, expected| assert_eq!(instant_ns(text), expected, "{text}");
        check("1700000000", Some(whole));
        check("1700000000.125", Some(whole + 125_000_000));
        check("1700000000000000001", Some(whole + 1));
        check("2023-11-14T22:13:20Z", Some(whole));
        check("2023-11-14T22:13:20.000000001Z", Some(whole + 1));
        check("yesterday", None);
        assert_eq!(duration_ns("1.5"), Some(1_500_000_000));
        assert_eq!(duration_ns("2m"), Some(120 * SECOND_NS));
    }

    #[test]
    fn steps_are_held_to_their_limits() {
        let step = |text: &str, seconds: i64| {
            let interval = Interval {
                start_ns: 0,
                end_ns: seconds * SECOND_NS,
            };
            Parameters::read(Some(text), b"")
                .expect("it is encoded")
                .step_ns(interval)
                .ok()
        };
        assert_eq!(step("", 3_600), Some(14 * SECOND_NS));
        assert_eq!(step("", 10), Some(SECOND_NS));
        assert_eq!(step("step=15s", 60), Some(15 * SECOND_NS));
        assert_eq!(step("step=0", 60), None);
        assert_eq!(step("step=1", 11_001), None);
    }

    #[test]
    fn selectors_of_everything_select_nothing_less() {
        let of = |text: &str| {
            let parameters = Parameters::read(Some(text), b"").expect("it is encoded");
            parameters
                .selectors(&["query", "match[]"])
                .map(|all| all.len())
                .ok()
        };
        assert_eq!(of("query=%7B%7D"), Some(0));
        assert_eq!(
            of("query=%7Ba%3D%22b%22%7D&match[]=%7Bc%3D%22d%22%7D"),
            Some(2)
        );
        assert_eq!(of("query=x"), None);
    }
}
