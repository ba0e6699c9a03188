// Finds a Toolcell server, connects to it, and reads its refusals.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const DOMAIN = "toolcell.dev";
const SENTENCES = JSON.parse(readFileSync(new URL("../sentences.json", import.meta.url), "utf8"));
const UNFINISHED = "{tool} did not finish in time and was stopped. It may or may not have taken effect.";

const line = (file) => readFileSync(file, "utf8").trim();

/**
 * Returns address and token: TOOLCELL_SERVER and TOOLCELL_TOKEN or TOOLCELL_TOKEN_FILE, else of the dev server here.
 */
function findServer(settings) {
  const state = settings.TOOLCELL_STATE_DIRECTORY || ".toolcell";
  const address = settings.TOOLCELL_SERVER || line(join(state, "address"));
  if (settings.TOOLCELL_TOKEN) return [address, settings.TOOLCELL_TOKEN];
  // the dev server's key is for the dev server alone
  const key = settings.TOOLCELL_SERVER ? "TOOLCELL_TOKEN_FILE" : join(state, "dev.key");
  return [address, line(settings.TOOLCELL_TOKEN_FILE || key)];
}

/**
 * Returns a transport and the headers that present the token. TLS is used but for a server on this machine without
 * TOOLCELL_CA: PEM certificates to trust; TOOLCELL_CERT and TOOLCELL_KEY are the client's own.
 */
export function connect(settings = process.env) {
  const [address, token] = findServer(settings);
  const isLocal = /^(127\.[\d.]+|\[::1\]|localhost):/.test(address);
  const read = (name) => (settings[name] ? readFileSync(settings[name]) : undefined);
  const isPlain = isLocal && !settings.TOOLCELL_CA;
  const nodeOptions = { ca: read("TOOLCELL_CA"), cert: read("TOOLCELL_CERT"), key: read("TOOLCELL_KEY") };
  const transport = createGrpcTransport({
    baseUrl: `${isPlain ? "http" : "https"}://${address}`,
    nodeOptions: isPlain ? undefined : nodeOptions,
  });
  return { transport, headers: { authorization: `Bearer ${token}` } };
}

/** Reads a failed call: `reason`, whether the tool `executed`, and the model's `sentence` or "". */
export function refusal(error, tool) {
  const found = ConnectError.from(error);
  const info = found.findDetails(ErrorInfoSchema).find((it) => it.domain === DOMAIN);
  const violations = found
    .findDetails(BadRequestSchema)
    .flatMap((it) => it.fieldViolations)
    .map((it) => (it.field ? `${it.field}: ${it.description}` : it.description));
  const facts = { tool, ...info?.metadata, violations: violations.join("; ").replace(/\.+$/, "") };
  facts.near ||= "the tools you were given";
  const isLate = !info && found.code === Code.DeadlineExceeded;
  const template = isLate ? UNFINISHED : (SENTENCES[info?.reason] ?? "");
  return {
    reason: info?.reason ?? "",
    executed: info?.metadata.executed ?? "MAYBE",
    isUnavailable: found.code === Code.Unavailable,
    code: Code[found.code],
    message: found.rawMessage,
    sentence: template.replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? `the ${name.replaceAll("_", " ")}`),
  };
}
