//! Functions of our own that statements may call, beside DataFusion's.

mod has_phrase;
mod severity;
mod time_bucket;

pub use has_phrase::{HasPhrase, Last};

use crate::{
    attributes::{evaluate::Wanted, function::Attribute},
    ids::Hex,
};
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;

/// All of them.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Attribute::udf(Wanted::Text),
        Attribute::udf(Wanted::Double),
        Attribute::udf(Wanted::Int),
        Hex::udf(),
        HasPhrase::udf(Last::Whole),
        HasPhrase::udf(Last::Beginning),
        severity::udf(),
        time_bucket::udf(),
    ]
}
