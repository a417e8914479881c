//! The tree of an expression as JSON, as `/api/v1/parse_query` of Prometheus has it.

use crate::{
    expr::{At, Cardinality, Expr, Kind, Length, Matching, Selector, Shift},
    format::format_float,
    lex::quoted::stray_byte,
    signature::More,
};
use serde_json::{Value, json};

/// The tree, each node an object with its `type`.
pub fn ast_json(expr: &Expr) -> Value {
    match &expr.kind {
        Kind::Number(number) => json!({"type": "numberLiteral", "val": format_float(number.value)}),
        Kind::String(text) => json!({"type": "stringLiteral", "val": readable(text)}),
        Kind::Paren(inner) => json!({"type": "parenExpr", "expr": ast_json(inner)}),
        Kind::Unary { negative, operand } => json!({
            "type": "unaryExpr",
            "op": if *negative { "-" } else { "+" },
            "expr": ast_json(operand),
        }),
        Kind::Selector(selector) => selector_json("vectorSelector", selector),
        Kind::Range(range) => {
            let mut node = selector_json("matrixSelector", &range.selector);
            put(&mut node, "range", length_json(&range.range));
            node
        }
        Kind::Subquery(subquery) => {
            let mut node = json!({
                "type": "subquery",
                "expr": ast_json(&subquery.expr),
                "range": length_json(&subquery.range),
                "step": subquery.step.as_ref().map_or(json!(0), length_json),
            });
            shift_json(&mut node, &subquery.shift);
            node
        }
        Kind::Aggregate(aggregate) => json!({
            "type": "aggregation",
            "op": aggregate.op.name(),
            "expr": ast_json(&aggregate.expr),
            "param": aggregate.param.as_ref().map(ast_json),
            "grouping": aggregate.grouping,
            "without": aggregate.without,
        }),
        Kind::Binary(binary) => json!({
            "type": "binaryExpr",
            "op": binary.op.symbol(),
            "lhs": ast_json(&binary.lhs),
            "rhs": ast_json(&binary.rhs),
            "matching": matching_json(expr, &binary.matching),
            "bool": binary.bool_modifier,
        }),
        Kind::Call(call) => json!({
            "type": "call",
            "func": {
                "name": call.function.name,
                "argTypes": call.function.args.iter().map(|arg| arg.name()).collect::<Vec<_>>(),
                "variadic": match call.function.more {
                    More::Fixed => 0,
                    More::UpTo(count) => count as i64,
                    More::Any => -1,
                },
                "returnType": call.function.returns.name(),
            },
            "args": call.args.iter().map(ast_json).collect::<Vec<_>>(),
        }),
    }
}

/// A text whose stray bytes are replaced.
fn readable(text: &str) -> String {
    let readable = |c: char| match stray_byte(c) {
        Some(_) => char::REPLACEMENT_CHARACTER,
        None => c,
    };
    text.chars().map(readable).collect()
}

fn put(node: &mut Value, name: &str, value: Value) {
    if let Some(node) = node.as_object_mut() {
        node.insert(name.to_owned(), value);
    }
}

/// A literal in milliseconds, anything else as text.
fn length_json(length: &Length) -> Value {
    match length {
        Length::Literal(number) => json!((number.value * 1000.0).round() as i64),
        other => json!(other.to_string()),
    }
}

fn shift_json(node: &mut Value, shift: &Shift) {
    put(
        node,
        "offset",
        shift.offset.as_ref().map_or(json!(0), length_json),
    );
    let (time, word) = match shift.at {
        Some(At::Time(millis)) => (json!(millis), Value::Null),
        Some(At::Start) => (Value::Null, json!("start")),
        Some(At::End) => (Value::Null, json!("end")),
        None => (Value::Null, Value::Null),
    };
    put(node, "timestamp", time);
    put(node, "startOrEnd", word);
}

fn selector_json(kind: &str, selector: &Selector) -> Value {
    let matchers: Vec<Value> = selector
        .matchers
        .iter()
        .map(|matcher| json!({"name": matcher.name, "type": matcher.op.symbol(), "value": matcher.value}))
        .collect();
    let mut node = json!({
        "type": kind,
        "name": selector.name.as_deref().unwrap_or(""),
        "matchers": matchers,
        "anchored": selector.extension == Some(crate::expr::Extension::Anchored),
        "smoothed": selector.extension == Some(crate::expr::Extension::Smoothed),
    });
    shift_json(&mut node, &selector.shift);
    node
}

/// Null between scalars and vectors, where nothing has to match.
fn matching_json(expr: &Expr, matching: &Matching) -> Value {
    let vectors = expr
        .children()
        .iter()
        .all(|side| side.value_type() == crate::expr::Type::Vector);
    if !vectors {
        return Value::Null;
    }
    json!({
        "card": match matching.cardinality {
            Cardinality::OneToOne => "one-to-one",
            Cardinality::ManyToOne => "many-to-one",
            Cardinality::OneToMany => "one-to-many",
            Cardinality::ManyToMany => "many-to-many",
        },
        "labels": matching.labels,
        "on": matching.on,
        "include": matching.include,
        "fillValues": {
            "lhs": matching.fill_left.map(|number| number.value),
            "rhs": matching.fill_right.map(|number| number.value),
        },
    })
}
