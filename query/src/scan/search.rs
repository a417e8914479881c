//! What filters demand of texts and maps that the index sidecars have the tokens of.
//!
//! Made once for a scan; for each file the parts that speak of an attribute with a column of its own fall away, because
//! only the overflow is indexed. What is not understood demands nothing.

use crate::{
    attributes::{evaluate::Wanted, function::parts},
    functions::{HasPhrase, Last},
};
use arrow::datatypes::DataType;
use cairn_storage::{
    segment::ObjectMeta,
    text::{demand::Demand, pattern, regex, token::Subject},
};
use datafusion::{
    common::ScalarValue,
    logical_expr::{
        BinaryExpr, Cast, Expr, Like, Operator,
        expr::{InList, ScalarFunction},
        utils::{split_binary, split_conjunction},
    },
};

/// Longer lists select most blocks anyway.
const LIST_VALUES: usize = 64;

/// A demand that depends on the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Search {
    Holds(Demand),
    /// A demand of the overflow: it holds of files where this key has no column.
    Overflow(String, Demand),
    All(Vec<Search>),
    Any(Vec<Search>),
}

/// A text that a filter speaks of.
enum Text<'a> {
    Body,
    Attribute(&'a str),
    Resource(&'a str),
}

/// One of these texts or of these ids: what `OR` joins. A part alone would rule nothing out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Either {
    pub(super) texts: Search,
    /// Columns of ids, each with an id.
    pub(super) ids: Vec<(String, Vec<u8>)>,
}

impl Either {
    /// Those of `filters` in which a text or an id is enough.
    pub(super) fn of(filters: &[Expr]) -> Vec<Either> {
        let conjuncts = filters.iter().flat_map(split_conjunction);
        conjuncts.filter_map(either).collect()
    }
}

fn either(filter: &Expr) -> Option<Either> {
    let mut either = Either {
        texts: Search::Any(Vec::new()),
        ids: Vec::new(),
    };
    let mut texts = Vec::new();
    for part in split_binary(filter, Operator::Or) {
        match id(part) {
            Some(id) => either.ids.push(id),
            None => texts.push(of(part)),
        }
    }
    if either.ids.is_empty() || texts.is_empty() || either.ids.len() > LIST_VALUES {
        return None;
    }
    either.texts = Search::Any(texts);
    Some(either)
}

/// `column = id`.
fn id(filter: &Expr) -> Option<(String, Vec<u8>)> {
    let Expr::BinaryExpr(BinaryExpr {
        left,
        op: Operator::Eq,
        right,
    }) = filter
    else {
        return None;
    };
    match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(ScalarValue::FixedSizeBinary(_, Some(bytes)), _)) => {
            Some((column.name.clone(), bytes.clone()))
        }
        _ => None,
    }
}

impl Search {
    /// What all of `filters` demand.
    pub(super) fn of(filters: &[Expr]) -> Search {
        Search::All(filters.iter().map(of).collect())
    }

    /// What they demand of the rows of a file.
    pub(super) fn in_file(&self, object: &ObjectMeta) -> Demand {
        match self {
            Search::Holds(demand) => demand.clone(),
            Search::Overflow(key, demand) => {
                match object.promoted.iter().any(|promoted| promoted.key == *key) {
                    true => Demand::nothing(),
                    false => demand.clone(),
                }
            }
            Search::All(parts) => {
                let demands = parts.iter().map(|part| part.in_file(object));
                demands.fold(Demand::nothing(), Demand::and)
            }
            Search::Any(parts) => {
                let demands = parts.iter().map(|part| part.in_file(object));
                demands.reduce(Demand::or).unwrap_or_else(Demand::nothing)
            }
        }
    }
}

fn nothing() -> Search {
    Search::Holds(Demand::nothing())
}

fn of(filter: &Expr) -> Search {
    match filter {
        Expr::Alias(alias) => of(&alias.expr),
        Expr::IsTrue(inner) => of(inner),
        Expr::BinaryExpr(binary) => of_binary(binary),
        Expr::Like(like) => of_like(like),
        Expr::InList(list) => of_list(list),
        Expr::ScalarFunction(call) => of_call(call),
        _ => nothing(),
    }
}

fn of_binary(binary: &BinaryExpr) -> Search {
    let BinaryExpr { left, op, right } = binary;
    match op {
        Operator::And => return Search::All(vec![of(left), of(right)]),
        Operator::Or => return Search::Any(vec![of(left), of(right)]),
        _ => {}
    }
    if let Some(found) = of_position(left, *op, right) {
        return found;
    }
    let (text, literal) = match (text(left), literal(right)) {
        (Some(text), Some(literal)) => (text, literal),
        // Only what is the same from either side.
        _ if *op == Operator::Eq => match (text(right), literal(left)) {
            (Some(text), Some(literal)) => (text, literal),
            _ => return nothing(),
        },
        _ => return nothing(),
    };
    match op {
        Operator::Eq => equal(&text, literal),
        Operator::RegexMatch => within(&text, |s| regex::demand(s, literal, false)),
        Operator::RegexIMatch => within(&text, |s| regex::demand(s, literal, true)),
        Operator::LikeMatch | Operator::ILikeMatch => within(&text, |s| pattern::like(s, literal)),
        _ => nothing(),
    }
}

/// `strpos(text, 'part') > 0` and what means the same.
fn of_position(left: &Expr, op: Operator, right: &Expr) -> Option<Search> {
    let Expr::ScalarFunction(call) = left else {
        return None;
    };
    let Expr::Literal(number, _) = right else {
        return None;
    };
    let number = match number.cast_to(&DataType::Int64).ok()? {
        ScalarValue::Int64(Some(number)) => number,
        _ => return None,
    };
    let is_found = matches!(
        (op, number),
        (Operator::Gt | Operator::NotEq, 0) | (Operator::GtEq, 1)
    );
    if call.func.name() != "strpos" || !is_found {
        return None;
    }
    let [of, part] = call.args.as_slice() else {
        return None;
    };
    let (text, part) = (text(of)?, literal(part)?);
    Some(within(&text, |s| pattern::contains(s, part)))
}

fn of_like(like: &Like) -> Search {
    let has_own_escape = like.escape_char.is_some_and(|escape| escape != '\\');
    if like.negated || has_own_escape {
        return nothing();
    }
    match (text(&like.expr), literal(&like.pattern)) {
        (Some(text), Some(like)) => within(&text, |s| pattern::like(s, like)),
        _ => nothing(),
    }
}

fn of_list(list: &InList) -> Search {
    if list.negated || list.list.len() > LIST_VALUES {
        return nothing();
    }
    let Some(text) = text(&list.expr) else {
        return nothing();
    };
    let equals = list
        .list
        .iter()
        .map(|value| Some(equal(&text, literal(value)?)));
    equals
        .collect::<Option<Vec<_>>>()
        .map_or_else(nothing, Search::Any)
}

fn of_call(call: &ScalarFunction) -> Search {
    let [of, with, flags @ ..] = call.args.as_slice() else {
        return nothing();
    };
    let (Some(text), Some(with)) = (text(of), literal(with)) else {
        return nothing();
    };
    if let Some(function) = call.func.inner().downcast_ref::<HasPhrase>() {
        return within(&text, |s| match function.last() {
            Last::Whole => Demand::words(s, with),
            Last::Beginning => Demand::beginning(s, with),
        });
    }
    match (call.func.name(), flags) {
        ("contains", []) => within(&text, |s| pattern::contains(s, with)),
        ("starts_with", []) => within(&text, |s| pattern::starts_with(s, with)),
        ("ends_with", []) => within(&text, |s| pattern::ends_with(s, with)),
        ("regexp_like", []) => within(&text, |s| regex::demand(s, with, false)),
        ("regexp_like", [flags]) if literal(flags) == Some("i") => {
            within(&text, |s| regex::demand(s, with, true))
        }
        _ => nothing(),
    }
}

fn equal(text: &Text<'_>, value: &str) -> Search {
    match text {
        Text::Body => Search::Holds(pattern::equal(Subject::BodyWords, value)),
        Text::Attribute(key) => {
            let pair = Demand::pair(Subject::AttributePairs, key, value);
            Search::Overflow((*key).to_string(), pair)
        }
        Text::Resource(key) => Search::Holds(Demand::pair(Subject::ResourcePairs, key, value)),
    }
}

/// A demand of the words of a text; nothing where words are not indexed.
fn within(text: &Text<'_>, demand: impl FnOnce(Subject) -> Demand) -> Search {
    match text {
        Text::Body => Search::Holds(demand(Subject::BodyWords)),
        Text::Attribute(key) => {
            Search::Overflow((*key).to_string(), demand(Subject::AttributeWords))
        }
        Text::Resource(_) => nothing(),
    }
}

fn text(expr: &Expr) -> Option<Text<'_>> {
    match expr {
        Expr::Column(column) if column.name == "body" => Some(Text::Body),
        Expr::Cast(Cast { expr, field }) if is_text(field.data_type()) => text(expr),
        _ => match parts(expr)? {
            (Expr::Column(map), key, Wanted::Text) => match map.name.as_str() {
                "attributes" => Some(Text::Attribute(key)),
                "resource_attributes" => Some(Text::Resource(key)),
                _ => None,
            },
            _ => None,
        },
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
    )
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
