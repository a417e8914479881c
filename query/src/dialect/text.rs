//! Changes of the parsed statement before it is planned.
//!
//! `resource['k']` and `scope['k']` are short for the columns `resource_attributes` and `scope_attributes`; a
//! column that is nothing but `attributes['k']` is named as it is written; `-attributes['k']` is a number.

use datafusion::sql::{
    parser::Statement,
    sqlparser::ast::{
        AccessExpr, BinaryOperator, Expr, Ident, Query, Select, SelectItem, SetExpr, Subscript,
        UnaryOperator, Value, VisitMut, VisitorMut,
    },
};
use std::ops::ControlFlow;

/// Applies these changes to `statement`.
pub fn normalize(statement: &mut Statement) {
    match statement {
        Statement::Statement(statement) => {
            let _ = statement.visit(&mut Normalize);
        }
        Statement::Explain(explain) => normalize(&mut explain.statement),
        _ => {}
    }
}

struct Normalize;

impl VisitorMut for Normalize {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        name_columns(&mut query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundFieldAccess { root, access_chain } = expr {
            lengthen(root, access_chain);
        }
        if let Some(negated) = negated_attribute(expr) {
            *expr = negated;
        }
        ControlFlow::Continue(())
    }
}

fn name_columns(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => name_columns_of(select),
        SetExpr::SetOperation { left, right, .. } => {
            name_columns(left);
            name_columns(right);
        }
        _ => {}
    }
}

fn name_columns_of(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr @ Expr::CompoundFieldAccess { .. }) = item {
            let alias = Ident::with_quote('"', expr.to_string());
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias,
            };
        }
    }
}

/// `-attributes['k']` as `attributes['k'] * -1`: the planner takes a sign before numbers only, and here the
/// attribute is still text. Also gives the same bits, those of zero included.
fn negated_attribute(expr: &Expr) -> Option<Expr> {
    let Expr::UnaryOp {
        op: UnaryOperator::Minus,
        expr: attribute,
    } = expr
    else {
        return None;
    };
    let Expr::CompoundFieldAccess { access_chain, .. } = attribute.as_ref() else {
        return None;
    };
    let Some(AccessExpr::Subscript(Subscript::Index {
        index: Expr::Value(key),
    })) = access_chain.last()
    else {
        return None;
    };
    if !matches!(key.value, Value::SingleQuotedString(_)) {
        return None;
    }
    let number = Expr::Value(Value::Number("1".to_string(), false).into());
    Some(Expr::BinaryOp {
        left: attribute.clone(),
        op: BinaryOperator::Multiply,
        right: Box::new(Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: Box::new(number),
        }),
    })
}

/// Puts the long name of a map column in the place of the short one.
fn lengthen(root: &mut Expr, chain: &mut [AccessExpr]) {
    match (root, chain) {
        (Expr::Identifier(name), [AccessExpr::Subscript(_), ..]) => lengthen_name(name),
        (Expr::CompoundIdentifier(names), [AccessExpr::Subscript(_), ..]) => {
            if let Some(name) = names.last_mut() {
                lengthen_name(name);
            }
        }
        (
            _,
            [
                AccessExpr::Dot(Expr::Identifier(name)),
                AccessExpr::Subscript(_),
                ..,
            ],
        ) => {
            lengthen_name(name);
        }
        _ => {}
    }
}

fn lengthen_name(name: &mut Ident) {
    let short = match name.quote_style {
        None => name.value.to_ascii_lowercase(),
        Some(_) => name.value.clone(),
    };
    let long = match short.as_str() {
        "resource" => "resource_attributes",
        "scope" => "scope_attributes",
        _ => return,
    };
    name.value = long.to_string();
}
