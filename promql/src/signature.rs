//! The functions of the language: what they take, what they yield, what they are for.

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Scalar,
    String,
    Vector,
    Matrix,
}

impl Type {
    /// As Prometheus names it in messages.
    pub fn describe(self) -> &'static str {
        match self {
            Type::Scalar => "scalar",
            Type::String => "string",
            Type::Vector => "instant vector",
            Type::Matrix => "range vector",
        }
    }

    /// As Prometheus names it in its API.
    pub fn name(self) -> &'static str {
        match self {
            Type::Vector => "vector",
            Type::Matrix => "matrix",
            other => other.describe(),
        }
    }
}

/// How many arguments there may be beside those of `Function::args`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// None.
    Fixed,
    /// The last may be absent, or there may be this many of it.
    UpTo(usize),
    /// Any number of the last, or none.
    Any,
}

/// A function.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    pub args: &'static [Type],
    pub more: More,
    pub returns: Type,
    /// Only there with `Options::experimental`.
    pub experimental: bool,
    /// What it does, in a sentence.
    pub about: &'static str,
}

impl Function {
    /// Whether this many arguments fit; otherwise what Prometheus says of them.
    pub(crate) fn check_count(&self, count: usize) -> Result<(), String> {
        let fixed = self.args.len();
        let name = self.name;
        if self.more == More::Fixed {
            return match count == fixed {
                true => Ok(()),
                false => Err(format!(
                    "expected {fixed} argument(s) in call to {name:?}, got {count}"
                )),
            };
        }
        let least = fixed.saturating_sub(1);
        if count < least {
            return Err(format!(
                "expected at least {least} argument(s) in call to {name:?}, got {count}"
            ));
        }
        match self.more {
            More::UpTo(extra) if count > least + extra => Err(format!(
                "expected at most {} argument(s) in call to {name:?}, got {count}",
                least + extra
            )),
            _ => Ok(()),
        }
    }

    /// The type of the argument at `index`.
    pub(crate) fn arg(&self, index: usize) -> Type {
        self.args
            .get(index)
            .or(self.args.last())
            .copied()
            .unwrap_or(Type::Vector)
    }

    /// `name(instant vector, scalar)`, for a reader.
    pub fn signature(&self) -> String {
        let mut args: Vec<String> = self
            .args
            .iter()
            .map(|arg| arg.describe().to_owned())
            .collect();
        match (self.more, args.last_mut()) {
            (More::UpTo(1), Some(last)) => *last = format!("[{last}]"),
            (More::UpTo(_) | More::Any, Some(last)) => last.push_str(", …"),
            _ => {}
        }
        format!(
            "{}({}) {}",
            self.name,
            args.join(", "),
            self.returns.describe()
        )
    }
}

/// All functions, by name.
pub fn functions() -> &'static [Function] {
    FUNCTIONS
}

/// The function of this name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS
        .binary_search_by(|function| function.name.cmp(name))
        .ok()
        .map(|at| &FUNCTIONS[at])
}

const fn function(
    name: &'static str,
    args: &'static [Type],
    returns: Type,
    about: &'static str,
) -> Function {
    Function {
        name,
        args,
        more: More::Fixed,
        returns,
        experimental: false,
        about,
    }
}

const fn to_vector(name: &'static str, args: &'static [Type], about: &'static str) -> Function {
    function(name, args, Type::Vector, about)
}

const fn experiment(function: Function) -> Function {
    Function {
        experimental: true,
        ..function
    }
}

const fn more(more: More, function: Function) -> Function {
    Function { more, ..function }
}

const V: &[Type] = &[Type::Vector];
const M: &[Type] = &[Type::Matrix];
const S: &[Type] = &[Type::Scalar];
const VS: &[Type] = &[Type::Vector, Type::Scalar];
const SS: &[Type] = &[Type::Scalar, Type::Scalar];
const V_TEXT: &[Type] = &[Type::Vector, Type::String];

/// Sorted by name, as `find` expects.
const FUNCTIONS: &[Function] = &[
    to_vector("abs", V, "the absolute value"),
    to_vector("absent", V, "1 where the vector has no element"),
    to_vector(
        "absent_over_time",
        M,
        "1 where no series has a sample in the range",
    ),
    to_vector("acos", V, "the arccosine, in radians"),
    to_vector("acosh", V, "the inverse hyperbolic cosine"),
    to_vector("asin", V, "the arcsine, in radians"),
    to_vector("asinh", V, "the inverse hyperbolic sine"),
    to_vector("atan", V, "the arctangent, in radians"),
    to_vector("atanh", V, "the inverse hyperbolic tangent"),
    to_vector("avg_over_time", M, "the mean of the samples in the range"),
    to_vector("ceil", V, "rounded up to an integer"),
    to_vector("changes", M, "how often the value changed in the range"),
    to_vector(
        "clamp",
        &[Type::Vector, Type::Scalar, Type::Scalar],
        "held between a minimum and a maximum",
    ),
    to_vector("clamp_max", VS, "held at a maximum"),
    to_vector("clamp_min", VS, "held at a minimum"),
    to_vector("cos", V, "the cosine of radians"),
    to_vector("cosh", V, "the hyperbolic cosine"),
    to_vector("count_over_time", M, "how many samples are in the range"),
    more(
        More::UpTo(1),
        to_vector("day_of_month", V, "the day of the month in UTC, from 1"),
    ),
    more(
        More::UpTo(1),
        to_vector("day_of_week", V, "the day of the week in UTC, 0 is Sunday"),
    ),
    more(
        More::UpTo(1),
        to_vector("day_of_year", V, "the day of the year in UTC, from 1"),
    ),
    more(
        More::UpTo(1),
        to_vector("days_in_month", V, "how many days the month has, in UTC"),
    ),
    to_vector("deg", V, "degrees of radians"),
    to_vector(
        "delta",
        M,
        "the difference of a gauge over the range, extrapolated to its ends",
    ),
    to_vector("deriv", M, "the slope per second, by linear regression"),
    experiment(to_vector(
        "double_exponential_smoothing",
        &[Type::Matrix, Type::Scalar, Type::Scalar],
        "a smoothed value, by a smoothing and a trend factor",
    )),
    experiment(function(
        "end",
        &[],
        Type::Scalar,
        "the end of the query, in seconds since 1970",
    )),
    to_vector("exp", V, "the exponential function"),
    experiment(to_vector(
        "first_over_time",
        M,
        "the oldest sample in the range",
    )),
    to_vector("floor", V, "rounded down to an integer"),
    to_vector(
        "histogram_avg",
        V,
        "the mean of what native histograms observed",
    ),
    to_vector(
        "histogram_count",
        V,
        "how many observations native histograms hold",
    ),
    to_vector(
        "histogram_fraction",
        &[Type::Scalar, Type::Scalar, Type::Vector],
        "the share of observations between two values",
    ),
    to_vector(
        "histogram_quantile",
        &[Type::Scalar, Type::Vector],
        "a quantile of classic or native histograms",
    ),
    experiment(more(
        More::UpTo(10),
        to_vector(
            "histogram_quantiles",
            &[Type::Vector, Type::String, Type::Scalar],
            "several quantiles, told apart by a label",
        ),
    )),
    to_vector(
        "histogram_stddev",
        V,
        "the estimated standard deviation of native histograms",
    ),
    to_vector(
        "histogram_stdvar",
        V,
        "the estimated variance of native histograms",
    ),
    to_vector(
        "histogram_sum",
        V,
        "the sum of what native histograms observed",
    ),
    more(
        More::UpTo(1),
        to_vector("hour", V, "the hour of the day in UTC"),
    ),
    to_vector("idelta", M, "the difference of the last two samples"),
    to_vector(
        "increase",
        M,
        "how much a counter grew over the range, extrapolated to its ends",
    ),
    experiment(more(
        More::UpTo(1),
        to_vector(
            "info",
            &[Type::Vector, Type::Vector],
            "the vector with the labels of its info metrics",
        ),
    )),
    to_vector(
        "irate",
        M,
        "the growth per second between the last two samples of a counter",
    ),
    more(
        More::Any,
        to_vector(
            "label_join",
            &[Type::Vector, Type::String, Type::String, Type::String],
            "a label of the values of others, joined by a separator",
        ),
    ),
    to_vector(
        "label_replace",
        &[
            Type::Vector,
            Type::String,
            Type::String,
            Type::String,
            Type::String,
        ],
        "a label of what a regular expression found in another",
    ),
    to_vector("last_over_time", M, "the newest sample in the range"),
    to_vector("ln", V, "the natural logarithm"),
    to_vector("log10", V, "the decimal logarithm"),
    to_vector("log2", V, "the binary logarithm"),
    experiment(to_vector(
        "mad_over_time",
        M,
        "the median absolute deviation of the samples in the range",
    )),
    experiment(function(
        "max_of",
        SS,
        Type::Scalar,
        "the larger one of two numbers",
    )),
    to_vector("max_over_time", M, "the largest sample in the range"),
    experiment(function(
        "min_of",
        SS,
        Type::Scalar,
        "the smaller one of two numbers",
    )),
    to_vector("min_over_time", M, "the smallest sample in the range"),
    more(
        More::UpTo(1),
        to_vector("minute", V, "the minute of the hour in UTC"),
    ),
    more(
        More::UpTo(1),
        to_vector("month", V, "the month in UTC, from 1"),
    ),
    function("pi", &[], Type::Scalar, "π"),
    to_vector(
        "predict_linear",
        &[Type::Matrix, Type::Scalar],
        "the value in so many seconds, by linear regression",
    ),
    to_vector(
        "present_over_time",
        M,
        "1 for a series with samples in the range",
    ),
    to_vector(
        "quantile_over_time",
        &[Type::Scalar, Type::Matrix],
        "a quantile of the samples in the range",
    ),
    to_vector("rad", V, "radians of degrees"),
    experiment(function(
        "range",
        &[],
        Type::Scalar,
        "the end of the query less its start, in seconds",
    )),
    to_vector(
        "rate",
        M,
        "the growth of a counter per second over the range",
    ),
    to_vector("resets", M, "how often a counter began anew in the range"),
    more(
        More::UpTo(1),
        to_vector(
            "round",
            VS,
            "rounded to a multiple of a number, or to an integer",
        ),
    ),
    function(
        "scalar",
        V,
        Type::Scalar,
        "the value of the only element, otherwise NaN",
    ),
    to_vector("sgn", V, "the sign: 1, 0 or -1"),
    to_vector("sin", V, "the sine of radians"),
    to_vector("sinh", V, "the hyperbolic sine"),
    to_vector("sort", V, "sorted by value, the smallest first"),
    experiment(more(
        More::Any,
        to_vector(
            "sort_by_label",
            V_TEXT,
            "sorted by labels, as a reader would",
        ),
    )),
    experiment(more(
        More::Any,
        to_vector(
            "sort_by_label_desc",
            V_TEXT,
            "sorted by labels, the last first",
        ),
    )),
    to_vector("sort_desc", V, "sorted by value, the largest first"),
    to_vector("sqrt", V, "the square root"),
    experiment(function(
        "start",
        &[],
        Type::Scalar,
        "the start of the query, in seconds since 1970",
    )),
    to_vector(
        "stddev_over_time",
        M,
        "the standard deviation of the samples in the range",
    ),
    to_vector(
        "stdvar_over_time",
        M,
        "the variance of the samples in the range",
    ),
    experiment(function(
        "step",
        &[],
        Type::Scalar,
        "the step of the query, in seconds",
    )),
    to_vector("sum_over_time", M, "the sum of the samples in the range"),
    to_vector("tan", V, "the tangent of radians"),
    to_vector("tanh", V, "the hyperbolic tangent"),
    function(
        "time",
        &[],
        Type::Scalar,
        "the time of the evaluation, in seconds since 1970",
    ),
    to_vector(
        "timestamp",
        V,
        "the times of the samples, in seconds since 1970",
    ),
    experiment(to_vector(
        "ts_of_first_over_time",
        M,
        "when the oldest sample in the range was taken",
    )),
    experiment(to_vector(
        "ts_of_last_over_time",
        M,
        "when the newest sample in the range was taken",
    )),
    experiment(to_vector(
        "ts_of_max_over_time",
        M,
        "when the largest sample in the range was last taken",
    )),
    experiment(to_vector(
        "ts_of_min_over_time",
        M,
        "when the smallest sample in the range was last taken",
    )),
    to_vector("vector", S, "a vector of one element without labels"),
    more(More::UpTo(1), to_vector("year", V, "the year in UTC")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found() {
        for function in functions() {
            assert_eq!(
                find(function.name).map(|found| found.name),
                Some(function.name)
            );
        }
        assert!(find("holt_winters").is_none());
    }
}
