//! SQL text of a tenant -> a checked plan -> rows, within limits of time, memory and size.

pub mod answer;
