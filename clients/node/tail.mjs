// Prints events of the trace, one JSON object a line.
//
//     node clients/node/tail.mjs [--follow] [--invocation ID] [CURSOR]
//
// It begins after CURSOR and ends with what has happened so far; --follow goes on with what happens from now on.
// Without CURSOR it begins with the oldest event that is kept, or with --follow now. Every event carries the cursor
// that resumes after it; what retention removed before is told as {"gap": ...}.

import { parseArgs } from "node:util";
import { toJson } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { connect } from "./client.mjs";
import { TraceEventSchema } from "./gen/toolcell/v1/trace_pb.js";
import { GapSchema, TraceService } from "./gen/toolcell/v1/trace_service_pb.js";

const OLDEST = "0";
const NOW = "";

/** Returns what the command line asks for. */
function read() {
  const options = { follow: { type: "boolean", default: false }, invocation: { type: "string", default: "" } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (positionals.length > 1) throw new Error("usage: tail.mjs [--follow] [--invocation ID] [CURSOR]");
  const { follow, invocation: invocationId } = values;
  return { filter: { invocationId }, cursor: positionals[0] ?? (follow ? NOW : OLDEST), follow };
}

/** Returns a message as JSON data with the contract's own field names. */
const data = (schema, message) => toJson(schema, message, { useProtoFieldName: true });

process.stdout.on("error", () => process.exit()); // a reader that has seen enough
try {
  const { transport, headers } = connect();
  for await (const answer of createClient(TraceService, transport).streamTrace(read(), { headers })) {
    if (answer.gap) console.log(JSON.stringify({ gap: data(GapSchema, answer.gap) }));
    for (const event of answer.events) console.log(JSON.stringify(data(TraceEventSchema, event)));
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
