//! Trace and span ids: 16 and 8 bytes in tables, lower-case hexadecimal in statements and answers.
//!
//! A comparison with a text literal of any case becomes a comparison of bytes, so that statistics and indexes
//! can rule segments out. A literal that is no id of that length is an error: a typing error should not look
//! like an empty answer. Where an id is wanted as text (`CAST`, `LIKE`, `||`, functions of text) it is its hexadecimal form.

use crate::operators;
use arrow::{
    array::{Array, ArrayRef, AsArray, StringViewBuilder},
    datatypes::{DataType, Field, FieldRef},
};
use datafusion::{
    common::{DFSchema, ScalarValue, tree_node::Transformed},
    error::{DataFusionError, Result},
    functions::string::expr_fn::lower,
    logical_expr::{
        Between, BinaryExpr, Cast, ColumnarValue, Expr, ExprSchemable, Like, Operator,
        ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        binary_expr, cast,
        expr::{InList, ScalarFunction},
    },
};
use std::sync::Arc;

/// Lengths of ids in bytes: span, trace.
const LENGTHS: [i32; 2] = [8, 16];

/// `hex(bytes)`: lower-case hexadecimal text of ids and any other bytes.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Hex {
    signature: Signature,
}

impl Hex {
    /// The function.
    pub fn udf() -> Arc<ScalarUDF> {
        let signature = Signature::any(1, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Hex { signature }))
    }
}

/// The bytes of a column as lower-case hexadecimal text; `None` if it holds no bytes.
///
/// Answer formats that are text print ids with it.
pub fn hex_column(column: &ArrayRef) -> Option<ArrayRef> {
    let mut builder = StringViewBuilder::with_capacity(column.len());
    let mut append = |bytes: Option<&[u8]>| builder.append_option(bytes.map(hex::encode));
    match column.data_type() {
        DataType::FixedSizeBinary(_) => {
            column.as_fixed_size_binary().iter().for_each(&mut append);
        }
        DataType::Binary => column.as_binary::<i32>().iter().for_each(&mut append),
        DataType::LargeBinary => column.as_binary::<i64>().iter().for_each(&mut append),
        DataType::BinaryView => column.as_binary_view().iter().for_each(&mut append),
        _ => return None,
    }
    Some(Arc::new(builder.finish()))
}

impl ScalarUDFImpl for Hex {
    fn name(&self) -> &str {
        "hex"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let bytes = args.arg_fields[0].data_type();
        if !bytes.is_binary() && !bytes.is_null() {
            return Err(DataFusionError::Plan(format!(
                "hex() takes bytes, not {bytes}"
            )));
        }
        Ok(Arc::new(Field::new(
            "hex",
            DataType::Utf8View,
            args.arg_fields[0].is_nullable(),
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let wrong = || DataFusionError::Internal("hex() got something other than bytes".into());
        match &args.args[0] {
            ColumnarValue::Array(column) => {
                Ok(ColumnarValue::Array(hex_column(column).ok_or_else(wrong)?))
            }
            ColumnarValue::Scalar(ScalarValue::Null) => {
                Ok(ColumnarValue::Scalar(ScalarValue::Utf8View(None)))
            }
            ColumnarValue::Scalar(value) => {
                let one = hex_column(&value.to_array()?).ok_or_else(wrong)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?))
            }
        }
    }
}

/// `expr` as lower-case hexadecimal text.
pub fn hex_of(expr: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Hex::udf(), vec![expr]))
}

/// The length in bytes of the ids that `expr` gives; `None` if it gives something else, or names what does not
/// exist: DataFusion's own error about that knows its place.
fn id_length(expr: &Expr, schema: &DFSchema) -> Option<i32> {
    if matches!(expr, Expr::Literal(..) | Expr::Placeholder(_)) {
        return None;
    }
    match expr.get_type(schema) {
        Ok(DataType::FixedSizeBinary(length)) if LENGTHS.contains(&length) => Some(length),
        _ => None,
    }
}

/// The text of a text literal.
fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

fn literal_id(text: &str, length: i32) -> Result<Expr> {
    let bytes = hex::decode(text)
        .ok()
        .filter(|bytes| bytes.len() == length as usize);
    let Some(bytes) = bytes else {
        let what = if length == 16 {
            "a trace id"
        } else {
            "a span id"
        };
        return Err(DataFusionError::Plan(format!(
            "'{text}' is not {what}: {} hexadecimal digits are needed",
            length * 2
        )));
    };
    Ok(Expr::Literal(
        ScalarValue::FixedSizeBinary(length, Some(bytes)),
        None,
    ))
}

/// `left op right` where one side is an id and the other a text; `None` where it stays as it is.
pub fn binary(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    let (left_id, right_id) = (id_length(left, schema), id_length(right, schema));
    if op == Operator::StringConcat && (left_id.is_some() || right_id.is_some()) {
        let text = |expr: &Expr, id: Option<i32>| match id {
            Some(_) => hex_of(expr.clone()),
            None => expr.clone(),
        };
        return Ok(Some(binary_expr(
            text(left, left_id),
            op,
            text(right, right_id),
        )));
    }
    if !operators::compares(op) {
        return Ok(None);
    }
    Ok(match (left_id, right_id) {
        (Some(length), None) => {
            let other = other_side(right, length, schema)?;
            other.map(|(other, text)| binary_expr(id_side(left, text), op, other))
        }
        (None, Some(length)) => {
            let other = other_side(left, length, schema)?;
            other.map(|(other, text)| binary_expr(other, op, id_side(right, text)))
        }
        _ => None,
    })
}

/// What an id is compared with, and whether that is text: a literal becomes bytes, any other text lower case.
fn other_side(other: &Expr, length: i32, schema: &DFSchema) -> Result<Option<(Expr, bool)>> {
    if let Some(text) = literal_text(other) {
        return Ok(Some((literal_id(text, length)?, false)));
    }
    if matches!(other, Expr::Literal(..) | Expr::Placeholder(_)) {
        return Ok(None);
    }
    let is_text = other.get_type(schema).is_ok_and(|other| other.is_string());
    Ok(is_text.then(|| (lower(other.clone()), true)))
}

fn id_side(id: &Expr, as_text: bool) -> Expr {
    if as_text {
        hex_of(id.clone())
    } else {
        id.clone()
    }
}

/// Rewrites `expr` (this node only) where it takes an id for text.
pub fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            Ok(match binary(&left, op, &right, schema)? {
                Some(rewritten) => Transformed::yes(rewritten),
                None => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
            })
        }
        Expr::InList(list) => in_list(list, schema),
        Expr::Between(range) => between(range, schema),
        Expr::Like(like) if id_length(&like.expr, schema).is_some() => {
            Ok(Transformed::yes(Expr::Like(hex_like(like))))
        }
        Expr::SimilarTo(like) if id_length(&like.expr, schema).is_some() => {
            Ok(Transformed::yes(Expr::SimilarTo(hex_like(like))))
        }
        Expr::Cast(Cast { expr: id, field }) => {
            let to = field.data_type().clone();
            if !to.is_string() || id_length(&id, schema).is_none() {
                return Ok(Transformed::no(Expr::Cast(Cast { expr: id, field })));
            }
            let text = hex_of(*id);
            Ok(Transformed::yes(match to {
                DataType::Utf8View => text,
                to => cast(text, to),
            }))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn hex_like(like: Like) -> Like {
    Like {
        expr: Box::new(hex_of(*like.expr)),
        ..like
    }
}

fn in_list(list: InList, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let length = match id_length(&list.expr, schema) {
        Some(length) if list.list.iter().all(|item| literal_text(item).is_some()) => length,
        _ => return Ok(Transformed::no(Expr::InList(list))),
    };
    let ids = list
        .list
        .iter()
        .filter_map(literal_text)
        .map(|text| literal_id(text, length));
    let ids = ids.collect::<Result<Vec<_>>>()?;
    Ok(Transformed::yes(Expr::InList(InList { list: ids, ..list })))
}

fn between(range: Between, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let ends = (literal_text(&range.low), literal_text(&range.high));
    match (id_length(&range.expr, schema), ends) {
        (Some(length), (Some(low), Some(high))) => {
            let low = Box::new(literal_id(low, length)?);
            let high = Box::new(literal_id(high, length)?);
            Ok(Transformed::yes(Expr::Between(Between {
                low,
                high,
                ..range
            })))
        }
        _ => Ok(Transformed::no(Expr::Between(range))),
    }
}
