//! `logproto.PushRequest`: what Loki's clients push (Loki 3, `pkg/push/push.proto`).
//!
//! `ingest` reads these from their bytes, so only tests and senders of ours write them. `hash` and `parsed`, which
//! servers of Loki send each other, are left out.

/// Streams of log entries.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    pub streams: Vec<Stream>,
}

/// Entries under one set of labels.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Stream {
    /// `{name="value", …}`, values quoted as Go quotes them.
    #[prost(string, tag = "1")]
    pub labels: String,
    #[prost(message, repeated, tag = "2")]
    pub entries: Vec<Entry>,
}

/// A line of log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
    #[prost(string, tag = "2")]
    pub line: String,
    #[prost(message, repeated, tag = "3")]
    pub structured_metadata: Vec<LabelPair>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Timestamp {
    /// Since the Unix epoch.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// A pair of structured metadata.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LabelPair {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn the_bytes_that_clients_send() {
        let request = PushRequest {
            streams: vec![Stream {
                labels: "{a=\"b\"}".to_string(),
                entries: vec![Entry {
                    timestamp: Some(Timestamp {
                        seconds: 3,
                        nanos: 4,
                    }),
                    line: "x".to_string(),
                    structured_metadata: vec![LabelPair {
                        name: "c".to_string(),
                        value: "d".to_string(),
                    }],
                }],
            }],
        };
        let expected = b"\x0a\x1c\x0a\x07{a=\"b\"}\x12\x11\x0a\x04\x08\x03\x10\x04\x12\x01x\x1a\x06\x0a\x01c\x12\x01d";
        assert_eq!(request.encode_to_vec(), expected);
    }
}
