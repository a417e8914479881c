//! A query as a tree: what [`crate::parse`] returns and everything else works on.
//!
//! Durations and offsets are in nanoseconds. A chain `!= "a" or "b"` is two filters, for neither may match; `sum by ()`
//! is `sum`; what two literals make is one literal where it is a finite number.

use crate::units;

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Answers log lines.
    Log(LogExpr),
    /// Answers numbers over time.
    Metric(Metric),
}

/// Streams, and what happens to their lines.
#[derive(Debug, Clone, PartialEq)]
pub struct LogExpr {
    pub selector: Vec<Matcher>,
    pub stages: Vec<Stage>,
}

/// A condition on the value of a label; a label that is absent has the value "".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Matcher {
    pub name: String,
    pub op: MatchOp,
    pub value: String,
}

/// How a matcher compares; regular expressions match the whole value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

impl MatchOp {
    /// The operator in LogQL.
    pub fn symbol(self) -> &'static str {
        match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        }
    }
}

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    Line(LineFilter),
    /// Without extractions every property becomes a label.
    Json(Vec<Extraction>),
    Logfmt(Logfmt),
    Pattern(String),
    Regexp(String),
    Unpack,
    Label(LabelFilter),
    LineFormat(String),
    LabelFormat(Vec<LabelFormat>),
    Decolorize,
    Drop(Vec<Target>),
    Keep(Vec<Target>),
}

/// A filter of lines: `matches` are alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFilter {
    pub op: LineOp,
    pub matches: Vec<LineMatch>,
}

/// How a line filter looks at a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineOp {
    Contains,
    NotContains,
    Regex,
    NotRegex,
    Pattern,
    NotPattern,
}

impl LineOp {
    /// The operator in LogQL.
    pub fn symbol(self) -> &'static str {
        match self {
            LineOp::Contains => "|=",
            LineOp::NotContains => "!=",
            LineOp::Regex => "|~",
            LineOp::NotRegex => "!~",
            LineOp::Pattern => "|>",
            LineOp::NotPattern => "!>",
        }
    }

    /// Whether lines that match are dropped.
    pub fn is_negative(self) -> bool {
        matches!(
            self,
            LineOp::NotContains | LineOp::NotRegex | LineOp::NotPattern
        )
    }
}

/// What a line filter looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineMatch {
    Text(String),
    /// An address, a range `a-b` or a network in CIDR notation.
    Ip(String),
}

/// A label and where its value comes from in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extraction {
    pub label: String,
    pub path: String,
}

/// The logfmt parser.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logfmt {
    /// Stop and report at what is not logfmt; otherwise it is skipped.
    pub strict: bool,
    /// Keys without a value become labels, too.
    pub keep_empty: bool,
    /// Without any every key becomes a label.
    pub extractions: Vec<Extraction>,
}

/// A condition on labels.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelFilter {
    Text(Matcher),
    Number(Comparison<f64>),
    /// In nanoseconds.
    Duration(Comparison<i64>),
    Bytes(Comparison<u64>),
    Ip(IpFilter),
    And(Box<LabelFilter>, Box<LabelFilter>),
    Or(Box<LabelFilter>, Box<LabelFilter>),
}

/// A comparison of a label's value, read as a `T`.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison<T> {
    pub name: String,
    pub op: CompareOp,
    pub value: T,
}

/// Whether a label's value holds an address of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpFilter {
    pub name: String,
    pub negative: bool,
    pub pattern: String,
}

/// Comparison of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

impl CompareOp {
    /// The operator in LogQL.
    pub fn symbol(self) -> &'static str {
        match self {
            CompareOp::Equal => "==",
            CompareOp::NotEqual => "!=",
            CompareOp::Greater => ">",
            CompareOp::GreaterEqual => ">=",
            CompareOp::Less => "<",
            CompareOp::LessEqual => "<=",
        }
    }

    pub(crate) fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            CompareOp::Equal => left == right,
            CompareOp::NotEqual => left != right,
            CompareOp::Greater => left > right,
            CompareOp::GreaterEqual => left >= right,
            CompareOp::Less => left < right,
            CompareOp::LessEqual => left <= right,
        }
    }
}

/// One label of `label_format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelFormat {
    pub name: String,
    pub source: LabelSource,
}

/// Where a formatted label comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelSource {
    /// Another label, which is renamed.
    Label(String),
    Template(String),
}

/// What `drop` and `keep` name: a label, or a label with a certain value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Name(String),
    Matching(Matcher),
}

/// A metric query.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    Range(RangeAggregation),
    Aggregation(VectorAggregation),
    Binary(Binary),
    LabelReplace(LabelReplace),
    Literal(f64),
    /// `vector(n)`.
    Vector(f64),
}

/// Lines of a time before each step, made one number per series.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeAggregation {
    pub op: RangeOp,
    /// The quantile.
    pub parameter: Option<f64>,
    pub range: LogRange,
    pub grouping: Option<Grouping>,
}

/// Log lines, the number in them if there is one, and the time they are taken from.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRange {
    pub log: LogExpr,
    pub unwrap: Option<Unwrap>,
    /// Nanoseconds; above 0.
    pub interval: i64,
    /// Nanoseconds.
    pub offset: i64,
}

/// The label whose value is the sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Unwrap {
    pub label: String,
    pub conversion: Conversion,
    /// Filters after it, which see the errors of the conversion.
    pub filters: Vec<LabelFilter>,
}

/// How the value of a label becomes a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    Number,
    Bytes,
    Duration,
    DurationSeconds,
}

/// The functions over ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeOp {
    Rate,
    RateCounter,
    Count,
    BytesRate,
    Bytes,
    Absent,
    Sum,
    Avg,
    Max,
    Min,
    First,
    Last,
    Stdvar,
    Stddev,
    Quantile,
}

impl RangeOp {
    pub(crate) const ALL: [(RangeOp, &'static str); 15] = [
        (RangeOp::Rate, "rate"),
        (RangeOp::RateCounter, "rate_counter"),
        (RangeOp::Count, "count_over_time"),
        (RangeOp::BytesRate, "bytes_rate"),
        (RangeOp::Bytes, "bytes_over_time"),
        (RangeOp::Absent, "absent_over_time"),
        (RangeOp::Sum, "sum_over_time"),
        (RangeOp::Avg, "avg_over_time"),
        (RangeOp::Max, "max_over_time"),
        (RangeOp::Min, "min_over_time"),
        (RangeOp::First, "first_over_time"),
        (RangeOp::Last, "last_over_time"),
        (RangeOp::Stdvar, "stdvar_over_time"),
        (RangeOp::Stddev, "stddev_over_time"),
        (RangeOp::Quantile, "quantile_over_time"),
    ];

    /// The name in LogQL.
    pub fn name(self) -> &'static str {
        name_of(&RangeOp::ALL, self)
    }
}

/// The labels that an aggregation keeps apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    pub without: bool,
    pub labels: Vec<String>,
}

/// Series of a step, made fewer.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorAggregation {
    pub op: VectorOp,
    /// Of `topk`, `bottomk` and `approx_topk`.
    pub parameter: Option<u32>,
    /// `None`: all series make one.
    pub grouping: Option<Grouping>,
    pub inner: Box<Metric>,
}

/// The functions over the series of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    ApproxTopk,
    Sort,
    SortDesc,
}

impl VectorOp {
    pub(crate) const ALL: [(VectorOp, &'static str); 12] = [
        (VectorOp::Sum, "sum"),
        (VectorOp::Avg, "avg"),
        (VectorOp::Min, "min"),
        (VectorOp::Max, "max"),
        (VectorOp::Count, "count"),
        (VectorOp::Stddev, "stddev"),
        (VectorOp::Stdvar, "stdvar"),
        (VectorOp::Topk, "topk"),
        (VectorOp::Bottomk, "bottomk"),
        (VectorOp::ApproxTopk, "approx_topk"),
        (VectorOp::Sort, "sort"),
        (VectorOp::SortDesc, "sort_desc"),
    ];

    /// The name in LogQL.
    pub fn name(self) -> &'static str {
        name_of(&VectorOp::ALL, self)
    }
}

fn name_of<T: PartialEq>(names: &[(T, &'static str)], op: T) -> &'static str {
    let found = names.iter().find(|(candidate, _)| *candidate == op);
    found.map(|(_, name)| *name).unwrap_or_default()
}

/// Two queries and an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    pub op: BinaryOp,
    /// A comparison answers 0 and 1 and drops nothing.
    pub returns_bool: bool,
    pub matching: Option<Matching>,
    pub left: Box<Metric>,
    pub right: Box<Metric>,
}

/// The operators between queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    Or,
    And,
    Unless,
    Compare(CompareOp),
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

impl BinaryOp {
    /// The operator in LogQL.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Unless => "unless",
            BinaryOp::Compare(op) => op.symbol(),
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::Pow => "^",
        }
    }

    /// Whether it works on sets of series and not on their values.
    pub fn is_set(self) -> bool {
        matches!(self, BinaryOp::Or | BinaryOp::And | BinaryOp::Unless)
    }

    pub(crate) fn of_numbers(self, left: f64, right: f64) -> f64 {
        match self {
            BinaryOp::Add => left + right,
            BinaryOp::Sub => left - right,
            BinaryOp::Mul => left * right,
            // LogQL has no infinities here: what is divided by zero is not a number.
            BinaryOp::Div | BinaryOp::Mod if right == 0.0 => f64::NAN,
            BinaryOp::Div => left / right,
            BinaryOp::Mod => left % right,
            BinaryOp::Pow => left.powf(right),
            BinaryOp::Compare(op) => f64::from(u8::from(op.holds(left, right))),
            BinaryOp::Or | BinaryOp::And | BinaryOp::Unless => f64::NAN,
        }
    }
}

/// Which series of both sides belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// `on` the labels, or `ignoring` them.
    pub on: bool,
    pub labels: Vec<String>,
    pub group: Group,
}

/// Which side may have several series for one of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    None,
    /// Many on the left, with labels to take over from the right.
    Left(Vec<String>),
    Right(Vec<String>),
}

/// `label_replace(inner, destination, replacement, source, regex)`.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelReplace {
    pub inner: Box<Metric>,
    pub destination: String,
    pub replacement: String,
    pub source: String,
    pub regex: String,
}

impl Matcher {
    /// A matcher; the regular expression is checked where it is compiled.
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Matcher {
        Matcher {
            name: name.into(),
            op,
            value: value.into(),
        }
    }
}

impl Metric {
    /// The range aggregations, from left to right: each reads log lines of its own.
    pub fn ranges(&self) -> Vec<&RangeAggregation> {
        let mut found = Vec::new();
        self.collect_ranges(&mut found);
        found
    }

    fn collect_ranges<'a>(&'a self, found: &mut Vec<&'a RangeAggregation>) {
        match self {
            Metric::Range(range) => found.push(range),
            Metric::Aggregation(aggregation) => aggregation.inner.collect_ranges(found),
            Metric::LabelReplace(replace) => replace.inner.collect_ranges(found),
            Metric::Binary(binary) => {
                binary.left.collect_ranges(found);
                binary.right.collect_ranges(found);
            }
            Metric::Literal(_) | Metric::Vector(_) => {}
        }
    }
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, op) = (&self.name, self.op.symbol());
        write!(formatter, "{name}{op}{}", units::quote(&self.value))
    }
}
