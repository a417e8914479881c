//! Types by their SQL names. What is asked of a session is tested with the engine.

use super::sql_type;
use arrow::datatypes::{DataType, TimeUnit};

#[test]
fn types_have_sql_names() {
    let check = |data_type: DataType, expected: &str| assert_eq!(sql_type(&data_type), expected);
    check(DataType::Int64, "BIGINT");
    check(DataType::UInt64, "BIGINT UNSIGNED");
    check(DataType::Utf8View, "VARCHAR");
    check(DataType::FixedSizeBinary(16), "BINARY(16)");
    check(
        DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        "TIMESTAMP(9) WITH TIME ZONE",
    );
    check(DataType::Timestamp(TimeUnit::Second, None), "TIMESTAMP(0)");
    check(DataType::new_list(DataType::Float64, true), "DOUBLE[]");
    check(
        DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into()),
        "VARCHAR",
    );
    check(DataType::Decimal128(10, 2), "DECIMAL(10, 2)");
}
