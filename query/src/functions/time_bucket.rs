//! `time_bucket(width, instant)`: the start of the bucket an instant lies in, buckets counted from the Unix epoch.
//!
//! The familiar name of `date_bin`, which does the work and is known to keep order.

use arrow::datatypes::{DataType, FieldRef};
use datafusion::{
    error::Result,
    functions::datetime::date_bin,
    logical_expr::{
        ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature,
        expr::ScalarFunction,
        simplify::{ExprSimplifyResult, SimplifyContext},
        sort_properties::{ExprProperties, SortProperties},
    },
};
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeBucket {
    inner: Arc<ScalarUDF>,
}

/// The function.
pub(super) fn udf() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(TimeBucket { inner: date_bin() }))
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let call = ScalarFunction::new_udf(self.inner.clone(), args);
        Ok(ExprSimplifyResult::Simplified(Expr::ScalarFunction(call)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(args)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }
}
