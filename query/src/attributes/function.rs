//! `attr`, `attr_double` and `attr_int`: an attribute out of a map column.

use super::evaluate::{Wanted, evaluate};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::{
    common::ScalarValue,
    error::{DataFusionError, Result},
    logical_expr::{
        ColumnarValue, Expr, ExpressionPlacement, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
        ScalarUDFImpl, Signature, Volatility, expr::ScalarFunction,
    },
};
use std::sync::Arc;

/// `attr(map, 'key')` and its siblings.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Attribute {
    wanted: Wanted,
    signature: Signature,
}

/// The map columns of our tables.
pub const MAP_COLUMNS: [&str; 4] = [
    "attributes",
    "resource_attributes",
    "scope_attributes",
    "metadata",
];

impl Attribute {
    /// The function that gives an attribute as `wanted`.
    pub fn udf(wanted: Wanted) -> Arc<ScalarUDF> {
        let signature = Signature::any(2, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Attribute { wanted, signature }))
    }

    /// What this function gives.
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }
}

/// `map['key']` as `wanted`.
pub fn attribute(map: Expr, key: &str, wanted: Wanted) -> Expr {
    let key = Expr::Literal(ScalarValue::Utf8(Some(key.to_string())), None);
    Expr::ScalarFunction(ScalarFunction::new_udf(
        Attribute::udf(wanted),
        vec![map, key],
    ))
}

/// Takes `attr(map, 'key')` apart; `None` if `expr` is something else.
pub fn parts(expr: &Expr) -> Option<(&Expr, &str, Wanted)> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    let function = call.func.inner().downcast_ref::<Attribute>()?;
    let [map, Expr::Literal(key, _)] = call.args.as_slice() else {
        return None;
    };
    Some((map, key.try_as_str().flatten()?, function.wanted))
}

fn literal_key(key: Option<&ScalarValue>) -> Result<&str> {
    key.and_then(|key| key.try_as_str().flatten())
        .ok_or_else(|| {
            DataFusionError::Plan("the key of an attribute must be a text literal".to_string())
        })
}

fn is_map_type(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::Utf8 | DataType::Null => true,
        DataType::Dictionary(index, value) => {
            **index == DataType::Int32 && matches!(**value, DataType::Utf8 | DataType::Utf8View)
        }
        _ => false,
    }
}

impl ScalarUDFImpl for Attribute {
    fn name(&self) -> &str {
        match self.wanted {
            Wanted::Text => "attr",
            Wanted::Double => "attr_double",
            Wanted::Int => "attr_int",
        }
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let [map, Expr::Literal(key, _)] = args else {
            let args: Vec<_> = args.iter().map(|a| a.schema_name().to_string()).collect();
            return Ok(format!("{}({})", self.name(), args.join(",")));
        };
        let of_type = match self.wanted {
            Wanted::Text => "",
            Wanted::Double => "::double",
            Wanted::Int => "::bigint",
        };
        Ok(format!("{}['{key}']{of_type}", map.schema_name()))
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        self.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.wanted.data_type())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        literal_key(args.scalar_arguments.get(1).copied().flatten())?;
        let map = args.arg_fields[0].data_type();
        if !is_map_type(map) {
            return Err(DataFusionError::Plan(format!(
                "{}() takes a map column such as attributes, not {map}",
                self.name()
            )));
        }
        Ok(Arc::new(Field::new(
            self.name(),
            self.wanted.data_type(),
            true,
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let key = match &args.args[1] {
            ColumnarValue::Scalar(key) => literal_key(Some(key))?,
            ColumnarValue::Array(_) => literal_key(None)?,
        };
        match &args.args[0] {
            ColumnarValue::Array(maps) => {
                Ok(ColumnarValue::Array(evaluate(maps, key, self.wanted)?))
            }
            ColumnarValue::Scalar(map) => {
                let one = evaluate(&map.to_array()?, key, self.wanted)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?))
            }
        }
    }

    /// Towards the scan, where a promoted column may stand for it and the map need not be read.
    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        match args {
            [map, ExpressionPlacement::Literal] if map.should_push_to_leaves() => {
                ExpressionPlacement::MoveTowardsLeafNodes
            }
            _ => ExpressionPlacement::KeepInPlace,
        }
    }
}
