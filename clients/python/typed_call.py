"""Calls a tool by its own gRPC method, with the messages of its contract.

    python clients/python/typed_call.py WEIGHT_KG COUNTRY

`./dev clients` makes the stubs of the example tools, in gen/ beside this file. It prints one JSON object: the
quote's price and the record's id; or the reason why there is none.
"""

import asyncio
import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "gen"))

import grpc
from agent_loop import connect, find_server
from examples.shipping.v1 import shipping_pb2, shipping_pb2_grpc
from sentences import Refusal


async def main(weight_kg: float, country: str) -> None:
    """Asks for one quote."""
    address, token = find_server()
    metadata = (
        ("authorization", f"Bearer {token}"),
        ("toolcell-tool-call-id", "call_python"),
        ("toolcell-label-client", "python"),
    )
    request = shipping_pb2.QuoteShippingRequest(weight_kg=weight_kg, country=country)
    async with connect(address) as channel:
        call = shipping_pb2_grpc.ShippingServiceStub(channel).QuoteShipping(
            request, metadata=metadata, timeout=10
        )
        try:
            quote = await call
            said = {"price_cents": quote.price_cents, "currency": quote.currency}
        except grpc.RpcError as error:
            refusal = Refusal(error, "quote_shipping")
            if not refusal.reason:
                raise
            said = {"code": error.code().name, "reason": refusal.reason, "executed": refusal.executed}
            said["message"] = error.details()
        trailers = dict(await call.trailing_metadata() or ())
        print(json.dumps({"invocation_id": trailers.get("toolcell-invocation-id", ""), **said}))


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), sys.argv[2]))
