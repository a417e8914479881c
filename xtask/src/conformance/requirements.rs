//! What is asked, by number, in the order of the page.

/// One number of the page.
pub(super) struct Requirement {
    pub(super) number: &'static str,
    /// `M`, `S` or `X` as the page explains, or nothing.
    pub(super) level: &'static str,
    pub(super) title: &'static str,
    /// Why nothing checks it, should nothing do.
    pub(super) unchecked: &'static str,
}

/// The reason where there is no better one: a step that has the checks did not run.
const NOT_RUN: &str = "the step that checks it did not run";

const fn asked(number: &'static str, level: &'static str, title: &'static str) -> Requirement {
    Requirement {
        number,
        level,
        title,
        unchecked: NOT_RUN,
    }
}

pub(super) const REQUIREMENTS: &[Requirement] = &[
    asked(
        "1",
        "M",
        "gRPC takes logs, metrics and traces by unary Export",
    ),
    asked("2", "M", "HTTP takes POST on the three paths over HTTP/1.1"),
    asked("3", "M/S", "HTTP/2 and HTTP/1.1 share the port"),
    asked(
        "4",
        "S",
        "protobuf and JSON share the port, told apart by Content-Type",
    ),
    asked("5", "M", "plain and gzip are taken on both transports"),
    asked(
        "6",
        "M",
        "an unknown gRPC encoding is UNIMPLEMENTED and the known ones are named",
    ),
    asked("7", "X", "an unknown Content-Encoding is 415 with a Status"),
    asked("8", "M", "success is 200 with the response message"),
    asked(
        "9",
        "M",
        "an answer has the media type of its request, errors too",
    ),
    asked("10", "M", "partial_success is unset on full success"),
    asked(
        "11",
        "M/S",
        "partial success counts exactly and says why in English",
    ),
    asked(
        "12",
        "M",
        "a mere warning is a partial success that rejects nothing",
    ),
    asked(
        "13",
        "X",
        "what was sent is stored or rejected, to the record",
    ),
    asked(
        "14",
        "X",
        "one bad record among ten thousand costs one record",
    ),
    asked("15", "S", "nothing to store is a success"),
    asked(
        "16",
        "M/S",
        "what is no protobuf is refused for good with a Status that says what is wrong",
    ),
    asked("17", "M", "what is no JSON is 400 with a Status in JSON"),
    asked(
        "18",
        "M/X",
        "broken compression is refused, several gzip members are taken",
    ),
    asked(
        "19",
        "M",
        "a body beyond the limit after decompression is refused for good, in bounded memory",
    ),
    asked("20", "S", "the limit can be set, and is 64 MiB"),
    asked("21", "X", "the limit is exact to the byte"),
    asked("22", "M", "a million refusals make a short answer"),
    asked("23", "S", "overload asks for a retry and says when"),
    asked(
        "24",
        "S",
        "spent memory is RESOURCE_EXHAUSTED with RetryInfo",
    ),
    asked(
        "25",
        "S",
        "Retry-After is whole seconds, one at least, and the retry goes through",
    ),
    asked(
        "26",
        "M",
        "bad data is never retryable, trouble of ours always is",
    ),
    asked("27", "X", "a retry is stored once"),
    asked(
        "28",
        "M",
        "only 429, 502, 503 and 504 ask for a retry over HTTP",
    ),
    asked(
        "29",
        "M",
        "who may not send is told so for good, on every protocol",
    ),
    asked(
        "30",
        "X",
        "unknown paths, methods and media types get their codes and a Status",
    ),
    asked(
        "31",
        "X",
        "media types in any case and with parameters are taken",
    ),
    asked(
        "32",
        "M",
        "JSON: ids are hexadecimal in either case, base64 is not taken",
    ),
    asked(
        "33",
        "M",
        "JSON: snake_case members are unknown, not errors",
    ),
    asked(
        "34",
        "M",
        "JSON: unknown members are ignored at every level",
    ),
    asked("35", "M", "JSON: enums are numbers, names are refused"),
    asked(
        "36",
        "M",
        "JSON: numbers and bytes in every form of the mapping",
    ),
    asked("37", "M", "JSON: null stands for the default"),
    asked("38", "X", "JSON: 64-bit integers are exact"),
    asked(
        "39",
        "M",
        "protobuf: what is unknown does not cost the record",
    ),
    asked(
        "40",
        "X",
        "protobuf: odd encodings, split messages and broken text do not cost the batch",
    ),
    asked(
        "41",
        "S",
        "an id of a wrong length is left out, the record is kept",
    ),
    asked(
        "42",
        "S",
        "a record without a time gets the time it was observed or received",
    ),
    asked(
        "43",
        "S",
        "values of every kind are stored: empty, bytes, mixed arrays, double keys",
    ),
    asked(
        "44",
        "X",
        "64 levels are stored, 65 reject the record alone",
    ),
    asked(
        "45",
        "S",
        "indices that only profiles know are treated as absent, with a warning",
    ),
    asked("46", "M", "trace flags are the low eight bits"),
    asked(
        "47",
        "M",
        "all kinds of metrics with all their fields are stored",
    ),
    asked("48", "X", "doubles are stored bit by bit"),
    asked(
        "49",
        "S",
        "a thousand calls at a time on one connection are answered, each its own",
    ),
    asked(
        "50",
        "X",
        "pings are answered, GOAWAY goes before a stop, a restart under load loses nothing",
    ),
    asked(
        "51",
        "X",
        "a client that goes away leaves all of its request or nothing",
    ),
    asked("52", "MAY", "an answer is not compressed unless asked for"),
    asked(
        "53",
        "X",
        "profiles are refused cleanly until they are supported",
    ),
    asked("54", "X", "every field of OTLP can be asked for in SQL"),
    asked(
        "55",
        "X",
        "what is stored is what was sent, field by field, over generated messages",
    ),
    asked(
        "3.2",
        "",
        "the ledger: received = stored + deduplicated + rejected + quarantined",
    ),
    asked(
        "3.3",
        "",
        "limits: reached and kept, while other clients go on",
    ),
    asked(
        "3.4",
        "",
        "SQL from tenants: no way out, no death, deadlines kept",
    ),
    asked(
        "3.5",
        "",
        "corruption: no wrong answer, a start that always comes",
    ),
    asked(
        "3.6",
        "",
        "faults of the system: refused or kept, never lost",
    ),
    asked("3.7", "", "contracts and packaging"),
    asked(
        "4.1",
        "",
        "PromQL: what the real Prometheus answers over the same series",
    ),
    asked(
        "4.2",
        "",
        "Prometheus' API about series, labels, exemplars and the text of queries",
    ),
    asked(
        "4.3",
        "",
        "remote write of real senders loses and doubles nothing, real clients read it back",
    ),
    asked(
        "4.4",
        "",
        "OpenTelemetry metrics of both temporalities by PromQL, against numbers worked out beside",
    ),
    asked(
        "5.1",
        "",
        "logs of real shippers: every record is counted back, its fields as they were sent",
    ),
    asked(
        "5.2",
        "",
        "Grafana's data sources: what they ask is answered in the shape that they read",
    ),
    asked(
        "5.3",
        "",
        "log search: words by the index are words by reading; exports and saved searches are whole",
    ),
];
