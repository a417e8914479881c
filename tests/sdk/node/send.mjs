// Sends all three signals through the Node OpenTelemetry SDK: `node send.mjs GRPC_URL HTTP_URL SERVICE [json]`.
// Traces and logs go over HTTP/protobuf, metrics over gRPC; with `json` everything over HTTP/JSON. Prints what it sent as JSON.

import { SeverityNumber, SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api';
import { OTLPLogExporter as JsonLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter as JsonTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const [grpc, http, service, encoding] = process.argv.slice(2);
const isJson = encoding === 'json';
const [traceUrl, logUrl, metricUrl] = ['traces', 'logs', 'metrics'].map((signal) => ({ url: `${http}/v1/${signal}` }));
const resource = resourceFromAttributes({ 'service.name': service, 'host.cpus': 4, ratio: 0.5 });
const sent = { service, logs: [], spans: [], metrics: {} };

const spanProcessor = new BatchSpanProcessor({ exporter: isJson ? new JsonTraceExporter(traceUrl) : new OTLPTraceExporter(traceUrl) });
const tracers = new TracerProvider({ resource, spanProcessors: [spanProcessor] });
const tracer = tracers.getTracer('shop.spans', '2.0');
const parent = tracer.startSpan('parent', { kind: SpanKind.SERVER, attributes: { k: 'p', n: 3 } });
parent.addEvent('cache miss', { key: 'cart:1' });
const within = trace.setSpan(context.active(), parent);
const child = tracer.startSpan(
  'child',
  { kind: SpanKind.CLIENT, links: [{ context: parent.spanContext(), attributes: { why: 'retry' } }] },
  within,
);
child.setStatus({ code: SpanStatusCode.ERROR, message: 'card declined' });
child.end();
parent.end();
for (const [name, span] of [['parent', parent], ['child', child]]) {
  const ids = span.spanContext();
  sent.spans.push({ name, trace_id: ids.traceId, span_id: ids.spanId });
}

const logProcessor = new BatchLogRecordProcessor({ exporter: isJson ? new JsonLogExporter(logUrl) : new OTLPLogExporter(logUrl) });
const loggers = new LoggerProvider({ resource, processors: [logProcessor] });
const logger = loggers.getLogger('shop.logs', '1.2.3');
for (let index = 0; index < 5; index += 1) {
  logger.emit({
    timestamp: new Date(),
    severityNumber: SeverityNumber.WARN,
    severityText: 'WARN',
    body: index === 4 ? { deep: { er: ['x'] } } : `line ${index}`,
    attributes: { index, text: `v${index}`, half: index + 0.5, flag: index % 2 === 0 },
    context: within,
  });
  sent.logs.push({ index, body_type: index === 4 ? 'kvlist' : 'string' });
}

const exporter = isJson ? new JsonMetricExporter(metricUrl) : new OTLPMetricExporter({ url: grpc });
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000, exportTimeoutMillis: 30_000 });
const meters = new MeterProvider({ resource, readers: [reader] });
const meter = meters.getMeter('shop.metrics', '3.0');
meter.createCounter('orders', { unit: '{order}' }).add(7, { region: 'eu' });
meter.createHistogram('latency', { unit: 'ms' }).record(12.5, { route: '/pay' });
meter.createObservableGauge('queue.depth').addCallback((result) => result.observe(42.5, { queue: 'mail' }));
sent.metrics = { orders: 'sum', latency: 'histogram', 'queue.depth': 'gauge' };

// Shutdown exports what is left; a flush before it would export cumulative metrics twice.
for (const provider of [tracers, loggers, meters]) {
  await provider.shutdown();
}
console.log(JSON.stringify(sent));
