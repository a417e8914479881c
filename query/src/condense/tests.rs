//! Statements give the same rows with the operator and without it.

use super::Condense;
use datafusion::{
    arrow::{
        array::{
            ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringViewArray,
            StringViewBuilder,
        },
        util::pretty::pretty_format_batches,
    },
    datasource::MemTable,
    execution::SessionStateBuilder,
    physical_plan::displayable,
    prelude::{SessionConfig, SessionContext},
};
use std::sync::Arc;

const BATCH_ROWS: usize = 1000;

/// Rows of which `distinct` services and `distinct` times 7 numbers come again and again.
fn batch(number: usize, distinct: usize) -> RecordBatch {
    let at = |row: usize| number * BATCH_ROWS + row;
    let mut services = StringViewBuilder::new().with_deduplicate_strings();
    for row in 0..BATCH_ROWS {
        match at(row) * 7919 % (distinct + 1) {
            0 => services.append_null(),
            n => services.append_value(format!("a service of some length {n}")),
        }
    }
    let services: StringViewArray = services.finish();
    let rows = || 0..BATCH_ROWS;
    let numbers: Int64Array = rows()
        .map(|row| (row % 11 != 0).then_some((at(row) * 31 % (distinct * 7)) as i64))
        .collect();
    // Halves, whose sums are exact in whatever order.
    let doubles: Float64Array = rows()
        .map(|row| (row % 5 != 0).then_some(at(row) as f64 / 2.0))
        .collect();
    let zeros: Float64Array = rows()
        .map(|row| Some(if row % 2 == 0 { 0.0 } else { -0.0 }))
        .collect();
    let flags: BooleanArray = rows()
        .map(|row| (row % 3 != 0).then_some(row % 2 == 0))
        .collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("service", Arc::new(services)),
        ("number", Arc::new(numbers)),
        ("double", Arc::new(doubles)),
        ("zero", Arc::new(zeros)),
        ("flag", Arc::new(flags)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
        .expect("columns of one length")
}

fn context(with: bool) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(2)
        .with_batch_size(BATCH_ROWS);
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features();
    let state = match with {
        true => builder.with_physical_optimizer_rule(Arc::new(Condense)),
        false => builder,
    };
    let context = SessionContext::new_with_state(state.build());
    let partition =
        |from: usize, distinct: usize| (from..from + 9).map(|n| batch(n, distinct)).collect();
    let few = vec![partition(0, 5), partition(9, 5)];
    let many = vec![partition(0, 5_000), partition(9, 5_000)];
    // Rows that repeat, and then do not.
    let both: Vec<RecordBatch> = (0..9)
        .map(|n| batch(n, 3))
        .chain((9..20).map(|n| batch(n, 5_000)))
        .collect();
    for (name, partitions) in [("few", few), ("many", many), ("changing", vec![both])] {
        let schema = batch(0, 1).schema();
        let table = MemTable::try_new(schema, partitions).expect("batches of this schema");
        context
            .register_table(name, Arc::new(table))
            .expect("a new name");
    }
    context
}

async fn rows(context: &SessionContext, statement: &str) -> String {
    let batches = context
        .sql(statement)
        .await
        .expect("a plan")
        .collect()
        .await
        .expect("rows");
    pretty_format_batches(&batches).expect("text").to_string()
}

async fn check(select: &str) {
    let (with, without) = (context(true), context(false));
    for table in ["few", "many", "changing"] {
        let statement = select.replace("{}", table);
        assert_eq!(
            rows(&with, &statement).await,
            rows(&without, &statement).await,
            "{statement}"
        );
        let plan = with.sql(&statement).await.expect("a plan");
        let plan = plan.create_physical_plan().await.expect("a physical plan");
        let plan = displayable(plan.as_ref()).indent(false).to_string();
        assert!(plan.contains("CondenseExec"), "{plan}");
    }
}

#[tokio::test]
async fn counts_and_sums_are_the_same() {
    check(
        "SELECT service, count(*), count(number), sum(number), sum(double), min(double), \
         max(number), avg(double), bool_or(flag) FROM {} GROUP BY 1 ORDER BY 1",
    )
    .await;
}

#[tokio::test]
async fn several_columns_are_one_group() {
    check("SELECT number, service, flag, count(*) FROM {} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3").await;
    check("SELECT DISTINCT service, flag FROM {} ORDER BY 1, 2").await;
}

#[tokio::test]
async fn values_that_differ_in_bits_alone_are_merged() {
    check("SELECT zero, count(*) FROM {} GROUP BY 1 ORDER BY 1").await;
}

#[tokio::test]
async fn filters_of_aggregates_count() {
    check(
        "SELECT service, count(*) FILTER (WHERE flag), sum(number) FILTER (WHERE double > 100) \
         FROM {} GROUP BY 1 ORDER BY 1",
    )
    .await;
}

#[tokio::test]
async fn states_that_grow_are_left_to_the_aggregation() {
    let context = context(true);
    let statement = "SELECT service, array_agg(number) FROM few GROUP BY 1";
    let plan = context.sql(statement).await.expect("a plan");
    let plan = plan.create_physical_plan().await.expect("a physical plan");
    let plan = displayable(plan.as_ref()).indent(false).to_string();
    assert!(!plan.contains("CondenseExec"), "{plan}");
}
