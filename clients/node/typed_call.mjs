// Calls a tool by its own gRPC method, with the messages of its contract.
//
//     node clients/node/typed_call.mjs WEIGHT_KG COUNTRY
//
// It prints one JSON object: the quote's price and the record's id; or the reason why there is none.

import { createClient } from "@connectrpc/connect";
import { connect, refusal } from "./client.mjs";
import { ShippingService } from "./gen/examples/shipping/v1/shipping_pb.js";

const [weight, country] = process.argv.slice(2);
const { transport, headers } = connect();
const said = { invocation_id: "" };
try {
  const quote = await createClient(ShippingService, transport).quoteShipping(
    { weightKg: Number(weight), country },
    {
      headers: { ...headers, "toolcell-tool-call-id": "call_node", "toolcell-label-client": "node" },
      timeoutMs: 10_000,
      onTrailer: (trailer) => (said.invocation_id = trailer.get("toolcell-invocation-id") ?? ""),
    },
  );
  Object.assign(said, { price_cents: Number(quote.priceCents), currency: quote.currency });
} catch (error) {
  const { reason, executed, code, message } = refusal(error, "quote_shipping");
  if (!reason) throw error;
  said.invocation_id = error.metadata?.get("toolcell-invocation-id") ?? "";
  Object.assign(said, { code, reason, executed, message });
}
console.log(JSON.stringify(said));
