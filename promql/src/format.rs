//! An expression as text, in one way for all that mean the same.

use crate::{
    expr::{
        Aggregate, At, Binary, BinaryOp, Cardinality, Expr, Extension, Kind, Length, Matching,
        Number, RangeSelector, Selector, Shift, Subquery,
    },
    labels::METRIC_NAME,
    lex::{number::format_duration, quoted::quote},
    matcher::{MatchOp, Matcher},
};
use std::fmt::{self, Display, Formatter};

/// As a query that is the same expression.
impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Number(number) => number.fmt(f),
            Kind::String(text) => f.write_str(&quote(text)),
            Kind::Selector(selector) => {
                f.write_str(&series(selector))?;
                f.write_str(&modifiers(selector))
            }
            Kind::Range(range) => range.fmt(f),
            Kind::Subquery(subquery) => subquery.fmt(f),
            Kind::Call(call) => {
                write!(f, "{}({})", call.function.name, list(&call.args))
            }
            Kind::Aggregate(aggregate) => aggregate.fmt(f),
            Kind::Binary(binary) => binary.fmt(f),
            Kind::Unary { negative, operand } => {
                write!(f, "{}{operand}", if *negative { "-" } else { "+" })
            }
            Kind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

fn list(exprs: &[Expr]) -> String {
    let texts: Vec<String> = exprs.iter().map(Expr::to_string).collect();
    texts.join(", ")
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // A duration that is no whole number of milliseconds cannot be written as one.
        let millis = (self.value * 1000.0).round();
        if self.duration && millis / 1000.0 == self.value && millis.abs() < 9e15 {
            return f.write_str(&format_duration(self.value));
        }
        f.write_str(&format_float(self.value))
    }
}

/// A number as Prometheus writes one: `NaN`, `+Inf`, `0.001`.
pub(crate) fn format_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

/// Whether a name can stand outside of quotes.
fn plain_metric(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
        && !matches!(name.to_ascii_lowercase().as_str(), "inf" | "nan")
}

/// As `plain_metric`, for labels, which have no colons.
pub(crate) fn plain_label(name: &str) -> bool {
    plain_metric(name) && !name.contains(':')
}

fn label(name: &str) -> String {
    match plain_label(name) {
        true => name.to_owned(),
        false => quote(name),
    }
}

fn labels(names: &[String]) -> String {
    let texts: Vec<String> = names.iter().map(|name| label(name)).collect();
    texts.join(", ")
}

/// Name and matchers, these in the order of their texts.
pub(crate) fn series(selector: &Selector) -> String {
    let name = selector.name.as_deref();
    let is_name = |matcher: &&Matcher| {
        let equal = matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal;
        equal && name == Some(&matcher.value)
    };
    let others = selector.matchers.iter().filter(|matcher| !is_name(matcher));
    let mut inside: Vec<String> = others
        .map(|matcher| {
            let (label, value) = (label(&matcher.name), quote(&matcher.value));
            format!("{label}{}{value}", matcher.op.symbol())
        })
        .collect();
    inside.sort();
    match (name, inside.is_empty()) {
        (Some(name), true) => name.to_owned(),
        (name, _) => format!("{}{{{}}}", name.unwrap_or(""), inside.join(",")),
    }
}

/// `anchored`, `@` and `offset`, with a blank before each.
fn modifiers(selector: &Selector) -> String {
    let extension = match selector.extension {
        Some(Extension::Anchored) => " anchored",
        Some(Extension::Smoothed) => " smoothed",
        None => "",
    };
    format!("{extension}{}", shift(&selector.shift))
}

fn shift(shift: &Shift) -> String {
    let at = match shift.at {
        Some(At::Time(millis)) => format!(" @ {}", seconds(millis)),
        Some(At::Start) => " @ start()".to_owned(),
        Some(At::End) => " @ end()".to_owned(),
        None => String::new(),
    };
    match &shift.offset {
        Some(Length::Literal(number)) => format!("{at} offset {}", format_duration(number.value)),
        Some(length) => format!("{at} offset {}", single(length)),
        None => at,
    }
}

/// Milliseconds as seconds with three digits.
fn seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}

/// A length that stands alone: a number of seconds is a duration.
fn alone(length: &Length) -> String {
    match length {
        Length::Literal(number) => format_duration(number.value),
        other => other.to_string(),
    }
}

/// A length as `offset` takes it: what has operators needs parentheses.
fn single(length: &Length) -> String {
    match length {
        Length::Binary(..) => format!("({length})"),
        other => other.to_string(),
    }
}

impl Display for Length {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Length::Literal(number) => number.fmt(f),
            Length::Step => f.write_str("step()"),
            Length::Range => f.write_str("range()"),
            Length::Negative(inner) => write!(f, "-{}", single(inner)),
            Length::Binary(op, left, right) => write!(f, "{left} {} {right}", op.symbol()),
            Length::Least(left, right) => write!(f, "min_of({left}, {right})"),
            Length::Greatest(left, right) => write!(f, "max_of({left}, {right})"),
            Length::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

impl Display for RangeSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}[{}]{}",
            series(&self.selector),
            alone(&self.range),
            modifiers(&self.selector)
        )
    }
}

/// The brackets of a subquery and what follows them.
fn window(subquery: &Subquery) -> String {
    let step = subquery.step.as_ref().map(alone);
    let (range, step) = (alone(&subquery.range), step.unwrap_or_default());
    format!("[{range}:{step}]{}", shift(&subquery.shift))
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.expr, window(self))
    }
}

/// The operator and its grouping.
fn head(aggregate: &Aggregate) -> String {
    let name = aggregate.op.name();
    match (aggregate.without, aggregate.grouping.is_empty()) {
        (false, true) => name.to_owned(),
        (without, _) => {
            let word = if without { "without" } else { "by" };
            format!("{name} {word} ({}) ", labels(&aggregate.grouping))
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&head(self))?;
        match &self.param {
            Some(param) => write!(f, "({param}, {})", self.expr),
            None => write!(f, "({})", self.expr),
        }
    }
}

/// The operator with all that stands between the two sides.
fn sign(binary: &Binary) -> String {
    let word = if binary.bool_modifier { " bool" } else { "" };
    format!("{}{word}{}", binary.op.symbol(), binary.matching)
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let lhs = self.lhs.to_string();
        // A power binds stronger than a sign, which `+Inf` would have.
        let lhs = match (self.op, &self.lhs.kind) {
            (BinaryOp::Pow, Kind::Number(_)) => lhs.trim_start_matches('+'),
            _ => &lhs,
        };
        write!(f, "{lhs} {} {}", sign(self), self.rhs)
    }
}

impl Display for Matching {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let grouped = matches!(
            self.cardinality,
            Cardinality::ManyToOne | Cardinality::OneToMany
        );
        if self.on || grouped || !self.labels.is_empty() {
            let word = if self.on { "on" } else { "ignoring" };
            write!(f, " {word} ({})", labels(&self.labels))?;
        }
        match self.cardinality {
            Cardinality::ManyToOne => write!(f, " group_left ({})", labels(&self.include))?,
            Cardinality::OneToMany => write!(f, " group_right ({})", labels(&self.include))?,
            Cardinality::OneToOne | Cardinality::ManyToMany => {}
        }
        match (&self.fill_left, &self.fill_right) {
            (Some(left), Some(right)) if left == right => write!(f, " fill ({left})"),
            (left, right) => {
                if let Some(value) = left {
                    write!(f, " fill_left ({value})")?;
                }
                if let Some(value) = right {
                    write!(f, " fill_right ({value})")?;
                }
                Ok(())
            }
        }
    }
}

/// An expression over several lines where it is longer than one, as Prometheus' `format_query` prints it.
pub fn pretty(expr: &Expr) -> String {
    indented(expr, 0)
}

/// Bytes of a line that nothing is broken within.
const LINE_BYTES: usize = 100;

const INDENT: &str = "  ";

fn indented(expr: &Expr, level: usize) -> String {
    let indent = INDENT.repeat(level);
    let whole = expr.to_string();
    let is_long = whole.len() > LINE_BYTES;
    let deeper = |expr: &Expr| indented(expr, level + 1);
    match &expr.kind {
        // The operand decides whether there are lines; it stands behind its sign.
        Kind::Unary { negative, operand } => {
            let sign = if *negative { '-' } else { '+' };
            format!("{indent}{sign}{}", indented(operand, level).trim())
        }
        // A short one is not indented, in Prometheus either.
        Kind::Subquery(_) if !is_long => whole,
        Kind::Subquery(subquery) => {
            format!("{}{}", indented(&subquery.expr, level), window(subquery))
        }
        Kind::Call(call) if is_long && !call.args.is_empty() => {
            let args: Vec<String> = call.args.iter().map(deeper).collect();
            let (name, args) = (call.function.name, args.join(",\n"));
            format!("{indent}{name}(\n{args}\n{indent})")
        }
        Kind::Aggregate(aggregate) if is_long => {
            let parts = aggregate.param.iter().chain([&aggregate.expr]);
            let parts: Vec<String> = parts.map(deeper).collect();
            let (head, parts) = (head(aggregate), parts.join(",\n"));
            format!("{indent}{head}(\n{parts}\n{indent})")
        }
        Kind::Binary(binary) if is_long => {
            let (lhs, rhs) = (deeper(&binary.lhs), deeper(&binary.rhs));
            format!("{lhs}\n{indent}{}\n{rhs}", sign(binary))
        }
        Kind::Paren(inner) if is_long => format!("{indent}(\n{}\n{indent})", deeper(inner)),
        _ => format!("{indent}{whole}"),
    }
}

#[cfg(test)]
mod tests;
