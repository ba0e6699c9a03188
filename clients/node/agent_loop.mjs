// Replays recorded turns of a model against a Toolcell server: the loop that an orchestrator runs.
//
//     node clients/node/agent_loop.mjs [recorded turns, JSON Lines of OpenAI Chat assistant messages]
//
// It prints, one JSON object a line, the tool messages that the next request to the model would carry.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { connect, refusal } from "./client.mjs";
import { ToolService } from "./gen/toolcell/v1/tool_service_pb.js";

const RECORDED = new URL("../python/recorded/openai_chat.jsonl", import.meta.url);
const CALL_MILLISECONDS = 60_000;
const ATTEMPTS = 3;

const { transport, headers } = connect();
const tools = createClient(ToolService, transport);

/** Fetches the tools as they go into a request to the model, and says on stderr which there are. */
async function showTools() {
  for (let pageToken = ""; ; ) {
    const page = await tools.getManifest({ dialect: "openai-chat", pageToken }, { headers });
    for (const tool of JSON.parse(page.manifestJson)) console.error(`the model sees ${tool.function.name}`);
    if (!page.nextPageToken) return;
    pageToken = page.nextPageToken;
  }
}

/** Returns what one call answers the model; what it throws is for whoever runs this. */
async function answer(call) {
  const tool = call.function.name;
  const request = {
    tool,
    input: { case: "argumentsJson", value: call.function.arguments },
    toolCallId: call.id,
  };
  for (let attempt = 1; ; attempt++) {
    try {
      const { outcome } = await tools.invoke(request, { headers, timeoutMs: CALL_MILLISECONDS });
      return outcome.case === "failure" ? `Error: ${outcome.value.message}` : outcome.value;
    } catch (error) {
      const it = refusal(error, tool);
      // Only "nothing was run" may be sent again: a lost connection does not say that.
      if (it.isUnavailable && it.executed === "NO" && attempt < ATTEMPTS) {
        await sleep(100 * 2 ** attempt);
        continue;
      }
      if (!it.sentence) throw error;
      return `Error: ${it.sentence}`;
    }
  }
}

try {
  await showTools();
  const turns = readFileSync(process.argv[2] ?? RECORDED, "utf8").trim().split("\n").map((turn) => JSON.parse(turn));
  for (const { tool_calls: calls } of turns) {
    const contents = await Promise.all(calls.map(answer));
    for (const [n, content] of contents.entries())
      console.log(JSON.stringify({ role: "tool", tool_call_id: calls[n].id, content }));
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
