//! What there is to ask: tables and columns, for `SHOW TABLES`, `DESCRIBE` and the schema answer.

mod documentation;

use crate::{
    error::{Error, Result},
    session::TenantSession,
};
use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use datafusion::{error::DataFusionError, sql::sqlparser::ast::ObjectName};
use std::sync::Arc;

/// Columns that begin so are for the tables' own use.
const HIDDEN: &str = "__";

/// A table and its columns.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) description: &'static str,
    pub(crate) schema: SchemaRef,
}

impl Described {
    /// The columns that statements can name.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &Field> {
        let fields = self.schema.fields().iter().map(|field| field.as_ref());
        fields.filter(|field| !field.name().starts_with(HIDDEN))
    }

    /// What a column means.
    pub(crate) fn column_description(&self, column: &str) -> &'static str {
        documentation::column(&self.name, column)
    }
}

/// All tables of the session, sorted by name.
pub(crate) async fn all(session: &TenantSession) -> Result<Vec<Described>> {
    let tables = session.tables().await?;
    let described = tables.into_iter().map(|(name, schema)| Described {
        description: documentation::table(&name),
        name,
        schema,
    });
    Ok(described.collect())
}

/// The answer to `SHOW TABLES`.
pub(super) async fn tables(session: &TenantSession) -> Result<RecordBatch> {
    let tables = all(session).await?;
    let names: StringArray = tables.iter().map(|t| Some(t.name.as_str())).collect();
    let descriptions: StringArray = tables.iter().map(|t| Some(t.description)).collect();
    batch(vec![
        ("table_name", Arc::new(names)),
        ("description", Arc::new(descriptions)),
    ])
}

/// The answer to `DESCRIBE name`.
pub(super) async fn columns(session: &TenantSession, name: &ObjectName) -> Result<RecordBatch> {
    let wanted = name.0.last().and_then(|part| part.as_ident());
    let wanted = wanted.map(|ident| match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    });
    let tables = all(session).await?;
    let table = tables.iter().find(|t| Some(&t.name) == wanted.as_ref());
    let table = table.ok_or_else(|| Error::NotFound {
        what: "the table",
        name: name.to_string(),
    })?;
    let names: StringArray = table.columns().map(|f| Some(f.name().as_str())).collect();
    let types: StringArray = table
        .columns()
        .map(|f| Some(sql_type(f.data_type())))
        .collect();
    let nullable: BooleanArray = table.columns().map(|f| Some(f.is_nullable())).collect();
    let description = |f: &Field| Some(table.column_description(f.name()));
    let descriptions: StringArray = table.columns().map(description).collect();
    batch(vec![
        ("column_name", Arc::new(names)),
        ("data_type", Arc::new(types)),
        ("is_nullable", Arc::new(nullable)),
        ("description", Arc::new(descriptions)),
    ])
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, c)| Field::new(*name, c.data_type().clone(), false))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
    Ok(batch.map_err(DataFusionError::from)?)
}

/// A type as SQL names it.
pub fn sql_type(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Null => "NULL",
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "TINYINT UNSIGNED",
        DataType::UInt16 => "SMALLINT UNSIGNED",
        DataType::UInt32 => "INTEGER UNSIGNED",
        DataType::UInt64 => "BIGINT UNSIGNED",
        DataType::Float16 | DataType::Float32 => "REAL",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "VARBINARY",
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Time32(_) | DataType::Time64(_) => "TIME",
        DataType::Duration(_) | DataType::Interval(_) => "INTERVAL",
        DataType::FixedSizeBinary(size) => return format!("BINARY({size})"),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            return format!("DECIMAL({precision}, {scale})");
        }
        DataType::Timestamp(unit, zone) => return timestamp_type(*unit, zone.is_some()),
        DataType::Dictionary(_, value) => return sql_type(value),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => return format!("{}[]", sql_type(item.data_type())),
        DataType::Struct(fields) => {
            let field = |f: &Arc<Field>| format!("{} {}", f.name(), sql_type(f.data_type()));
            let fields: Vec<String> = fields.iter().map(field).collect();
            return format!("STRUCT({})", fields.join(", "));
        }
        DataType::Map(..) => "MAP",
        DataType::Union(..) => "UNION",
        DataType::RunEndEncoded(_, values) => return sql_type(values.data_type()),
    };
    name.to_string()
}

fn timestamp_type(unit: TimeUnit, has_zone: bool) -> String {
    let digits = match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    let zone = if has_zone { " WITH TIME ZONE" } else { "" };
    format!("TIMESTAMP({digits}){zone}")
}

#[cfg(test)]
mod tests;
