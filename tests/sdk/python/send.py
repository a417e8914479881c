"""Sends all three signals through the Python OpenTelemetry SDK: `send.py grpc|http ENDPOINT SERVICE`.

Prints what it sent as JSON, so that the caller can compare it with what SQL returns.
"""

import json
import sys
import time

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode


def exporters(protocol, endpoint):
    """The three exporters for one protocol."""
    delta = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.CUMULATIVE}
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return (
            OTLPLogExporter(endpoint=endpoint, insecure=True),
            OTLPMetricExporter(endpoint=endpoint, insecure=True, preferred_temporality=delta),
            OTLPSpanExporter(endpoint=endpoint, insecure=True),
        )
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    gzip = Compression.Gzip
    return (
        OTLPLogExporter(endpoint=f"{endpoint}/v1/logs", compression=gzip),
        OTLPMetricExporter(
            endpoint=f"{endpoint}/v1/metrics", compression=gzip, preferred_temporality=delta
        ),
        OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", compression=gzip),
    )


def send_logs(provider, sent, context):
    logger = provider.get_logger(
        "shop.logs", version="1.2.3", schema_url="https://opentelemetry.io/schemas/1.30.0"
    )
    bodies = [
        ("string", "order placed"),
        ("int", 9007199254740993),
        ("double", 1.5),
        ("bool", True),
        ("bytes", b"\x00\xff"),
        ("array", ["a", 1, 2.5]),
        ("kvlist", {"deep": {"er": ["x"]}, "n": 1}),
    ]
    for index, (kind, body) in enumerate(bodies):
        stamp = time.time_ns() + index
        attributes = {"text": f"v{index}", "int": 9007199254740993 + index, "double": 0.25}
        attributes |= {"flag": index % 2 == 0, "list": ["x", "y"], "index": index}
        logger.emit(
            timestamp=stamp,
            observed_timestamp=stamp + 5,
            context=context,
            severity_number=SeverityNumber(9 + index),
            severity_text=f"S{index}",
            body=body,
            attributes=attributes,
            event_name=f"shop.event.{index}",
        )
        sent["logs"].append(
            {
                "timestamp": stamp,
                "observed_timestamp": stamp + 5,
                "severity_number": 9 + index,
                "severity_text": f"S{index}",
                "body_type": kind,
                "event_name": f"shop.event.{index}",
                "index": index,
                "int": 9007199254740993 + index,
            }
        )


def send_spans(provider, sent):
    tracer = provider.get_tracer("shop.spans", "2.0", schema_url="https://opentelemetry.io/schemas/1.31.0")
    with tracer.start_as_current_span("parent", kind=SpanKind.SERVER, attributes={"k": "p"}) as parent:
        parent.add_event("cache miss", {"key": "cart:1", "tries": 3})
        link = Link(parent.get_span_context(), {"why": "retry"})
        with tracer.start_as_current_span("child", kind=SpanKind.CLIENT, links=[link]) as child:
            child.set_status(Status(StatusCode.ERROR, "card declined"))
            child.record_exception(ValueError("no funds"))
        context = trace.set_span_in_context(parent)
    for span in (parent, child):
        ids = span.get_span_context()
        sent["spans"].append(
            {
                "name": span.name,
                "trace_id": f"{ids.trace_id:032x}",
                "span_id": f"{ids.span_id:016x}",
                "start": span.start_time,
                "end": span.end_time,
                "events": len(span.events),
                "links": len(span.links),
            }
        )
    return context


def send_metrics(provider, sent):
    meter = provider.get_meter("shop.metrics", "3.0")
    meter.create_counter("orders", unit="{order}", description="orders placed").add(
        7, {"region": "eu"}
    )
    meter.create_up_down_counter("carts").add(-3, {"region": "us"})
    meter.create_observable_gauge("queue.depth", [lambda _: [Observation(42.5, {"queue": "mail"})]])
    meter.create_histogram("latency", unit="ms").record(12.5, {"route": "/pay"})
    exponential = meter.create_histogram("latency.exp", unit="ms")
    for value in (0.0, 0.5, 3.0, 900.0):
        exponential.record(value, {"route": "/pay"})
    sent["metrics"] = {
        "orders": {"type": "sum", "value_int": 7, "temporality": "delta"},
        "carts": {"type": "sum", "value_int": -3, "temporality": "cumulative"},
        "queue.depth": {"type": "gauge", "value": 42.5, "temporality": None},
        "latency": {"type": "histogram", "count": 1, "sum": 12.5},
        "latency.exp": {"type": "exponential_histogram", "count": 4, "sum": 903.5},
    }


def main():
    protocol, endpoint, service = sys.argv[1:4]
    logs, metrics, spans = exporters(protocol, endpoint)
    resource = Resource.create(
        {"service.name": service, "host.cpus": 4, "ratio": 0.5, "on": True, "zones": ["a", "b"]}
    )
    sent = {"service": service, "logs": [], "spans": [], "metrics": {}}
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    traces.add_span_processor(BatchSpanProcessor(spans))
    context = send_spans(traces, sent)
    log_provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    log_provider.add_log_record_processor(BatchLogRecordProcessor(logs))
    send_logs(log_provider, sent, context)
    view = View(instrument_name="latency.exp", aggregation=ExponentialBucketHistogramAggregation())
    reader = PeriodicExportingMetricReader(metrics, export_interval_millis=3_600_000)
    meters = MeterProvider([reader], resource=resource, views=[view], shutdown_on_exit=False)
    send_metrics(meters, sent)
    # Shutdown exports what is left; a flush before it would export cumulative metrics twice.
    for provider in (traces, log_provider, meters):
        provider.shutdown()
    print(json.dumps(sent))


main()
