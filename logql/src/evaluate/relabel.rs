//! `label_replace`.

use super::matrix::Matrix;
use crate::{
    ast::LabelReplace,
    error::{Error, Result},
    labels::Labels,
    regexes,
};
use std::collections::HashSet;

/// Writes a label from what an expression finds in another; where it does not match a series stays as it is.
pub(super) fn replace(replace: &LabelReplace, mut inner: Matrix) -> Result<Matrix> {
    let regex = regexes::whole(&replace.regex).map_err(Error::invalid)?;
    let mut seen: HashSet<Labels> = HashSet::with_capacity(inner.series.len());
    for row in &mut inner.series {
        let source = row.labels.get(&replace.source).unwrap_or("");
        if let Some(found) = regex.captures(source) {
            let mut value = String::new();
            found.expand(&replace.replacement, &mut value);
            let labels = std::mem::take(&mut row.labels);
            row.labels = labels.with(&replace.destination, &value);
        }
        if !seen.insert(row.labels.clone()) {
            return Err(Error::invalid(format!(
                "label_replace makes two series with the labels {}; aggregate them first",
                row.labels
            )));
        }
    }
    Ok(inner)
}
