//! An instant out of the two columns that it lies in where rows are points of series.

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, TimestampNanosecondArray},
    datatypes::{DataType, Int32Type, Int64Type},
};
use cairn_storage::schema::timestamp_type;
use datafusion::{
    error::Result,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeParts {
    signature: Signature,
}

/// The function of milliseconds and the nanoseconds beyond them; never reached from a statement.
pub(super) fn udf() -> Arc<ScalarUDF> {
    let types = vec![DataType::Int64, DataType::Int32];
    let signature = Signature::exact(types, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(TimeParts { signature }))
}

impl ScalarUDFImpl for TimeParts {
    fn name(&self) -> &str {
        "time_of_parts"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(timestamp_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let parts = ColumnarValue::values_to_arrays(&args.args)?;
        let millis = parts[0].as_primitive::<Int64Type>();
        let rest = parts[1].as_primitive::<Int32Type>();
        // The sum was an instant in 64 bits before it was split, but the product alone may lie below them.
        let instant =
            |millis: i64, rest: i32| millis.wrapping_mul(1_000_000).wrapping_add(i64::from(rest));
        let nanos: Int64Array = arrow::compute::binary(millis, rest, instant)?;
        let nanos: TimestampNanosecondArray = nanos.reinterpret_cast();
        let nanos: ArrayRef = Arc::new(nanos.with_timezone("UTC"));
        Ok(ColumnarValue::Array(nanos))
    }
}
