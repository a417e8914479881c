//! The tree of an expression.
//!
//! Equality compares what an expression means and ignores where it stood in the text.

use crate::{matcher::Matcher, signature::Function};

pub use crate::signature::Type;

/// Where something stands in the text of the query, in bytes; the end is outside.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// Places never make a difference between expressions.
impl PartialEq for Span {
    fn eq(&self, _: &Span) -> bool {
        true
    }
}

/// An expression and its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub kind: Kind,
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Number(Number),
    String(String),
    Selector(Selector),
    Range(RangeSelector),
    Subquery(Box<Subquery>),
    Call(Call),
    Aggregate(Box<Aggregate>),
    Binary(Box<Binary>),
    Unary { negative: bool, operand: Box<Expr> },
    Paren(Box<Expr>),
}

/// A number, which may have been written as a duration (in seconds).
#[derive(Debug, Clone, Copy)]
pub struct Number {
    pub value: f64,
    pub duration: bool,
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.value.to_bits() == other.value.to_bits() && self.duration == other.duration
    }
}

/// `name{label="value"} @ time offset length`.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    /// The metric's name where it was given as such; a matcher on `__name__` stands in `matchers` too.
    pub name: Option<String>,
    pub matchers: Vec<Matcher>,
    pub shift: Shift,
    /// `anchored` or `smoothed`.
    pub extension: Option<Extension>,
    /// Only count and sum of its histograms are looked at. An evaluation finds that out itself.
    pub statistics_only: bool,
}

/// Another time than that of the evaluation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shift {
    pub at: Option<At>,
    pub offset: Option<Length>,
}

/// The time of `@`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum At {
    /// ms since 1970.
    Time(i64),
    Start,
    End,
}

/// How samples at the ends of a range are completed (experimental).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// The range begins with the last sample before it.
    Anchored,
    /// Values at both ends are interpolated.
    Smoothed,
}

/// `selector[length]`.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeSelector {
    pub selector: Selector,
    /// Where the selector stands, without the brackets.
    pub selector_span: Span,
    pub range: Length,
}

/// `expr[range:step]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    pub expr: Expr,
    pub range: Length,
    pub step: Option<Length>,
    pub shift: Shift,
}

/// A length of time: a literal or, as an experiment, an expression. The unit is the second.
#[derive(Debug, Clone, PartialEq)]
pub enum Length {
    Literal(Number),
    /// The step of the query.
    Step,
    /// The end of the query less its start.
    Range,
    Negative(Box<Length>),
    Binary(BinaryOp, Box<Length>, Box<Length>),
    Least(Box<Length>, Box<Length>),
    Greatest(Box<Length>, Box<Length>),
    Paren(Box<Length>),
}

/// `function(args)`.
#[derive(Debug, Clone)]
pub struct Call {
    pub function: &'static Function,
    pub args: Vec<Expr>,
}

impl PartialEq for Call {
    fn eq(&self, other: &Call) -> bool {
        self.function.name == other.function.name && self.args == other.args
    }
}

/// `op by (labels) (param, expr)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    pub op: AggregateOp,
    pub param: Option<Expr>,
    pub expr: Expr,
    pub without: bool,
    pub grouping: Vec<String>,
}

/// An aggregation operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
}

impl AggregateOp {
    pub(crate) const ALL: [(&'static str, AggregateOp); 14] = [
        ("sum", AggregateOp::Sum),
        ("avg", AggregateOp::Avg),
        ("count", AggregateOp::Count),
        ("min", AggregateOp::Min),
        ("max", AggregateOp::Max),
        ("group", AggregateOp::Group),
        ("stddev", AggregateOp::Stddev),
        ("stdvar", AggregateOp::Stdvar),
        ("topk", AggregateOp::Topk),
        ("bottomk", AggregateOp::Bottomk),
        ("count_values", AggregateOp::CountValues),
        ("quantile", AggregateOp::Quantile),
        ("limitk", AggregateOp::Limitk),
        ("limit_ratio", AggregateOp::LimitRatio),
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        AggregateOp::ALL
            .iter()
            .find(|(_, op)| *op == self)
            .map_or("", |(name, _)| name)
    }

    /// Whether it takes a parameter before the vector.
    pub fn has_param(self) -> bool {
        matches!(
            self,
            AggregateOp::Topk
                | AggregateOp::Bottomk
                | AggregateOp::CountValues
                | AggregateOp::Quantile
                | AggregateOp::Limitk
                | AggregateOp::LimitRatio
        )
    }

    /// Whether it is behind the flag for experiments.
    pub fn experimental(self) -> bool {
        matches!(self, AggregateOp::Limitk | AggregateOp::LimitRatio)
    }
}

/// `lhs op matching rhs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    pub op: BinaryOp,
    pub lhs: Expr,
    pub rhs: Expr,
    /// A comparison that yields 0 and 1 instead of a filter.
    pub bool_modifier: bool,
    pub matching: Matching,
}

/// Which elements of two vectors belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matching {
    /// `on` where true, `ignoring` (or nothing) where false.
    pub on: bool,
    /// Whether `on` or `ignoring` was written.
    pub explicit: bool,
    pub labels: Vec<String>,
    pub cardinality: Cardinality,
    /// Labels that `group_left` or `group_right` takes from the side of one.
    pub include: Vec<String>,
    /// The value of a missing element of the left side.
    pub fill_left: Option<Number>,
    /// The value of a missing element of the right side.
    pub fill_right: Option<Number>,
}

/// How many elements may share a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cardinality {
    #[default]
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
    /// Of `and`, `or`, `unless`.
    ManyToMany,
}

/// A binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    /// `</`: observations above a value are cut off.
    TrimUpper,
    /// `>/`: observations below a value are cut off.
    TrimLower,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::Pow => "^",
            BinaryOp::Atan2 => "atan2",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::TrimUpper => "</",
            BinaryOp::TrimLower => ">/",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::Unless => "unless",
        }
    }

    /// Whether it compares two numbers.
    pub fn compares(self) -> bool {
        matches!(
            self,
            BinaryOp::Equal
                | BinaryOp::NotEqual
                | BinaryOp::Less
                | BinaryOp::LessEqual
                | BinaryOp::Greater
                | BinaryOp::GreaterEqual
        )
    }

    /// Whether it is an operator of sets.
    pub fn joins_sets(self) -> bool {
        matches!(self, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
    }

    /// How strongly it binds; more is stronger.
    pub(crate) fn precedence(self) -> u8 {
        match self {
            BinaryOp::Or => 1,
            BinaryOp::And | BinaryOp::Unless => 2,
            BinaryOp::Add | BinaryOp::Sub => 4,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => 5,
            BinaryOp::Pow => 6,
            _ => 3,
        }
    }
}

impl Expr {
    /// The type of the value.
    pub fn value_type(&self) -> Type {
        match &self.kind {
            Kind::Number(_) => Type::Scalar,
            Kind::String(_) => Type::String,
            Kind::Selector(_) | Kind::Aggregate(_) => Type::Vector,
            Kind::Range(_) | Kind::Subquery(_) => Type::Matrix,
            Kind::Call(call) => call.function.returns,
            Kind::Unary { operand, .. } => operand.value_type(),
            Kind::Paren(inner) => inner.value_type(),
            Kind::Binary(binary) => {
                let scalar = |side: &Expr| side.value_type() == Type::Scalar;
                if scalar(&binary.lhs) && scalar(&binary.rhs) {
                    Type::Scalar
                } else {
                    Type::Vector
                }
            }
        }
    }

    /// The expression within all parentheses.
    pub fn unwrapped(&self) -> &Expr {
        let mut expr = self;
        while let Kind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }

    /// The direct parts of the expression, in the order of the text.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            Kind::Number(_) | Kind::String(_) | Kind::Selector(_) | Kind::Range(_) => Vec::new(),
            Kind::Subquery(subquery) => vec![&subquery.expr],
            Kind::Call(call) => call.args.iter().collect(),
            Kind::Aggregate(aggregate) => aggregate.param.iter().chain([&aggregate.expr]).collect(),
            Kind::Binary(binary) => vec![&binary.lhs, &binary.rhs],
            Kind::Unary { operand, .. } => vec![operand],
            Kind::Paren(inner) => vec![inner],
        }
    }

    /// The children, to be changed.
    pub(crate) fn children_mut(&mut self) -> Vec<&mut Expr> {
        match &mut self.kind {
            Kind::Number(_) | Kind::String(_) | Kind::Selector(_) | Kind::Range(_) => Vec::new(),
            Kind::Subquery(subquery) => vec![&mut subquery.expr],
            Kind::Call(call) => call.args.iter_mut().collect(),
            Kind::Aggregate(aggregate) => {
                let param = aggregate.param.iter_mut();
                param.chain([&mut aggregate.expr]).collect()
            }
            Kind::Binary(binary) => vec![&mut binary.lhs, &mut binary.rhs],
            Kind::Unary { operand, .. } => vec![operand],
            Kind::Paren(inner) => vec![inner],
        }
    }
}
