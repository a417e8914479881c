//! What an operator makes of two samples.

use crate::{
    annotations::{Combining, Notes},
    expr::{Binary, BinaryOp, Span},
    histogram::{Histogram, ResetHint, Trim},
    row::Sample,
};

/// An operator with what it needs to tell the user.
#[derive(Clone, Copy)]
pub(crate) struct Operator<'c> {
    pub(crate) op: BinaryOp,
    pub(crate) bool_modifier: bool,
    notes: &'c Notes,
    span: Span,
}

/// Of two numbers; comparisons give 1 and 0.
pub(crate) fn numbers(op: BinaryOp, left: f64, right: f64) -> f64 {
    let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Atan2 => left.atan2(right),
        BinaryOp::Equal => truth(left == right),
        BinaryOp::NotEqual => truth(left != right),
        BinaryOp::Less => truth(left < right),
        BinaryOp::LessEqual => truth(left <= right),
        BinaryOp::Greater => truth(left > right),
        BinaryOp::GreaterEqual => truth(left >= right),
        // Sets and trims of numbers have no value; they are refused before, or noted.
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => f64::NAN,
        BinaryOp::TrimUpper | BinaryOp::TrimLower => f64::NAN,
    }
}

impl<'c> Operator<'c> {
    pub(crate) fn new(binary: &Binary, notes: &'c Notes) -> Operator<'c> {
        Operator {
            op: binary.op,
            bool_modifier: binary.bool_modifier,
            notes,
            span: binary.lhs.span,
        }
    }

    /// Whether the result is another metric than the left side.
    pub(crate) fn drops_name(&self) -> bool {
        let keeps =
            self.op.compares() || matches!(self.op, BinaryOp::TrimUpper | BinaryOp::TrimLower);
        self.bool_modifier || !keeps
    }

    /// The result of two samples. A comparison that holds gives `kept`, the sample that is compared.
    pub(crate) fn samples(&self, left: &Sample, right: &Sample, kept: &Sample) -> Sample {
        if self.op.compares() {
            return match (self.compare(left, right), self.bool_modifier) {
                (None, _) | (Some(false), false) => Sample::Absent,
                (Some(true), false) => kept.clone(),
                (Some(holds), true) => Sample::Float(f64::from(u8::from(holds))),
            };
        }
        match (left, right) {
            (Sample::Absent, _) | (_, Sample::Absent) => Sample::Absent,
            (Sample::Float(left), Sample::Float(right)) => match self.op {
                BinaryOp::TrimUpper | BinaryOp::TrimLower => self.refuse("float", "float"),
                op => Sample::Float(numbers(op, *left, *right)),
            },
            (Sample::Float(left), Sample::Histogram(right)) => match self.op {
                BinaryOp::Mul => right.mul(*left).into(),
                _ => self.refuse("float", "histogram"),
            },
            (Sample::Histogram(left), Sample::Float(right)) => match self.op {
                BinaryOp::Mul => left.mul(*right).into(),
                BinaryOp::Div => left.div(*right).into(),
                BinaryOp::TrimUpper => left.trim(Trim::KeepBelow, *right).into(),
                BinaryOp::TrimLower => left.trim(Trim::KeepAbove, *right).into(),
                _ => self.refuse("histogram", "float"),
            },
            (Sample::Histogram(left), Sample::Histogram(right)) => self.combine(left, right),
        }
    }

    fn compare(&self, left: &Sample, right: &Sample) -> Option<bool> {
        match (left, right) {
            (Sample::Absent, _) | (_, Sample::Absent) => None,
            (Sample::Float(left), Sample::Float(right)) => {
                Some(numbers(self.op, *left, *right) != 0.0)
            }
            (Sample::Histogram(left), Sample::Histogram(right)) => match self.op {
                BinaryOp::Equal => Some(left == right),
                BinaryOp::NotEqual => Some(left != right),
                _ => {
                    self.refuse("histogram", "histogram");
                    None
                }
            },
            (Sample::Float(_), Sample::Histogram(_)) => {
                self.refuse("float", "histogram");
                None
            }
            (Sample::Histogram(_), Sample::Float(_)) => {
                self.refuse("histogram", "float");
                None
            }
        }
    }

    fn combine(&self, left: &Histogram, right: &Histogram) -> Sample {
        let (combined, combining) = match self.op {
            BinaryOp::Add => (left.add(right), Combining::Addition),
            BinaryOp::Sub => (left.sub(right), Combining::Subtraction),
            _ => return self.refuse("histogram", "histogram"),
        };
        let Ok(combined) = combined else {
            self.notes.incompatible_buckets(self.span, self.op.symbol());
            return Sample::Absent;
        };
        if combined.hints_collide {
            self.notes.colliding_resets(self.span, combining);
        }
        if combined.bounds_reconciled {
            self.notes.bounds_reconciled(self.span, combining);
        }
        match self.op {
            BinaryOp::Sub => combined.histogram.with_hint(ResetHint::Gauge).into(),
            _ => combined.histogram.into(),
        }
    }

    fn refuse(&self, left: &str, right: &str) -> Sample {
        self.notes
            .incompatible_types(self.span, left, self.op.symbol(), right);
        Sample::Absent
    }
}
