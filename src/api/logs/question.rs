//! Which log records a question is about, as a condition in SQL with parameters.

use crate::api::problem::Problem;
use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use cairn_query::{format::rfc3339, search, sql::expression};
use cairn_storage::{time::Nanos, world::Clock};
use serde_json::{Map, Value};

/// A question without a beginning is about this long before its end.
const USUAL_NANOS: i64 = 60 * 60 * 1_000_000_000;

/// The parameters that questions have in common.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Question {
    /// Words, phrases and fields in the language of `cairn_query::search`.
    pub(super) q: Option<String>,
    /// A condition in SQL.
    pub(super) filter: Option<String>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) limit: Option<u32>,
    /// `desc` (the usual) or `asc`.
    pub(super) order: Option<Order>,
    /// Rows older than this one.
    pub(super) before: Option<String>,
    /// Rows newer than this one.
    pub(super) after: Option<String>,
    /// The row that a context is of.
    pub(super) cursor: Option<String>,
    /// What rows of a context share with it.
    pub(super) same: Option<Same>,
    /// Of a histogram: how many buckets there should be.
    pub(super) buckets: Option<u32>,
}

/// The order of rows by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    #[default]
    Desc,
    Asc,
}

/// What the rows of a context share with the row that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Same {
    All,
    Service,
    #[default]
    Resource,
}

/// A place between rows: the time and the id of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) time: i64,
    pub(super) epoch: i64,
    pub(super) sequence: i64,
    pub(super) ordinal: i32,
}

/// The cursor of a row, in SQL.
pub(super) const CURSOR: &str = "concat(CAST(CAST(timestamp AS BIGINT) AS TEXT), '.', CAST(row_epoch AS TEXT), '.', \
                                 CAST(row_sequence AS TEXT), '.', CAST(row_ordinal AS TEXT)) AS cursor";

/// A condition, and the values that it names.
#[derive(Debug, Default)]
pub(super) struct Condition {
    terms: Vec<String>,
    pub(super) parameters: Map<String, Value>,
}

/// An interval of time in ns: from the first, to before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Question {
    /// The interval that it is about.
    pub(super) fn interval(&self, clock: &dyn Clock) -> Result<Interval, Problem> {
        let Nanos(now) = clock.now();
        let instant = |name: &str, text: &Option<String>, usual: i64| {
            match text {
            None => Ok(usual),
            Some(text) => instant(text, now).ok_or_else(|| {
                Problem::invalid(format!(
                    "{name} must be an instant of RFC 3339, nanoseconds since 1970, or a time before now such as -15m"
                ))
            }),
        }
        };
        // What arrives at this instant belongs to it.
        let to = instant("to", &self.to, now.saturating_add(1))?;
        let from = instant("from", &self.from, to.saturating_sub(USUAL_NANOS))?;
        if from >= to {
            return Err(Problem::invalid("from must be before to"));
        }
        Ok(Interval { from, to })
    }

    /// The rows that it is about.
    pub(super) fn condition(&self, interval: Interval) -> Result<Condition, Problem> {
        let mut condition = Condition::default();
        condition.time(interval);
        if let Some(searched) = search::condition(self.q.as_deref().unwrap_or_default())? {
            condition.terms.push(searched.sql);
            condition.parameters.extend(searched.parameters);
        }
        if let Some(filter) = self
            .filter
            .as_deref()
            .filter(|filter| !filter.trim().is_empty())
        {
            expression::check(filter)?;
            // On lines of its own, so that a comment in it ends where it ends.
            condition.terms.push(format!("(\n{filter}\n)"));
        }
        for (text, than) in [(&self.before, Than::Older), (&self.after, Than::Newer)] {
            if let Some(text) = text {
                condition.page(Cursor::parse(text)?, than);
            }
        }
        Ok(condition)
    }

    /// The number of rows wanted, `usual` where it does not say.
    pub(super) fn rows(&self, usual: u32, most: u32) -> Result<u32, Problem> {
        match self.limit.unwrap_or(usual) {
            0 => Err(Problem::invalid("limit must be at least 1")),
            limit if limit > most => Err(Problem::invalid(format!(
                "limit must be at most {most}; page with the cursor of the last row"
            ))),
            limit => Ok(limit),
        }
    }
}

/// On which side of a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Than {
    Older,
    Newer,
}

impl Condition {
    /// In words of SQL.
    pub(super) fn sql(&self) -> String {
        self.terms.join(" AND ")
    }

    pub(super) fn time(&mut self, interval: Interval) {
        self.terms
            .push("timestamp >= $from AND timestamp < $to".to_owned());
        self.parameters
            .insert("from".to_owned(), rfc3339(interval.from).into());
        self.parameters
            .insert("to".to_owned(), rfc3339(interval.to).into());
    }

    pub(super) fn and(&mut self, term: String) {
        self.terms.push(term);
    }

    /// Rows on one side of a cursor.
    pub(super) fn page(&mut self, at: Cursor, than: Than) {
        let (name, sign) = match than {
            Than::Older => ("before", "<"),
            Than::Newer => ("after", ">"),
        };
        let Cursor {
            epoch,
            sequence,
            ordinal,
            ..
        } = at;
        self.terms.push(format!(
            "timestamp {sign}= ${name} AND (timestamp {sign} ${name} OR row_epoch {sign} {epoch} OR (row_epoch = {epoch} \
             AND (row_sequence {sign} {sequence} OR (row_sequence = {sequence} AND row_ordinal {sign} {ordinal}))))"
        ));
        self.parameters
            .insert(name.to_owned(), rfc3339(at.time).into());
    }
}

impl Cursor {
    /// Reads what [`CURSOR`] gives.
    pub(super) fn parse(text: &str) -> Result<Cursor, Problem> {
        let read = || {
            let mut numbers = text.split('.');
            let mut next = || numbers.next();
            let cursor = Cursor {
                time: next()?.parse().ok()?,
                epoch: next()?.parse().ok()?,
                sequence: next()?.parse().ok()?,
                ordinal: next()?.parse().ok()?,
            };
            next().is_none().then_some(cursor)
        };
        read().ok_or_else(|| {
            Problem::invalid("a cursor is what the column `cursor` of an answer holds")
        })
    }
}

/// An instant as a question says it, ns.
fn instant(text: &str, now: i64) -> Option<i64> {
    if text.eq_ignore_ascii_case("now") {
        return Some(now);
    }
    if let Some(ago) = text.strip_prefix('-') {
        let ms = cairn_promql::parse::duration_ms(ago)?;
        return now.checked_sub(ms.checked_mul(1_000_000)?);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    string_to_timestamp_nanos(text).ok()
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Question, instant};

    #[test]
    fn instants_are_read_in_every_form() {
        let now = 1_700_000_000_000_000_000;
        let check = |text, expected| assert_eq!(instant(text, now), expected, "{text}");
        check("now", Some(now));
        check("-15m", Some(now - 900_000_000_000));
        check("1700000000000000001", Some(now + 1));
        check("2023-11-14T22:13:20Z", Some(now));
        check("soon", None);
    }

    #[test]
    fn a_filter_stays_within_its_parentheses() {
        let interval = super::Interval { from: 0, to: 1 };
        let question = |filter: &str| Question {
            filter: Some(filter.to_owned()),
            ..Question::default()
        };
        assert!(
            question("severity_number >= 17 -- loud")
                .condition(interval)
                .is_ok()
        );
        for filter in ["true) OR (true", "1 = 1; SELECT 1", ""] {
            let held = question(filter).condition(interval);
            assert!(filter.is_empty() == held.is_ok(), "{filter}");
        }
    }

    #[test]
    fn a_cursor_is_four_numbers() {
        let cursor = Cursor::parse("5.1.7.0").expect("a cursor");
        assert_eq!(
            (cursor.time, cursor.epoch, cursor.sequence, cursor.ordinal),
            (5, 1, 7, 0)
        );
        assert!(Cursor::parse("5.1.7").is_err() && Cursor::parse("5.1.7.0.1").is_err());
    }
}
