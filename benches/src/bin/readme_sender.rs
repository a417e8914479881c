//! The Rust snippet of the README, word for word: `tests/sdk/acceptance.py` compares the two and runs this one.

use opentelemetry::{
    KeyValue,
    trace::{Span, Tracer, TracerProvider},
};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let exporter = SpanExporter::builder().with_http().build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("hello").build())
        .build();
    let tracer = provider.tracer("readme");
    let mut span = tracer.start("first");
    span.set_attribute(KeyValue::new("cart.items", 3));
    span.end();
    provider.shutdown()?;
    Ok(())
}
