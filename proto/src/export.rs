//! `Export{Logs,Metrics,Trace}ServiceResponse` (opentelemetry-proto 1.x, `collector/*/v1`).
//!
//! The three have one shape on the wire: field 1 is the partial success, whose field 1 is the number of
//! rejected records (log records, data points or spans) and whose field 2 is a message in English.

use prost::Message;

/// An export response of any signal.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExportResponse {
    /// Unset when everything was accepted and there is nothing to warn of (OTLP, "Full Success").
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// What was not accepted, or a warning where `rejected` is 0.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PartialSuccess {
    /// Log records, data points or spans, as the signal counts.
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    /// Never empty when `rejected` is above 0.
    #[prost(string, tag = "2")]
    pub error_message: String,
}

impl ExportResponse {
    /// The response of a request of which `rejected` records were not accepted; without any and without a
    /// message it is a full success.
    pub fn new(rejected: u64, message: &str) -> ExportResponse {
        if rejected == 0 && message.is_empty() {
            return ExportResponse::default();
        }
        let rejected = i64::try_from(rejected).unwrap_or(i64::MAX);
        let partial = PartialSuccess {
            rejected,
            error_message: message.to_string(),
        };
        ExportResponse {
            partial_success: Some(partial),
        }
    }

    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::{
        logs::v1::ExportLogsServiceResponse, metrics::v1::ExportMetricsServiceResponse,
        trace::v1::ExportTraceServiceResponse,
    };

    #[test]
    fn all_three_signals_read_it() {
        let bytes = ExportResponse::new(3, "two too old, one too large").encode();
        let logs = ExportLogsServiceResponse::decode(&bytes[..])
            .unwrap()
            .partial_success
            .unwrap();
        assert_eq!(logs.rejected_log_records, 3);
        assert_eq!(logs.error_message, "two too old, one too large");
        let metrics = ExportMetricsServiceResponse::decode(&bytes[..]).unwrap();
        assert_eq!(metrics.partial_success.unwrap().rejected_data_points, 3);
        let trace = ExportTraceServiceResponse::decode(&bytes[..]).unwrap();
        assert_eq!(trace.partial_success.unwrap().rejected_spans, 3);
    }

    #[test]
    fn full_success_is_an_empty_message_and_a_warning_is_not() {
        assert!(ExportResponse::new(0, "").encode().is_empty());
        let warning = ExportResponse::new(0, "one key stood twice").encode();
        let logs = ExportLogsServiceResponse::decode(&warning[..]).unwrap();
        assert_eq!(
            logs.partial_success.unwrap().error_message,
            "one key stood twice"
        );
    }
}
