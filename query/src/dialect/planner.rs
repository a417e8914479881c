//! Where the SQL planner asks what `attributes['k']`, an operator or an aggregate over it means.

use crate::{
    attributes::{
        evaluate::Wanted,
        function::{MAP_COLUMNS, attribute},
        wanted,
    },
    ids,
};
use datafusion::{
    common::{DFSchema, config::ConfigOptions, tree_node::Transformed},
    error::{DataFusionError, Result},
    logical_expr::{
        Expr, ExprSchemable, GetFieldAccess, Operator,
        expr_rewriter::FunctionRewrite,
        planner::{
            ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr, RawFieldAccessExpr,
            RawWindowExpr,
        },
    },
    sql::sqlparser::ast::BinaryOperator,
};

/// Plans our dialect's expressions; goes before DataFusion's own planners.
#[derive(Debug)]
pub struct Dialect;

/// Aggregates of numbers; `min`, `max` and `count` take any type and leave an attribute text.
const NUMBER_AGGREGATES: [&str; 22] = [
    "sum",
    "avg",
    "mean",
    "median",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "var",
    "var_pop",
    "var_samp",
    "var_population",
    "var_sample",
    "approx_median",
    "approx_percentile_cont",
    "approx_percentile_cont_with_weight",
    "percentile_cont",
    "quantile_cont",
    "corr",
    "covar",
    "covar_pop",
    "covar_samp",
    "regr_slope",
];

impl ExprPlanner for Dialect {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        if let Some(operator) = operator(&op) {
            if let Some(planned) = wanted::binary(&left, operator, &right, schema)? {
                return Ok(PlannerResult::Planned(planned));
            }
            if let Some(planned) = ids::binary(&left, operator, &right, schema)? {
                return Ok(PlannerResult::Planned(planned));
            }
        }
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }

    fn plan_field_access(
        &self,
        expr: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let Expr::Column(column) = &expr.expr else {
            return Ok(PlannerResult::Original(expr));
        };
        let is_text = || {
            expr.expr
                .get_type(schema)
                .is_ok_and(|text| text.is_string())
        };
        let is_map = MAP_COLUMNS.contains(&column.name.as_str()) && is_text();
        if !is_map {
            return Ok(PlannerResult::Original(expr));
        }
        let key = match &expr.field_access {
            GetFieldAccess::NamedStructField { name } => name.try_as_str().flatten(),
            GetFieldAccess::ListIndex { key } => match key.as_ref() {
                Expr::Literal(key, _) => key.try_as_str().flatten(),
                _ => None,
            },
            GetFieldAccess::ListRange { .. } => None,
        };
        let Some(key) = key else {
            return Err(DataFusionError::Plan(format!(
                "the key in {}[…] must be a text literal, as in {}['http.route']",
                column.name, column.name
            )));
        };
        let planned = attribute(expr.expr.clone(), key, Wanted::Text);
        Ok(PlannerResult::Planned(planned))
    }

    fn plan_aggregate(
        &self,
        mut expr: RawAggregateExpr,
    ) -> Result<PlannerResult<RawAggregateExpr>> {
        if NUMBER_AGGREGATES.contains(&expr.func.name()) {
            numbers(&mut expr.args);
        }
        Ok(PlannerResult::Original(expr))
    }

    fn plan_window(&self, mut expr: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        if NUMBER_AGGREGATES.contains(&expr.func_def.name()) {
            numbers(&mut expr.args);
        }
        Ok(PlannerResult::Original(expr))
    }
}

fn numbers(args: &mut [Expr]) {
    for arg in args {
        if let Some(number) = wanted::as_double(arg) {
            *arg = number;
        }
    }
}

/// The operators that our rules know.
fn operator(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        BinaryOperator::Plus => Operator::Plus,
        BinaryOperator::Minus => Operator::Minus,
        BinaryOperator::Multiply => Operator::Multiply,
        BinaryOperator::Divide => Operator::Divide,
        BinaryOperator::Modulo => Operator::Modulo,
        BinaryOperator::StringConcat => Operator::StringConcat,
        _ => return None,
    })
}

/// The same rules for what comes to light after planning: parameters, `BETWEEN`, `IN`, casts.
#[derive(Debug)]
pub struct Analyze;

impl FunctionRewrite for Analyze {
    fn name(&self) -> &str {
        "attributes_and_ids"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        wanted::rewrite(expr, schema)?.transform_data(|expr| ids::rewrite(expr, schema))
    }
}
