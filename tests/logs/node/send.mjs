// Lines by winston's transport for Loki: protobuf in a snappy block, several streams a batch.
//
// `node send.mjs URL FILE`: each line of the file, as JSON, is a body; every third is an error.

import { readFileSync } from "node:fs";
import winston from "winston";
import LokiTransport from "winston-loki";

const [host, path] = process.argv.slice(2);
const failed = [];
const transport = new LokiTransport({
  host,
  labels: { service_name: "winston" },
  json: false,
  batching: true,
  interval: 1,
  replaceTimestamp: false,
  useWinstonMetaAsLabels: false,
  format: winston.format.printf((entry) => entry.message),
  onConnectionError: (error) => failed.push(String(error)),
});
const logger = winston.createLogger({ level: "debug", transports: [transport] });
const bodies = readFileSync(path, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
bodies.forEach((body, number) => logger.log({ level: number % 3 ? "info" : "error", message: body, labels: { shelf: "7" } }));
await transport.flush();
transport.close?.();
console.log(JSON.stringify({ sent: bodies.length, failed }));
process.exit(0);
