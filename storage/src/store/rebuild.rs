//! x
mod choose;
