//! `has_phrase(text, 'some words')`, also `has_word`: whether a text has these words one behind the other.

use arrow::{
    array::{ArrayRef, AsArray, BooleanArray},
    datatypes::DataType,
};
use cairn_storage::text::words::Phrase;
use datafusion::{
    common::ScalarValue,
    error::{DataFusionError, Result},
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};
use std::sync::Arc;

/// Words are those of the text index (`docs/formats/index.md`): case does not matter, nor what stands between them. The
/// index is asked for all of them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HasPhrase {
    signature: Signature,
    aliases: Vec<String>,
}

impl HasPhrase {
    /// The function.
    pub fn udf() -> Arc<ScalarUDF> {
        let texts = vec![DataType::Utf8View, DataType::Utf8View];
        Arc::new(ScalarUDF::new_from_impl(HasPhrase {
            signature: Signature::exact(texts, Volatility::Immutable),
            aliases: vec!["has_word".to_string()],
        }))
    }
}

impl ScalarUDFImpl for HasPhrase {
    fn name(&self) -> &str {
        "has_phrase"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let words = match &args.args[1] {
            ColumnarValue::Scalar(words) => words.try_as_str(),
            ColumnarValue::Array(_) => None,
        };
        let Some(words) = words else {
            return Err(plan("the words of has_phrase() must be a text literal"));
        };
        let Some(words) = words else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        };
        let phrase = Phrase::of(words);
        if phrase.is_empty() {
            return Err(plan(
                "has_phrase() looks for words, and there is no letter and no digit in its second argument",
            ));
        }
        let texts = args.args[0].to_array(args.number_rows)?;
        let mut room = Vec::new();
        let found: BooleanArray = texts
            .as_string_view()
            .iter()
            .map(|text| text.map(|text| phrase.is_in(text, &mut room)))
            .collect();
        let found: ArrayRef = Arc::new(found);
        Ok(ColumnarValue::Array(found))
    }
}

fn plan(message: &str) -> DataFusionError {
    DataFusionError::Plan(message.to_string())
}
