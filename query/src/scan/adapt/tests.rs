//! What a file's adapter gives is what the map itself gives, whatever got a column of its own.

use super::*;
use crate::testing::{self, KEYS, Promotion, Row};
use arrow::array::{ArrayRef, RecordBatch};
use cairn_storage::segment::ValueKind;
use datafusion::{
    datasource::physical_plan::parquet::can_expr_be_pushed_down_with_schemas,
    physical_expr::PhysicalExprSimplifier,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const WANTED: [Wanted; 3] = [Wanted::Text, Wanted::Double, Wanted::Int];

fn attribute(key: &str, wanted: Wanted) -> Expr {
    let schema = testing::table_schema();
    let map: Expr = Arc::new(Column::new("attributes", 0));
    let args = vec![map, literal(ScalarValue::from(key))];
    let call = ScalarFunctionExpr::try_new(Attribute::udf(wanted), args, &schema, Arc::default());
    Arc::new(call.expect("a map column and a literal key"))
}

fn evaluate(expr: &Expr, batch: &RecordBatch) -> ArrayRef {
    let value = expr.evaluate(batch).expect("the expression fits the batch");
    value.into_array(batch.num_rows()).expect("a value a row")
}

fn adapted(promotion: &Promotion, expr: &Expr) -> Expr {
    let part = SegmentPart {
        number: 0,
        segment: promotion.segment.clone(),
        object: 0,
    };
    let factory = Adapt::of_files(vec![Arc::new(part)]);
    let physical = promotion.batch.schema();
    let adapter = factory.create(testing::table_schema(), physical.clone());
    let expr = adapter.and_then(|adapter| adapter.rewrite(expr.clone()));
    let simplified = PhysicalExprSimplifier::new(&physical).simplify(expr.expect("adapts"));
    simplified.expect("simplifies")
}

/// Checks that `expr` gives the same over the map and over what the segment made of it.
fn check(rows: &[Row], promotion: &Promotion, expr: &Expr) {
    let expected = evaluate(expr, &testing::table(rows));
    let adapted = adapted(promotion, expr);
    let found = evaluate(&adapted, &promotion.batch);
    assert_eq!(&expected, &found, "{expr} became {adapted}");
    let pushable = can_expr_be_pushed_down_with_schemas(&adapted, &promotion.batch.schema());
    assert!(
        pushable,
        "{expr} became {adapted}, which a scan would ignore"
    );
}

fn literals(rows: &[Row], wanted: Wanted) -> Vec<ScalarValue> {
    let mut literals = match wanted {
        Wanted::Text => vec!["", "7", "007", "1.0", "-0", "false", "a"]
            .into_iter()
            .map(|text| ScalarValue::Utf8View(Some(text.to_string())))
            .collect(),
        Wanted::Double => [-1.0, -0.0, 0.0, 1.5, f64::INFINITY, 9_007_199_254_740_992.0]
            .map(|number| ScalarValue::Float64(Some(number)))
            .to_vec(),
        Wanted::Int => [-1, 0, 7, (1 << 53) + 1]
            .map(|int| ScalarValue::Int64(Some(int)))
            .to_vec(),
    };
    // Values that some row really has are the ones that comparisons go wrong on.
    for item in rows.iter().flat_map(|row| row.values()) {
        let value = item.value();
        literals.push(match wanted {
            Wanted::Text => ScalarValue::Utf8View(value.text().map(|text| text.into_owned())),
            Wanted::Double => ScalarValue::Float64(value.number()),
            Wanted::Int => ScalarValue::Int64(value.int()),
        });
    }
    literals.retain(|literal| !literal.is_null());
    literals
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn attributes_are_the_same(rows in testing::rows(), choice in testing::choice()) {
        let promotion = testing::promote(&rows, &choice.0, choice.1);
        for key in KEYS.iter().chain(&["absent"]) {
            for wanted in WANTED {
                check(&rows, &promotion, &attribute(key, wanted));
            }
        }
    }

    #[test]
    fn whole_maps_are_the_same(rows in testing::rows(), choice in testing::choice()) {
        let promotion = testing::promote(&rows, &choice.0, choice.1);
        let whole: Expr = Arc::new(Column::new("attributes", 0));
        check(&rows, &promotion, &whole);
    }

    #[test]
    fn comparisons_are_the_same(rows in testing::rows(), choice in testing::choice()) {
        let promotion = testing::promote(&rows, &choice.0, choice.1);
        let operators = [Operator::Eq, Operator::NotEq, Operator::Lt, Operator::GtEq];
        for key in KEYS {
            for wanted in WANTED {
                for value in literals(&rows, wanted) {
                    for op in operators {
                        let right = literal(value.clone());
                        check(&rows, &promotion, &binary(attribute(key, wanted), op, right));
                    }
                }
            }
        }
    }
}

#[test]
fn a_key_of_one_text_column_is_that_column() {
    let row: Row = [("a".to_string(), testing::Item::Text("x".to_string()))].into();
    let chosen = BTreeSet::from([("a".to_string(), ValueKind::Text)]);
    let promotion = testing::promote(&[row], &chosen, true);
    let expr = adapted(&promotion, &attribute("a", Wanted::Text));
    assert_eq!(expr.downcast_ref::<Column>().map(Column::name), Some("a.a"));
    let absent = adapted(&promotion, &attribute("z", Wanted::Text));
    assert!(
        absent
            .downcast_ref::<Literal>()
            .is_some_and(|l| l.value().is_null())
    );
}

#[test]
fn instants_compare_by_milliseconds_first() {
    let fields = [
        arrow::datatypes::Field::new(TIME_MS, DataType::Int64, false),
        arrow::datatypes::Field::new(TIME_REST_NS, DataType::Int32, false),
    ];
    let physical = Arc::new(arrow::datatypes::Schema::new(fields.to_vec()));
    let instants = [
        -1_500_001i64,
        -1_000_000,
        -1,
        0,
        1,
        999_999,
        1_000_000,
        1_000_001,
        5_000_000,
    ];
    let millis = instants.map(|nanos| nanos.div_euclid(1_000_000)).to_vec();
    let rests = instants
        .map(|nanos| nanos.rem_euclid(1_000_000) as i32)
        .to_vec();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(arrow::array::Int64Array::from(millis)),
        Arc::new(arrow::array::Int32Array::from(rests)),
    ];
    let file = RecordBatch::try_new(physical.clone(), columns).expect("two columns");
    let time = cairn_storage::schema::timestamp_type();
    let table = arrow::datatypes::Field::new("timestamp", time, false);
    let table = Arc::new(arrow::datatypes::Schema::new(vec![table]));
    let adapter = Adapt::of_batches()
        .create(table.clone(), physical)
        .expect("an adapter");
    let whole = arrow::array::TimestampNanosecondArray::from(instants.to_vec());
    let whole: ArrayRef = Arc::new(whole.with_timezone("UTC"));
    let whole = RecordBatch::try_new(table, vec![whole]).expect("one column");
    let column: Expr = Arc::new(Column::new("timestamp", 0));
    let operators = [
        Operator::Eq,
        Operator::NotEq,
        Operator::Lt,
        Operator::LtEq,
        Operator::Gt,
        Operator::GtEq,
        Operator::IsDistinctFrom,
    ];
    for nanos in instants {
        let value = ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into()));
        for op in operators {
            for swapped in [false, true] {
                let (left, right) = (column.clone(), literal(value.clone()));
                let expr = match swapped {
                    true => binary(right, op, left),
                    false => binary(left, op, right),
                };
                let adapted = adapter.rewrite(expr.clone()).expect("adapts");
                let expected = evaluate(&expr, &whole);
                assert_eq!(
                    &expected,
                    &evaluate(&adapted, &file),
                    "{expr} became {adapted}"
                );
            }
        }
    }
}
