"""Many records of all signals by the Python SDK: `many.py grpc|http ENDPOINT SERVICE COUNT`.

Every tenth log record and span has an attribute that is longer than the server takes. Credentials come from the environment
(`OTEL_EXPORTER_OTLP_HEADERS`).
"""

import os
import sys

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

LONG = "x" * 3_000


def exporters(protocol, endpoint):
    """The three exporters for one protocol."""
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        options = {"endpoint": endpoint, "insecure": True}
        return OTLPLogExporter(**options), OTLPMetricExporter(**options), OTLPSpanExporter(**options)
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return (
        OTLPLogExporter(endpoint=f"{endpoint}/v1/logs"),
        OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics"),
        OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces"),
    )


def main():
    protocol, endpoint, service, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    logs, metrics, spans = exporters(protocol, endpoint)
    resource = Resource.create({"service.name": service})
    options = {"max_queue_size": 2 * count, "max_export_batch_size": 100}
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    traces.add_span_processor(BatchSpanProcessor(spans, **options))
    loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
    loggers.add_log_record_processor(BatchLogRecordProcessor(logs, **options))
    tracer, logger = traces.get_tracer("ledger"), loggers.get_logger("ledger")
    for number in range(count):
        attributes = {"n": number} | ({"long": LONG} if number % 10 == 0 else {})
        logger.emit(body="something happened", attributes=attributes)
        tracer.start_span("step", attributes=attributes).end()
    reader = PeriodicExportingMetricReader(metrics, export_interval_millis=3_600_000)
    meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    counter = meters.get_meter("ledger").create_counter("made")
    for number in range(min(count, 200)):
        counter.add(1, {"n": number})
    for provider in (traces, loggers, meters):
        provider.shutdown()
    # Threads of exporters that wait for a retry do not hold the end up.
    sys.stdout.flush()
    os._exit(0)


main()
