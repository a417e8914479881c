//! The types that a promoted value has.

/// The types that promoted columns have.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    Text,
    Int,
    Double,
    Bool,
}
