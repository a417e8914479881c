//! Where an attribute is wanted as a number: comparisons, ranges, lists, arithmetic and casts.
//!
//! Called while a statement is planned (types are checked there) and again before types are coerced, because
//! parameters, `BETWEEN` and `IN` come to light only then.

use super::{
    evaluate::Wanted,
    function::{attribute, parts},
};
use crate::operators;
use arrow::datatypes::DataType;
use datafusion::{
    common::{DFSchema, ScalarValue, tree_node::Transformed},
    error::Result,
    functions::core::expr_fn::coalesce,
    logical_expr::{
        Between, BinaryExpr, Cast, Expr, ExprSchemable, Operator, TryCast, binary_expr, cast,
        expr::InList, lit, or, try_cast,
    },
};

/// Doubles count exactly up to here: 2^53.
const EXACT_DOUBLE: u64 = 1 << 53;

/// Rewrites `expr` (this node only) where it wants an attribute as a number or a boolean.
pub fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            match binary(&left, op, &right, schema)? {
                Some(rewritten) => Transformed::yes(rewritten),
                None => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
            }
        }
        Expr::Between(range) => match between(&range, schema)? {
            Some(rewritten) => Transformed::yes(rewritten),
            None => Transformed::no(Expr::Between(range)),
        },
        Expr::InList(list) => match in_list(&list, schema)? {
            Some(rewritten) => Transformed::yes(rewritten),
            None => Transformed::no(Expr::InList(list)),
        },
        Expr::Negative(inner) => match as_double(&inner) {
            Some(number) => Transformed::yes(Expr::Negative(Box::new(number))),
            None => Transformed::no(Expr::Negative(inner)),
        },
        Expr::Cast(Cast { expr: inner, field }) => match number_cast(&inner, field.data_type()) {
            Some(rewritten) => Transformed::yes(rewritten),
            None => Transformed::no(Expr::Cast(Cast { expr: inner, field })),
        },
        Expr::TryCast(TryCast { expr: inner, field }) => {
            match number_cast(&inner, field.data_type()) {
                Some(rewritten) => Transformed::yes(rewritten),
                None => Transformed::no(Expr::TryCast(TryCast { expr: inner, field })),
            }
        }
        other => Transformed::no(other),
    })
}

/// The attribute as a double, if `expr` is an attribute as text.
pub fn as_double(expr: &Expr) -> Option<Expr> {
    as_wanted(expr, Wanted::Double)
}

fn as_wanted(expr: &Expr, wanted: Wanted) -> Option<Expr> {
    match parts(expr)? {
        (map, key, Wanted::Text) => Some(attribute(map.clone(), key, wanted)),
        _ => None,
    }
}

/// `left op right` with attributes as numbers; `None` where it stays as it is.
pub fn binary(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    if operators::calculates(op) {
        let (number_left, number_right) = (as_double(left), as_double(right));
        if number_left.is_none() && number_right.is_none() {
            return Ok(None);
        }
        let left = number_left.unwrap_or_else(|| left.clone());
        let right = number_right.unwrap_or_else(|| right.clone());
        return Ok(Some(binary_expr(left, op, right)));
    }
    if !operators::compares(op) {
        return Ok(None);
    }
    match (as_double(left), as_double(right)) {
        (Some(_), None) => comparison(left, op, right, schema),
        (None, Some(_)) => match op.swap() {
            Some(swapped) => comparison(right, swapped, left, schema),
            // Both forms of DISTINCT are symmetric.
            None => comparison(right, op, left, schema),
        },
        // Two attributes are compared as text, as any two texts are.
        _ => Ok(None),
    }
}

fn is_distinct(op: Operator) -> bool {
    matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom)
}

/// `attribute op other`, where `attribute` is an attribute as text.
fn comparison(
    attribute: &Expr,
    op: Operator,
    other: &Expr,
    schema: &DFSchema,
) -> Result<Option<Expr>> {
    if let Expr::Literal(ScalarValue::Boolean(Some(value)), _) = other {
        let text = lit(if *value { "true" } else { "false" });
        return Ok(Some(binary_expr(attribute.clone(), op, text)));
    }
    let Ok(other_type) = other.get_type(schema) else {
        // It names what does not exist: DataFusion's own error about that knows its place.
        return Ok(None);
    };
    if other_type == DataType::Boolean {
        let text = cast(other.clone(), DataType::Utf8View);
        return Ok(Some(binary_expr(attribute.clone(), op, text)));
    }
    if !other_type.is_numeric() {
        return Ok(None);
    }
    let double = as_wanted(attribute, Wanted::Double).expect("the caller saw an attribute");
    if fits_double(other, &other_type) {
        return Ok(Some(binary_expr(double, op, other.clone())));
    }
    let int = as_wanted(attribute, Wanted::Int).expect("the caller saw an attribute");
    let exact = binary_expr(int.clone(), op, other.clone());
    let nearest = binary_expr(double, op, other.clone());
    if is_distinct(op) {
        // DISTINCT never gives NULL, so `coalesce` would always take its first branch.
        let branches = datafusion::logical_expr::when(int.is_not_null(), exact);
        return Ok(Some({ branches }.otherwise(nearest)?));
    }
    Ok(Some(coalesce(vec![exact, nearest])))
}

/// Whether comparing doubles gives the same as comparing exactly.
fn fits_double(other: &Expr, other_type: &DataType) -> bool {
    let Expr::Literal(value, _) = other else {
        return !matches!(other_type, DataType::Int64 | DataType::UInt64);
    };
    match value {
        ScalarValue::Int64(Some(value)) => value.unsigned_abs() < EXACT_DOUBLE,
        ScalarValue::UInt64(Some(value)) => *value < EXACT_DOUBLE,
        _ => true,
    }
}

fn between(range: &Between, schema: &DFSchema) -> Result<Option<Expr>> {
    let is_attribute = as_double(&range.expr).is_some();
    let ends_are = as_double(&range.low).is_some() || as_double(&range.high).is_some();
    if !is_attribute && !ends_are {
        return Ok(None);
    }
    let (from, to, join): (_, _, fn(Expr, Expr) -> Expr) = match range.negated {
        false => (
            Operator::GtEq,
            Operator::LtEq,
            datafusion::logical_expr::and,
        ),
        true => (Operator::Lt, Operator::Gt, or),
    };
    let low = binary(&range.expr, from, &range.low, schema)?;
    let high = binary(&range.expr, to, &range.high, schema)?;
    if low.is_none() && high.is_none() {
        return Ok(None);
    }
    let low = low.unwrap_or_else(|| binary_expr((*range.expr).clone(), from, (*range.low).clone()));
    let high =
        high.unwrap_or_else(|| binary_expr((*range.expr).clone(), to, (*range.high).clone()));
    Ok(Some(join(low, high)))
}

fn in_list(list: &InList, schema: &DFSchema) -> Result<Option<Expr>> {
    let Some(double) = as_double(&list.expr) else {
        return Ok(None);
    };
    let mut numbers = 0;
    let mut inexact = 0;
    let mut booleans = 0;
    for item in &list.list {
        let Ok(item_type) = item.get_type(schema) else {
            return Ok(None);
        };
        numbers += usize::from(item_type.is_numeric());
        inexact += usize::from(item_type.is_numeric() && !fits_double(item, &item_type));
        booleans += usize::from(item_type == DataType::Boolean);
    }
    if numbers + booleans == 0 {
        return Ok(None);
    }
    if numbers == list.list.len() && inexact == 0 {
        let rewritten = InList {
            expr: Box::new(double),
            ..list.clone()
        };
        return Ok(Some(Expr::InList(rewritten)));
    }
    let mut any: Option<Expr> = None;
    for item in &list.list {
        let equal = binary(&list.expr, Operator::Eq, item, schema)?
            .unwrap_or_else(|| binary_expr((*list.expr).clone(), Operator::Eq, item.clone()));
        any = Some(match any {
            Some(others) => or(others, equal),
            None => equal,
        });
    }
    let any = any.expect("the list holds numbers or booleans");
    Ok(Some(if list.negated {
        Expr::Not(Box::new(any))
    } else {
        any
    }))
}

/// A cast of an attribute to a number: NULL where the text is none, never an error.
fn number_cast(inner: &Expr, to: &DataType) -> Option<Expr> {
    let double = as_double(inner)?;
    match to {
        DataType::Float64 => Some(double),
        DataType::Float16 | DataType::Float32 => Some(cast(double, to.clone())),
        _ if to.is_integer() => {
            let int = as_wanted(inner, Wanted::Int).expect("it is an attribute");
            let whole = coalesce(vec![int, try_cast(double, DataType::Int64)]);
            Some(if *to == DataType::Int64 {
                whole
            } else {
                cast(whole, to.clone())
            })
        }
        _ => None,
    }
}
