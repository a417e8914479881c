//! `has_phrase(text, 'some words')`, also `has_word`, and `has_prefix(text, 'some wor')`: whether a text has these words one
//! behind the other.

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

/// What the last of the words is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Last {
    Whole,
    /// The beginning of a word, where it ends with the text that was given.
    Beginning,
}

/// Words are those of the text index (`docs/formats/index.md`): case does not matter, nor what stands between them. The
/// index is asked for all that are whole.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HasPhrase {
    last: Last,
    signature: Signature,
    aliases: Vec<String>,
}

impl HasPhrase {
    /// The function: `has_phrase`, or `has_prefix`.
    pub fn udf(last: Last) -> Arc<ScalarUDF> {
        let texts = vec![DataType::Utf8View, DataType::Utf8View];
        Arc::new(ScalarUDF::new_from_impl(HasPhrase {
            last,
            signature: Signature::exact(texts, Volatility::Immutable),
            aliases: match last {
                Last::Whole => vec!["has_word".to_string()],
                Last::Beginning => Vec::new(),
            },
        }))
    }

    /// What the last of its words is.
    pub fn last(&self) -> Last {
        self.last
    }
}

impl ScalarUDFImpl for HasPhrase {
    fn name(&self) -> &str {
        match self.last {
            Last::Whole => "has_phrase",
            Last::Beginning => "has_prefix",
        }
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
            return Err(plan(format!(
                "the words of {}() must be a text literal",
                self.name()
            )));
        };
        let Some(words) = words else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        };
        let phrase = match self.last {
            Last::Whole => Phrase::of(words),
            Last::Beginning => Phrase::beginning(words),
        };
        if phrase.is_empty() {
            return Err(plan(format!(
                "{}() looks for words, and there is no letter and no digit in its second argument",
                self.name()
            )));
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

fn plan(message: String) -> DataFusionError {
    DataFusionError::Plan(message)
}
