//! Requests as OTLP/JSON, written from prost's structs in every form that is allowed: any order, whitespace, escapes,
//! numbers in and out of quotes, members of no meaning. It shares nothing with the decoder under test.

use crate::generate::Request;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, EntityRef, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::LogRecord,
    metrics::v1::{
        Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
        SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric::Data,
        number_data_point,
    },
    resource::v1::Resource,
    trace::v1::{Span, Status, span},
};
use rand::{RngExt, rngs::StdRng, seq::SliceRandom};

pub(crate) struct Writer<'r> {
    pub(crate) random: &'r mut StdRng,
}

/// A member: its name and value, perhaps after one of the same name that it replaces.
type Member = String;

impl Writer<'_> {
    pub(crate) fn request(&mut self, request: &Request) -> String {
        let (name, groups) = match request {
            Request::Logs(logs) => {
                let mut groups = Vec::new();
                for group in &logs.resource_logs {
                    let mut scopes = Vec::new();
                    for scope in &group.scope_logs {
                        let records: Vec<_> =
                            scope.log_records.iter().map(|r| self.log(r)).collect();
                        let url = &scope.schema_url;
                        scopes.push(self.scope_group(&scope.scope, "logRecords", records, url));
                    }
                    let url = &group.schema_url;
                    groups.push(self.resource_group(&group.resource, "scopeLogs", scopes, url));
                }
                ("resourceLogs", groups)
            }
            Request::Spans(spans) => {
                let mut groups = Vec::new();
                for group in &spans.resource_spans {
                    let mut scopes = Vec::new();
                    for scope in &group.scope_spans {
                        let records: Vec<_> = scope.spans.iter().map(|r| self.span(r)).collect();
                        let url = &scope.schema_url;
                        scopes.push(self.scope_group(&scope.scope, "spans", records, url));
                    }
                    let url = &group.schema_url;
                    groups.push(self.resource_group(&group.resource, "scopeSpans", scopes, url));
                }
                ("resourceSpans", groups)
            }
            Request::Metrics(metrics) => {
                let mut groups = Vec::new();
                for group in &metrics.resource_metrics {
                    let mut scopes = Vec::new();
                    for scope in &group.scope_metrics {
                        let records: Vec<_> =
                            scope.metrics.iter().map(|r| self.metric(r)).collect();
                        let url = &scope.schema_url;
                        scopes.push(self.scope_group(&scope.scope, "metrics", records, url));
                    }
                    let url = &group.schema_url;
                    groups.push(self.resource_group(&group.resource, "scopeMetrics", scopes, url));
                }
                ("resourceMetrics", groups)
            }
        };
        let members = vec![self.list(name, groups)];
        let text = self.object(members);
        match self.chance(5) {
            true => format!("\u{feff}{text}"),
            false => text,
        }
    }

    fn resource_group(
        &mut self,
        resource: &Option<Resource>,
        name: &str,
        scopes: Vec<String>,
        url: &str,
    ) -> String {
        let mut members = vec![self.list(name, scopes), self.text("schemaUrl", url)];
        let resource = resource.as_ref().map(|resource| {
            let entities = resource
                .entity_refs
                .iter()
                .map(|e| self.entity(e))
                .collect();
            let members = vec![
                self.attributes("attributes", &resource.attributes),
                self.int(
                    "droppedAttributesCount",
                    resource.dropped_attributes_count.into(),
                ),
                self.list("entityRefs", entities),
            ];
            self.object(members)
        });
        members.push(self.optional("resource", resource));
        self.object(members)
    }

    fn entity(&mut self, entity: &EntityRef) -> String {
        let id_keys = entity.id_keys.iter().map(|key| self.quoted(key)).collect();
        let description_keys = entity
            .description_keys
            .iter()
            .map(|key| self.quoted(key))
            .collect();
        let members = vec![
            self.text("schemaUrl", &entity.schema_url),
            self.text("type", &entity.r#type),
            self.list("idKeys", id_keys),
            self.list("descriptionKeys", description_keys),
        ];
        self.object(members)
    }

    fn scope_group(
        &mut self,
        scope: &Option<InstrumentationScope>,
        name: &str,
        records: Vec<String>,
        url: &str,
    ) -> String {
        let mut members = vec![self.list(name, records), self.text("schemaUrl", url)];
        let scope = scope.as_ref().map(|scope| {
            let members = vec![
                self.text("name", &scope.name),
                self.text("version", &scope.version),
                self.attributes("attributes", &scope.attributes),
                self.int(
                    "droppedAttributesCount",
                    scope.dropped_attributes_count.into(),
                ),
            ];
            self.object(members)
        });
        members.push(self.optional("scope", scope));
        self.object(members)
    }

    fn log(&mut self, record: &LogRecord) -> String {
        let body = record.body.as_ref().map(|body| self.any_value(body));
        let members = vec![
            self.int("timeUnixNano", record.time_unix_nano.into()),
            self.int(
                "observedTimeUnixNano",
                record.observed_time_unix_nano.into(),
            ),
            self.enumeration("severityNumber", record.severity_number),
            self.text("severityText", &record.severity_text),
            self.optional("body", body),
            self.attributes("attributes", &record.attributes),
            self.int(
                "droppedAttributesCount",
                record.dropped_attributes_count.into(),
            ),
            self.int("flags", record.flags.into()),
            self.id("traceId", &record.trace_id),
            self.id("spanId", &record.span_id),
            self.text("eventName", &record.event_name),
        ];
        self.object(members)
    }

    fn span(&mut self, span: &Span) -> String {
        let events = span.events.iter().map(|event| self.event(event)).collect();
        let links = span.links.iter().map(|link| self.link(link)).collect();
        let status = span.status.as_ref().map(|status| self.status(status));
        let members = vec![
            self.id("traceId", &span.trace_id),
            self.id("spanId", &span.span_id),
            self.text("traceState", &span.trace_state),
            self.id("parentSpanId", &span.parent_span_id),
            self.int("flags", span.flags.into()),
            self.text("name", &span.name),
            self.enumeration("kind", span.kind),
            self.int("startTimeUnixNano", span.start_time_unix_nano.into()),
            self.int("endTimeUnixNano", span.end_time_unix_nano.into()),
            self.attributes("attributes", &span.attributes),
            self.int(
                "droppedAttributesCount",
                span.dropped_attributes_count.into(),
            ),
            self.list("events", events),
            self.int("droppedEventsCount", span.dropped_events_count.into()),
            self.list("links", links),
            self.int("droppedLinksCount", span.dropped_links_count.into()),
            self.optional("status", status),
        ];
        self.object(members)
    }

    fn event(&mut self, event: &span::Event) -> String {
        let members = vec![
            self.int("timeUnixNano", event.time_unix_nano.into()),
            self.text("name", &event.name),
            self.attributes("attributes", &event.attributes),
            self.int(
                "droppedAttributesCount",
                event.dropped_attributes_count.into(),
            ),
        ];
        self.object(members)
    }

    fn link(&mut self, link: &span::Link) -> String {
        let members = vec![
            self.id("traceId", &link.trace_id),
            self.id("spanId", &link.span_id),
            self.text("traceState", &link.trace_state),
            self.attributes("attributes", &link.attributes),
            self.int(
                "droppedAttributesCount",
                link.dropped_attributes_count.into(),
            ),
            self.int("flags", link.flags.into()),
        ];
        self.object(members)
    }

    fn status(&mut self, status: &Status) -> String {
        let members = vec![
            self.text("message", &status.message),
            self.enumeration("code", status.code),
        ];
        self.object(members)
    }

    fn metric(&mut self, metric: &Metric) -> String {
        let mut members = vec![
            self.text("name", &metric.name),
            self.text("description", &metric.description),
            self.text("unit", &metric.unit),
            self.attributes("metadata", &metric.metadata),
        ];
        let of_sums = |data: &Data| match data {
            Data::Sum(sum) => Some(sum.aggregation_temporality),
            Data::Histogram(histogram) => Some(histogram.aggregation_temporality),
            Data::ExponentialHistogram(histogram) => Some(histogram.aggregation_temporality),
            _ => None,
        };
        if let Some(data) = &metric.data {
            let (name, points): (_, Vec<_>) = match data {
                Data::Gauge(gauge) => {
                    let points = gauge.data_points.iter();
                    ("gauge", points.map(|p| self.number_point(p)).collect())
                }
                Data::Sum(sum) => {
                    let points = sum.data_points.iter();
                    ("sum", points.map(|p| self.number_point(p)).collect())
                }
                Data::Histogram(histogram) => {
                    let points = histogram.data_points.iter();
                    ("histogram", points.map(|p| self.histogram(p)).collect())
                }
                Data::ExponentialHistogram(histogram) => {
                    let points = histogram.data_points.iter();
                    let points = points.map(|p| self.exponential(p)).collect();
                    ("exponentialHistogram", points)
                }
                Data::Summary(summary) => {
                    let points = summary.data_points.iter();
                    ("summary", points.map(|p| self.summary(p)).collect())
                }
            };
            let mut inner = vec![self.list("dataPoints", points)];
            if let Some(temporality) = of_sums(data) {
                inner.push(self.enumeration("aggregationTemporality", temporality));
            }
            if let Data::Sum(sum) = data {
                inner.push(self.replaced("isMonotonic", &["true", "false"], |_| {
                    sum.is_monotonic.to_string()
                }));
            }
            let data = self.object(inner);
            members.push(self.optional(name, Some(data)));
        }
        self.object(members)
    }

    fn number_point(&mut self, point: &NumberDataPoint) -> String {
        let exemplars = point.exemplars.iter().map(|e| self.exemplar(e)).collect();
        let mut members = vec![
            self.attributes("attributes", &point.attributes),
            self.int("startTimeUnixNano", point.start_time_unix_nano.into()),
            self.int("timeUnixNano", point.time_unix_nano.into()),
            self.list("exemplars", exemplars),
            self.int("flags", point.flags.into()),
        ];
        let other = r#""asDouble":1.5,"asInt":"7""#;
        match &point.value {
            Some(number_data_point::Value::AsDouble(value)) => {
                let member = self.double("asDouble", *value);
                members.push(self.after_another(other, member));
            }
            Some(number_data_point::Value::AsInt(value)) => {
                let member = self.present("asInt", |w| w.int_text((*value).into()));
                members.push(self.after_another(other, member));
            }
            None => {}
        }
        self.object(members)
    }

    fn histogram(&mut self, point: &HistogramDataPoint) -> String {
        let exemplars = point.exemplars.iter().map(|e| self.exemplar(e)).collect();
        let counts = self.whole_numbers(&point.bucket_counts);
        let bounds = point.explicit_bounds.iter();
        let bounds = bounds.map(|bound| self.double_text(*bound)).collect();
        let mut members = vec![
            self.attributes("attributes", &point.attributes),
            self.int("startTimeUnixNano", point.start_time_unix_nano.into()),
            self.int("timeUnixNano", point.time_unix_nano.into()),
            self.int("count", point.count.into()),
            self.list("bucketCounts", counts),
            self.list("explicitBounds", bounds),
            self.list("exemplars", exemplars),
            self.int("flags", point.flags.into()),
        ];
        for (name, value) in [("sum", point.sum), ("min", point.min), ("max", point.max)] {
            members.push(self.optional_double(name, value));
        }
        self.object(members)
    }

    fn exponential(&mut self, point: &ExponentialHistogramDataPoint) -> String {
        let exemplars = point.exemplars.iter().map(|e| self.exemplar(e)).collect();
        let positive = point.positive.as_ref().map(|side| self.buckets(side));
        let negative = point.negative.as_ref().map(|side| self.buckets(side));
        let mut members = vec![
            self.attributes("attributes", &point.attributes),
            self.int("startTimeUnixNano", point.start_time_unix_nano.into()),
            self.int("timeUnixNano", point.time_unix_nano.into()),
            self.int("count", point.count.into()),
            self.int("scale", point.scale.into()),
            self.int("zeroCount", point.zero_count.into()),
            self.optional("positive", positive),
            self.optional("negative", negative),
            self.list("exemplars", exemplars),
            self.int("flags", point.flags.into()),
            self.double("zeroThreshold", point.zero_threshold),
        ];
        for (name, value) in [("sum", point.sum), ("min", point.min), ("max", point.max)] {
            members.push(self.optional_double(name, value));
        }
        self.object(members)
    }

    fn buckets(&mut self, buckets: &Buckets) -> String {
        let counts = self.whole_numbers(&buckets.bucket_counts);
        let members = vec![
            self.int("offset", buckets.offset.into()),
            self.list("bucketCounts", counts),
        ];
        self.object(members)
    }

    fn summary(&mut self, point: &SummaryDataPoint) -> String {
        let mut quantiles = Vec::new();
        for quantile in &point.quantile_values {
            let members = vec![
                self.double("quantile", quantile.quantile),
                self.double("value", quantile.value),
            ];
            quantiles.push(self.object(members));
        }
        let members = vec![
            self.attributes("attributes", &point.attributes),
            self.int("startTimeUnixNano", point.start_time_unix_nano.into()),
            self.int("timeUnixNano", point.time_unix_nano.into()),
            self.int("count", point.count.into()),
            self.double("sum", point.sum),
            self.list("quantileValues", quantiles),
            self.int("flags", point.flags.into()),
        ];
        self.object(members)
    }

    fn exemplar(&mut self, exemplar: &Exemplar) -> String {
        let mut members = vec![
            self.attributes("filteredAttributes", &exemplar.filtered_attributes),
            self.int("timeUnixNano", exemplar.time_unix_nano.into()),
            self.id("spanId", &exemplar.span_id),
            self.id("traceId", &exemplar.trace_id),
        ];
        match &exemplar.value {
            Some(exemplar::Value::AsDouble(value)) => members.push(self.double("asDouble", *value)),
            Some(exemplar::Value::AsInt(value)) => {
                members.push(self.present("asInt", |w| w.int_text((*value).into())));
            }
            None => {}
        }
        self.object(members)
    }

    fn attributes(&mut self, name: &str, attributes: &[KeyValue]) -> Member {
        let attributes = attributes.iter().map(|pair| self.key_value(pair)).collect();
        self.list(name, attributes)
    }

    fn key_value(&mut self, pair: &KeyValue) -> String {
        let value = pair.value.as_ref().map(|value| self.any_value(value));
        let members = vec![
            self.text("key", &pair.key),
            self.optional("value", value),
            self.int("keyStrindex", pair.key_strindex.into()),
        ];
        self.object(members)
    }

    fn any_value(&mut self, value: &AnyValue) -> String {
        let Some(value) = &value.value else {
            return self.object(Vec::new());
        };
        let member = match value {
            Value::StringValue(text) => self.present("stringValue", |w| w.quoted(text)),
            Value::BoolValue(value) => self.present("boolValue", |_| value.to_string()),
            Value::IntValue(value) => self.present("intValue", |w| w.int_text((*value).into())),
            Value::DoubleValue(value) => self.present("doubleValue", |w| w.double_text(*value)),
            Value::BytesValue(bytes) => self.present("bytesValue", |w| w.base64(bytes)),
            Value::StringValueStrindex(index) => {
                self.present("stringValueStrindex", |w| w.int_text((*index).into()))
            }
            Value::ArrayValue(array) => {
                let values = array.values.iter().map(|v| self.any_value(v)).collect();
                let members = vec![self.list("values", values)];
                let array = self.object(members);
                self.present("arrayValue", |_| array)
            }
            Value::KvlistValue(map) => {
                let members = vec![self.attributes("values", &map.values)];
                let map = self.object(members);
                self.present("kvlistValue", |_| map)
            }
        };
        let other =
            r#""kvlistValue":{"values":[{"key":"x"}]},"stringValue":"replaced","boolValue":true"#;
        let member = self.after_another(other, member);
        self.object(vec![member])
    }

    /// A member of a oneof after others, which it replaces.
    fn after_another(&mut self, others: &str, member: Member) -> Member {
        match self.chance(3) {
            true => format!("{others},{member}"),
            false => member,
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_ratio(percent, 100)
    }

    fn space(&mut self) -> &'static str {
        match self.random.random_range(0..12) {
            0 => " ",
            1 => "\n\t",
            2 => "\r\n  ",
            _ => "",
        }
    }

    /// An object of these members, which are left out where they are empty, and of some that mean nothing.
    fn object(&mut self, mut members: Vec<Member>) -> String {
        members.retain(|member| !member.is_empty());
        if self.chance(4) {
            let name = [
                "resource_logs",
                "time_unix_nano",
                "severity",
                "",
                "näme",
                "\\u0041",
            ];
            let name = name[self.random.random_range(0..name.len())];
            let value = self.anything(3);
            members.push(format!("\"{name}\":{value}"));
        }
        members.shuffle(self.random);
        let mut text = String::from("{");
        for (index, member) in members.iter().enumerate() {
            text += if index > 0 { "," } else { "" };
            text += self.space();
            text += member;
            text += self.space();
        }
        text + self.space() + "}"
    }

    /// A value that no field has.
    fn anything(&mut self, depth: usize) -> String {
        let choices = if depth == 0 { 5 } else { 7 };
        match self.random.random_range(0..choices) {
            0 => "null".to_string(),
            1 => "-1.5E+300".to_string(),
            2 => r#""text \" \\ \ud800 \u0000""#.to_string(),
            3 => "true".to_string(),
            4 => "{ }".to_string(),
            5 => format!(
                "[ {}, [], {}]",
                self.anything(depth - 1),
                self.anything(depth - 1)
            ),
            _ => format!(r#"{{"a" : {}, "a":[false]}}"#, self.anything(depth - 1)),
        }
    }

    fn present(&mut self, name: &str, value: impl FnOnce(&mut Self) -> String) -> Member {
        let value = value(self);
        let name = match self.chance(2) {
            // A name is text, and text may be escaped.
            true => format!("\\u{:04X}{}", u32::from(name.as_bytes()[0]), &name[1..]),
            false => name.to_string(),
        };
        format!("\"{name}\"{}:{}{value}", self.space(), self.space())
    }

    /// A member without a value is absent, or null.
    fn optional(&mut self, name: &str, value: Option<String>) -> Member {
        match value {
            Some(value) => self.present(name, |_| value),
            None if self.chance(20) => self.present(name, |_| "null".to_string()),
            None => String::new(),
        }
    }

    /// A scalar, perhaps after a value of the same field that it replaces; or, where it is the default, not at all.
    fn replaced(
        &mut self,
        name: &str,
        earlier: &[&str],
        value: impl FnOnce(&mut Self) -> String,
    ) -> Member {
        let member = self.present(name, value);
        match self.random.random_range(0..40) {
            0 => {
                let earlier = earlier[self.random.random_range(0..earlier.len())];
                format!("\"{name}\":{earlier},{member}")
            }
            1 => format!("{member},\"{name}\":null"),
            _ => member,
        }
    }

    fn is_left_out(&mut self, is_default: bool) -> bool {
        is_default && self.chance(70)
    }

    fn text(&mut self, name: &str, text: &str) -> Member {
        if self.is_left_out(text.is_empty()) {
            return self.optional(name, None);
        }
        self.replaced(name, &[r#""""#, r#""replaced""#], |w| w.quoted(text))
    }

    fn int(&mut self, name: &str, value: i128) -> Member {
        if self.is_left_out(value == 0) {
            return self.optional(name, None);
        }
        self.replaced(name, &["1", r#""2""#], |w| w.int_text(value))
    }

    fn enumeration(&mut self, name: &str, value: i32) -> Member {
        if self.is_left_out(value == 0) {
            return self.optional(name, None);
        }
        self.replaced(name, &["1"], |_| value.to_string())
    }

    fn double(&mut self, name: &str, value: f64) -> Member {
        let is_default = value == 0.0 && name != "asDouble";
        if self.is_left_out(is_default) {
            return self.optional(name, None);
        }
        // prost takes a negative zero for the default too, and leaves it out.
        let value = if is_default { 0.0 } else { value };
        self.replaced(name, &["1", r#""NaN""#], |w| w.double_text(value))
    }

    fn optional_double(&mut self, name: &str, value: Option<f64>) -> Member {
        let value = value.map(|value| self.double_text(value));
        self.optional(name, value)
    }

    fn id(&mut self, name: &str, id: &[u8]) -> Member {
        if self.is_left_out(id.is_empty()) {
            return self.optional(name, None);
        }
        self.replaced(name, &[r#""""#, r#""07""#], |w| {
            let digits = id.iter().map(|byte| match w.chance(50) {
                true => format!("{byte:02x}"),
                false => format!("{byte:02X}"),
            });
            format!("\"{}\"", digits.collect::<String>())
        })
    }

    fn list(&mut self, name: &str, elements: Vec<String>) -> Member {
        if elements.is_empty() {
            return match self.random.random_range(0..4) {
                0 => self.present(name, |_| "[]".to_string()),
                1 => self.present(name, |w| format!("[{}]", w.space())),
                _ => self.optional(name, None),
            };
        }
        // A list in two parts is one list.
        let split = match self.chance(5) {
            true => self.random.random_range(0..elements.len()),
            false => elements.len(),
        };
        let mut members = Vec::new();
        for part in [&elements[..split], &elements[split..]] {
            let mut text = String::from("[");
            for (index, element) in part.iter().enumerate() {
                text += if index > 0 { "," } else { "" };
                text += self.space();
                text += element;
            }
            text += self.space();
            members.push(self.present(name, |_| text + "]"));
        }
        match split == elements.len() {
            true => members.swap_remove(0),
            false => members.join(","),
        }
    }

    fn whole_numbers(&mut self, numbers: &[u64]) -> Vec<String> {
        numbers
            .iter()
            .map(|number| self.int_text((*number).into()))
            .collect()
    }

    /// A whole number in one of its forms, in quotes or not.
    fn int_text(&mut self, value: i128) -> String {
        let plain = value.to_string();
        let text = match self.random.random_range(0..20) {
            0 => format!("{plain}.000"),
            1 => format!("{plain}e0"),
            2 if value != 0 => format!("{plain}00E-2"),
            3 if value % 10 == 0 => format!("{}e+1", value / 10),
            4 => {
                // One digit before the point, the others behind it.
                let digits = value.unsigned_abs().to_string();
                let sign = if value < 0 { "-" } else { "" };
                let fraction = format!("{}0", &digits[1..]);
                format!("{sign}{}.{fraction}e{}", &digits[..1], digits.len() - 1)
            }
            5 if value == 0 => "-0".to_string(),
            _ => plain,
        };
        match self.chance(60) {
            true => format!("\"{text}\""),
            false => text,
        }
    }

    fn double_text(&mut self, value: f64) -> String {
        if value.is_nan() {
            return "\"NaN\"".to_string();
        }
        if value.is_infinite() {
            return if value > 0.0 {
                "\"Infinity\""
            } else {
                "\"-Infinity\""
            }
            .to_string();
        }
        let text = match self.random.random_range(0..3) {
            0 => format!("{value}"),
            1 => format!("{value:e}"),
            _ => format!("{value:E}"),
        };
        match self.chance(15) {
            true => format!("\"{text}\""),
            false => text,
        }
    }

    fn base64(&mut self, bytes: &[u8]) -> String {
        let mut alphabet = String::from_iter(('A'..='Z').chain('a'..='z').chain('0'..='9'));
        alphabet += if self.chance(50) { "-_" } else { "+/" };
        let is_padded = self.chance(50);
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let padded = [
                chunk[0],
                *chunk.get(1).unwrap_or(&0),
                *chunk.get(2).unwrap_or(&0),
            ];
            let bits = u32::from_be_bytes([0, padded[0], padded[1], padded[2]]);
            for place in 0..4 {
                let digit = (bits >> (18 - 6 * place) & 63) as usize;
                match place <= chunk.len() {
                    true => text += &alphabet[digit..=digit],
                    false if is_padded => text += "=",
                    false => {}
                }
            }
        }
        // A slash may be escaped, and PHP does.
        let text = match self.chance(50) {
            true => text.replace('/', "\\/"),
            false => text,
        };
        format!("\"{text}\"")
    }

    fn quoted(&mut self, text: &str) -> String {
        let mut out = String::from("\"");
        let is_escaped = self.chance(10);
        for character in text.chars() {
            let must = matches!(character, '"' | '\\' | '\0'..='\u{1f}');
            let short = match character {
                '"' => Some("\\\""),
                '\\' => Some("\\\\"),
                '/' => Some("\\/"),
                '\n' => Some("\\n"),
                '\t' => Some("\\t"),
                _ => None,
            };
            match short {
                Some(short) if must && self.chance(70) => out += short,
                _ if must || (is_escaped && self.chance(30)) => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        out += &format!("\\u{unit:04x}");
                    }
                }
                _ => out.push(character),
            }
        }
        out + "\""
    }
}
