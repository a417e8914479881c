//! Whether the types of an expression fit, in the words of Prometheus.

use crate::{
    expr::{
        Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, Kind, Length, Matching, Selector,
        Shift, Span, Type,
    },
    lex::quoted,
};

/// Why an expression cannot be, and where.
type Refusal = (Span, String);

/// Refuses what has no meaning, and experiments unless they are asked for.
pub(crate) fn check(expr: &Expr, experimental: bool) -> Result<(), Refusal> {
    let mut children = expr.children();
    if matches!(&expr.kind, Kind::Call(call) if call.function.name == "info") {
        // The second argument only looks like a selector; `check_info` has its own rules for it.
        children.truncate(1);
    }
    for child in children {
        check(child, experimental)?;
    }
    let here = |message: Result<(), String>| message.map_err(|message| (expr.span, message));
    match &expr.kind {
        Kind::Number(_) | Kind::String(_) | Kind::Paren(_) => Ok(()),
        Kind::Selector(selector) => here(check_selector(selector, experimental)),
        Kind::Range(range) => here(
            check_selector(&range.selector, experimental)
                .and_then(|()| check_length(&range.range, experimental, true)),
        ),
        Kind::Subquery(subquery) => {
            here(check_length(&subquery.range, experimental, true))?;
            if let Some(step) = &subquery.step {
                here(check_length(step, experimental, true))?;
            }
            here(check_shift(&subquery.shift, experimental))?;
            match subquery.expr.value_type() {
                Type::Vector => Ok(()),
                other => here(Err(format!(
                    "subquery is only allowed on instant vector, got {} instead",
                    other.name()
                ))),
            }
        }
        Kind::Call(call) => check_call(call, expr.span, experimental),
        Kind::Aggregate(aggregate) => check_aggregate(aggregate, expr.span, experimental),
        Kind::Binary(binary) => here(check_binary(binary, experimental)),
        Kind::Unary { operand, .. } => match operand.value_type() {
            Type::Scalar | Type::Vector => Ok(()),
            other => here(Err(format!(
                "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
                other.describe()
            ))),
        },
    }
}

fn check_selector(selector: &Selector, experimental: bool) -> Result<(), String> {
    check_shift(&selector.shift, experimental)?;
    if selector.extension.is_some() && !experimental {
        return Err("anchored and smoothed modifiers are experimental and not enabled".to_owned());
    }
    // Otherwise all series would be read.
    if selector.matchers.iter().all(|matcher| matcher.accepts("")) {
        return Err("vector selector must contain at least one non-empty matcher".to_owned());
    }
    Ok(())
}

fn check_shift(shift: &Shift, experimental: bool) -> Result<(), String> {
    match &shift.offset {
        Some(length) => check_length(length, experimental, false),
        None => Ok(()),
    }
}

fn check_length(length: &Length, experimental: bool, positive: bool) -> Result<(), String> {
    let Length::Literal(number) = length else {
        return match experimental {
            true => Ok(()),
            false => Err("experimental duration expression is not enabled".to_owned()),
        };
    };
    if positive && (number.value.is_nan() || number.value * 1000.0 < 1.0) {
        return Err("duration must be greater than 0".to_owned());
    }
    match number.value.abs() < 9.2e15 / 1000.0 {
        true => Ok(()),
        false => Err("duration out of range".to_owned()),
    }
}

fn expect(expr: &Expr, wanted: Type, context: &str) -> Result<(), Refusal> {
    let found = expr.value_type();
    if found == wanted {
        return Ok(());
    }
    let message = format!(
        "expected type {} in {context}, got {}",
        wanted.describe(),
        found.describe()
    );
    Err((expr.span, message))
}

fn check_call(call: &Call, span: Span, experimental: bool) -> Result<(), Refusal> {
    let function = call.function;
    if function.experimental && !experimental {
        let message = format!("function {:?} is not enabled", function.name);
        return Err((span, message));
    }
    function
        .check_count(call.args.len())
        .map_err(|message| (span, message))?;
    if function.name == "info" && call.args.len() > 1 {
        return check_info(&call.args[0], &call.args[1]);
    }
    for (at, arg) in call.args.iter().enumerate() {
        expect(
            arg,
            function.arg(at),
            &format!("call to function {:?}", function.name),
        )?;
    }
    Ok(())
}

/// The second argument of `info` is a selector that names labels, not series.
fn check_info(vector: &Expr, labels: &Expr) -> Result<(), Refusal> {
    expect(vector, Type::Vector, "call to function \"info\"")?;
    match &labels.kind {
        Kind::Selector(selector) if selector.name.is_none() => Ok(()),
        Kind::Selector(_) => {
            let message = "expected label selectors only, got vector selector instead";
            Err((labels.span, message.to_owned()))
        }
        _ => Err((labels.span, "expected label selectors only".to_owned())),
    }
}

fn check_aggregate(aggregate: &Aggregate, span: Span, experimental: bool) -> Result<(), Refusal> {
    let op = aggregate.op;
    if op.experimental() && !experimental {
        return Err((
            span,
            format!("{}() is experimental and not enabled", op.name()),
        ));
    }
    expect(&aggregate.expr, Type::Vector, "aggregation expression")?;
    if let Some(param) = &aggregate.param {
        let wanted = match op {
            AggregateOp::CountValues => Type::String,
            _ => Type::Scalar,
        };
        expect(param, wanted, "aggregation parameter")?;
    }
    Ok(())
}

fn check_binary(binary: &Binary, experimental: bool) -> Result<(), String> {
    let (lhs, rhs) = (binary.lhs.value_type(), binary.rhs.value_type());
    let operand = |kind: Type| matches!(kind, Type::Scalar | Type::Vector);
    if !operand(lhs) || !operand(rhs) {
        return Err(
            "binary expression must contain only scalar and instant vector types".to_owned(),
        );
    }
    let op = binary.op;
    if binary.bool_modifier && !op.compares() {
        return Err("bool modifier can only be used on comparison operators".to_owned());
    }
    if op.compares() && !binary.bool_modifier && (lhs, rhs) == (Type::Scalar, Type::Scalar) {
        return Err("comparisons between scalars must use BOOL modifier".to_owned());
    }
    let matching = &binary.matching;
    let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
    if fills && !experimental {
        return Err("fill modifiers are experimental and not enabled".to_owned());
    }
    if (lhs, rhs) != (Type::Vector, Type::Vector) {
        return check_scalar_side(binary, fills);
    }
    if op.joins_sets() {
        check_sets(binary, fills)?;
    }
    check_labels(matching)
}

fn check_scalar_side(binary: &Binary, fills: bool) -> Result<(), String> {
    if binary.op.joins_sets() {
        return Err(format!(
            "set operator {:?} not allowed in binary scalar expression",
            binary.op.symbol()
        ));
    }
    if binary.matching.explicit {
        return Err("vector matching only allowed between instant vectors".to_owned());
    }
    match fills {
        true => Err("filling in missing series only allowed between instant vectors".to_owned()),
        false => Ok(()),
    }
}

fn check_sets(binary: &Binary, fills: bool) -> Result<(), String> {
    let symbol = binary.op.symbol();
    if binary.matching.cardinality != Cardinality::ManyToMany {
        return Err(format!("no grouping allowed for {symbol:?} operation"));
    }
    match fills {
        true => Err(format!(
            "filling in missing series not allowed for {symbol:?} operation"
        )),
        false => Ok(()),
    }
}

fn check_labels(matching: &Matching) -> Result<(), String> {
    let twice = matching
        .labels
        .iter()
        .find(|label| matching.include.contains(label));
    match twice {
        Some(label) if matching.on => Err(format!(
            "label {} must not occur in ON and GROUP clause at once",
            quoted::quote(label)
        )),
        _ => Ok(()),
    }
}
