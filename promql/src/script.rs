//! Test scripts in the format of Prometheus' own suite: series are loaded, expressions evaluated, answers compared.
//!
//! The flow: `parse.rs` reads a script with `series.rs` for its series, `classic.rs` adds native histograms where a load
//! asks for them, `run.rs` executes it over a [`Storage`] and has `compare.rs` judge the answers.

mod classic;
mod compare;
mod expect;
mod memory;
mod model;
mod parse;
mod pinned;
mod run;
mod series;

pub use memory::{Memory, as_stored};
pub use model::{Failure, Outcome, ScriptSeries, ScriptValue, Storage};
pub use run::run;

#[cfg(test)]
mod tests;
