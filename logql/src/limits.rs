//! Every limit of this crate, with its reason.

/// The longest query text, in bytes: nobody writes more, and everything about a query grows with its text.
pub const QUERY_BYTES: usize = 128 * 1024;

/// How deep an expression may be; parsing, formatting, evaluating and dropping it recurse.
pub const DEPTH: usize = 100;

/// How deep parentheses and operands may be in a text: the canonical text of the deepest expression can be read.
pub const TEXT_DEPTH: usize = 2 * DEPTH + 2;

/// The largest compiled regular expression, in bytes.
pub const REGEX_BYTES: usize = 4 * 1024 * 1024;

/// The longest output of one template, in bytes: the line of a log is rarely longer than 256 KiB.
pub const TEMPLATE_BYTES: usize = 256 * 1024;

/// How many nodes one run of a template may visit: a template may loop over what it decodes from JSON.
pub const TEMPLATE_STEPS: usize = 100_000;

/// How many labels the parsers may extract from one line.
pub const EXTRACTED_LABELS: usize = 1_000;

/// How deep JSON in a line may be.
pub const JSON_DEPTH: usize = 128;

/// How many regular expressions a template keeps compiled.
pub const TEMPLATE_REGEXES: usize = 16;

/// How many values of an interval are kept as they are for a quantile; beyond it they become a sketch.
pub const EXACT_QUANTILE_VALUES: usize = 1_024;

/// How much an evaluation may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Series that one range aggregation may have, and an answer.
    pub series: usize,
    /// Steps between start and end.
    pub steps: usize,
    /// Series times steps, over all range aggregations of the query: what memory goes by.
    pub cells: usize,
    /// Samples that `rate_counter` keeps, as it needs them in the order of time.
    pub samples: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            series: 10_000,
            steps: 11_000,
            cells: 4_000_000,
            samples: 2_000_000,
        }
    }
}
