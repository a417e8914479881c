//! The parameters of a question: of the query string, and of the form in the body.

use super::failure::Failure;
use crate::api::asked::{Pairs, Read};
use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use cairn_promql::{
    expr::{Kind, Shift},
    matcher::Matcher,
    parse::parse,
};
use cairn_storage::{time::Nanos, world::Clock};
use std::time::Duration;

/// The names and values of a question.
#[derive(Debug, Default)]
pub(in crate::api) struct Parameters(Pairs);

/// The times that a range of steps covers, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) step_ms: i64,
}

/// The most steps of a range query, as in Prometheus.
const MOST_STEPS: i64 = 11_000;

/// What a question without a time is about: from the first to the last instant of any use, the year 9999.
const ALWAYS_MS: (i64, i64) = (0, 253_402_300_799_999);

impl Read for Parameters {
    type Failure = Failure;

    fn read(query: Option<&str>, form: &[u8]) -> Result<Parameters, Failure> {
        Pairs::new(query, form)
            .map(Parameters)
            .map_err(Failure::bad_data)
    }
}

impl Parameters {
    /// The first value of `name`; an empty one is as good as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// The value of `name`, which must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Failure> {
        self.get(name)
            .ok_or_else(|| Failure::parameter(name, "it is missing"))
    }

    /// The selectors `match[]`, each as its matchers.
    pub(super) fn selectors(&self) -> Result<Vec<Vec<Matcher>>, Failure> {
        let texts = self.0.all("match[]");
        texts.map(|text| selector("match[]", text)).collect()
    }

    /// The one selector `name`, as its matchers.
    pub(super) fn selector(&self, name: &str) -> Result<Option<Vec<Matcher>>, Failure> {
        self.get(name).map(|text| selector(name, text)).transpose()
    }

    /// The instant `name` in milliseconds: seconds since 1970 with a fraction, or RFC 3339.
    pub(super) fn time_ms(&self, name: &str) -> Result<Option<i64>, Failure> {
        let parsed = |text: &str| {
            instant_ms(text).ok_or_else(|| {
                Failure::parameter(name, format!("cannot parse {text:?} to a valid timestamp"))
            })
        };
        self.get(name).map(parsed).transpose()
    }

    /// The duration `name`: seconds, or `5m` and the like.
    pub(super) fn duration(&self, name: &str) -> Result<Option<Duration>, Failure> {
        let parsed = |text: &str| {
            let ms = duration_ms(text).filter(|ms| *ms >= 0);
            let ms = ms.and_then(|ms| u64::try_from(ms).ok());
            ms.map(Duration::from_millis).ok_or_else(|| {
                Failure::parameter(name, format!("cannot parse {text:?} to a valid duration"))
            })
        };
        self.get(name).map(parsed).transpose()
    }

    /// The number `name`; 0 says that there is no limit.
    pub(super) fn limit(&self, name: &str) -> Result<Option<usize>, Failure> {
        let parsed = |text: &str| {
            let number = text
                .parse()
                .map_err(|_| Failure::parameter(name, "it must be a number, 0 or more"));
            number.map(|number: usize| Some(number).filter(|number| *number > 0))
        };
        Ok(self.get(name).map(parsed).transpose()?.flatten())
    }

    /// `start`, `end` and `step` of a range query.
    pub(super) fn steps(&self) -> Result<Steps, Failure> {
        let time = |name| {
            self.required(name)?;
            Ok::<_, Failure>(self.time_ms(name)?.unwrap_or_default())
        };
        let (start_ms, end_ms) = (time("start")?, time("end")?);
        if end_ms < start_ms {
            return Err(Failure::parameter(
                "end",
                "end timestamp must not be before start time",
            ));
        }
        let text = self.required("step")?;
        let step_ms = duration_ms(text).ok_or_else(|| {
            Failure::parameter("step", format!("cannot parse {text:?} to a valid duration"))
        })?;
        if step_ms <= 0 {
            let message = "zero or negative query resolution step widths are not accepted. Try a positive integer";
            return Err(Failure::parameter("step", message));
        }
        if (end_ms - start_ms) / step_ms > MOST_STEPS {
            return Err(Failure::bad_data(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
            ));
        }
        Ok(Steps {
            start_ms,
            end_ms,
            step_ms,
        })
    }

    /// `start` and `end` of a question about series; all times where they are missing.
    pub(super) fn interval_ms(&self) -> Result<(i64, i64), Failure> {
        let from = self.time_ms("start")?.unwrap_or(ALWAYS_MS.0);
        let through = self.time_ms("end")?.unwrap_or(ALWAYS_MS.1);
        if through < from {
            return Err(Failure::parameter(
                "end",
                "end timestamp must not be before start time",
            ));
        }
        Ok((from, through))
    }
}

fn selector(name: &str, text: &str) -> Result<Vec<Matcher>, Failure> {
    let wrong = |why: String| Failure::parameter(name, why);
    let expr = parse(text, true).map_err(|error| wrong(error.to_string()))?;
    match expr.kind {
        Kind::Selector(selector) if selector.shift == Shift::default() => Ok(selector.matchers),
        _ => Err(wrong(format!("{text} is no selector"))),
    }
}

/// The present instant in milliseconds.
pub(super) fn now_ms(clock: &dyn Clock) -> i64 {
    let Nanos(now) = clock.now();
    now.div_euclid(1_000_000)
}

/// An instant as clients write it. Outside of what nanoseconds can say it is the nearest that they can.
fn instant_ms(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds
            .is_finite()
            .then(|| within((seconds * 1000.0).round()));
    }
    let nanos = string_to_timestamp_nanos(text).ok()?;
    Some(nanos.div_euclid(1_000_000))
}

fn duration_ms(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = (seconds * 1000.0).round();
        return (ms.is_finite() && ms.abs() < 9.2e15).then_some(ms as i64);
    }
    cairn_promql::parse::duration_ms(text)
}

/// Milliseconds that are also nanoseconds of 64 bits.
fn within(ms: f64) -> i64 {
    let most = (i64::MAX / 1_000_000) as f64;
    ms.clamp(-most, most) as i64
}

#[cfg(test)]
mod tests {
    use super::{Parameters, Read, Steps, duration_ms, instant_ms};

    #[test]
    fn times_are_seconds_or_dates() {
        assert_eq!(instant_ms("1700000000.125"), Some(1_700_000_000_125));
        assert_eq!(
            instant_ms("2023-11-14T22:13:20.5Z"),
            Some(1_700_000_000_500)
        );
        assert_eq!(
            instant_ms("2023-11-15T00:13:20+02:00"),
            Some(1_700_000_000_000)
        );
        assert_eq!(instant_ms("yesterday"), None);
        assert_eq!(instant_ms("NaN"), None);
        assert_eq!(
            (duration_ms("15"), duration_ms("1m30s"), duration_ms("x")),
            (Some(15_000), Some(90_000), None)
        );
    }

    #[test]
    fn steps_are_held_to_their_limits() {
        let steps = |text: &str| {
            Parameters::read(Some(text), b"")
                .expect("it is encoded")
                .steps()
        };
        let expected = Steps {
            start_ms: 0,
            end_ms: 60_000,
            step_ms: 15_000,
        };
        assert_eq!(steps("start=0&end=60&step=15s").ok(), Some(expected));
        assert!(steps("start=0&end=60").is_err());
        assert!(steps("start=60&end=0&step=1").is_err());
        assert!(steps("start=0&end=60&step=0").is_err());
        assert!(steps("start=0&end=11000&step=1").is_ok());
        assert!(steps("start=0&end=11001&step=1").is_err());
    }
}
