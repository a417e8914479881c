//! Metrics in lines of text -> a request of ours, which is decoded, kept in the log and replayed as any other.
//!
//! - `exposition`: the Prometheus text format and OpenMetrics.
//! - `influx`: Influx line protocol.
//!
//! A line that cannot be read is a rejected record with its number; the other lines are stored.

pub(crate) mod exposition;
mod influx;

pub use influx::Precision;

use crate::{error::Result, prometheus::samples::SampleWriter};
use cairn_storage::{budget::Reservation, time::Nanos};

/// The format of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineForm {
    /// Prometheus text format 0.0.4: times in milliseconds.
    Text,
    /// OpenMetrics 1.0: times in seconds, exemplars.
    OpenMetrics,
    /// Influx line protocol with times in this unit.
    Influx(Precision),
}

/// Lines as a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcoded {
    /// In `Encoding::Samples`.
    pub payload: Vec<u8>,
    /// Fields that are texts, which are no metric, and were left out.
    pub skipped_texts: u64,
}

/// The request that lines received at `received` mean, of at most `limit_bytes`, paid from `memory`.
pub fn transcode(
    form: LineForm,
    text: &[u8],
    received: Nanos,
    (limit_bytes, memory): (u64, &mut Reservation),
) -> Result<Transcoded> {
    let mut writer = SampleWriter::new(limit_bytes, memory);
    let skipped_texts = match form {
        LineForm::Text | LineForm::OpenMetrics => {
            let is_openmetrics = form == LineForm::OpenMetrics;
            exposition::write(text, is_openmetrics, received, &mut writer)?;
            0
        }
        LineForm::Influx(precision) => influx::write(text, precision, received, &mut writer)?,
    };
    Ok(Transcoded {
        payload: writer.finish(),
        skipped_texts,
    })
}

#[cfg(test)]
mod tests;
