//! `severity(number)`: the short name of the range that an OpenTelemetry severity number lies in.

use arrow::{
    array::{ArrayRef, AsArray, StringViewBuilder},
    datatypes::{DataType, Int32Type},
};
use datafusion::{
    error::Result,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};
use std::sync::Arc;

/// OpenTelemetry logs data model, "Field: SeverityNumber"; `None` for 0 (unspecified) and unknown numbers.
fn name(number: i32) -> Option<&'static str> {
    Some(match number {
        1..=4 => "TRACE",
        5..=8 => "DEBUG",
        9..=12 => "INFO",
        13..=16 => "WARN",
        17..=20 => "ERROR",
        21..=24 => "FATAL",
        _ => return None,
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Severity {
    signature: Signature,
}

/// The function.
pub(super) fn udf() -> Arc<ScalarUDF> {
    let signature = Signature::exact(vec![DataType::Int32], Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Severity { signature }))
}

impl ScalarUDFImpl for Severity {
    fn name(&self) -> &str {
        "severity"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let numbers = args.args[0].to_array(args.number_rows)?;
        let mut names = StringViewBuilder::with_capacity(numbers.len());
        for number in numbers.as_primitive::<Int32Type>() {
            names.append_option(number.and_then(name));
        }
        let names: ArrayRef = Arc::new(names.finish());
        Ok(ColumnarValue::Array(names))
    }
}
