"""Replays recorded turns of a model against a Toolcell server: the loop that an orchestrator runs.

    python clients/python/agent_loop.py [recorded turns, JSON Lines of assistant messages]

The file's name tells whose messages they are: openai_chat, anthropic or gemini. Needs grpcio, protobuf,
googleapis-common-protos and the generated stubs in toolcell/v1 beside this file; no provider's SDK. For each
turn it runs every tool call at once and prints, one JSON object a line, what the next request to the model
would carry. OpenAI's turns go call by call through Invoke, to show what a client can decide for itself; the
others go whole through RunToolCalls, and the server speaks the provider's own form.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import grpc
from sentences import Refusal

from toolcell.v1 import tool_service_pb2, tool_service_pb2_grpc

RECORDED = Path(__file__).parent / "recorded" / "openai_chat.jsonl"
WHOLE = ("anthropic", "gemini")  # whose turns go through RunToolCalls
CALL_SECONDS = 60
ATTEMPTS = 3


def find_server() -> tuple[str, str]:
    """Returns address and token: TOOLCELL_SERVER and TOOLCELL_TOKEN(_FILE), else of the dev server here."""
    settings = os.environ
    state = Path(settings.get("TOOLCELL_STATE_DIRECTORY", ".toolcell"))
    address = settings.get("TOOLCELL_SERVER") or (state / "address").read_text().strip()
    if token := settings.get("TOOLCELL_TOKEN"):
        return address, token
    # the dev server's key is for the dev server alone
    key = Path("TOOLCELL_TOKEN_FILE") if "TOOLCELL_SERVER" in settings else state / "dev.key"
    return address, Path(settings.get("TOOLCELL_TOKEN_FILE", key)).read_text().strip()


def connect(address: str) -> grpc.aio.Channel:
    """Opens a channel, with TLS but for a server on this machine without TOOLCELL_CA.

    TOOLCELL_CA are certificates to trust, TOOLCELL_CERT and TOOLCELL_KEY the client's own, all PEM files.
    """
    ca, key, certificate = (
        Path(path).read_bytes() if (path := os.environ.get(name)) else None
        for name in ("TOOLCELL_CA", "TOOLCELL_KEY", "TOOLCELL_CERT")
    )
    if ca is None and address.rpartition(":")[0] in ("127.0.0.1", "[::1]", "localhost"):
        return grpc.aio.insecure_channel(address, (("grpc.enable_http_proxy", 0),))
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca, key, certificate))


class Agent:
    """Answers a model's tool calls. `tools` are what the model may call, as its provider takes them."""

    def __init__(self, channel: grpc.aio.Channel, token: str, dialect: str) -> None:
        """Speaks over `channel` as the caller whose bearer token is given, for a provider's model."""
        self.dialect = dialect
        self._stub = tool_service_pb2_grpc.ToolServiceStub(channel)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self.tools: list[dict] = []

    async def prepare(self) -> None:
        """Fetches the tools; a tool that the dialect cannot express is named on stderr."""
        request = tool_service_pb2.GetManifestRequest(dialect=self.dialect)
        while True:
            page = await self._stub.GetManifest(request, metadata=self._metadata, timeout=10)
            self.tools += json.loads(page.manifest_json)
            for verdict in page.verdicts:
                if verdict.fit != tool_service_pb2.MANIFEST_FIT_OK:
                    print(f"{verdict.tool}: {' '.join(verdict.notes)}", file=sys.stderr)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def answer(self, message: dict) -> list[dict]:
        """Runs all tool calls of an assistant message at once; returns what to append to the conversation."""
        if self.dialect in WHOLE:
            return await self._turn(message)
        contents = await asyncio.gather(*(self._call(call) for call in message["tool_calls"]))
        return [
            {"role": "tool", "tool_call_id": call["id"], "content": content}
            for call, content in zip(message["tool_calls"], contents, strict=True)
        ]

    async def _turn(self, message: dict) -> list[dict]:
        """Hands a turn over as it is; what comes back is in the provider's own form, errors too."""
        request = tool_service_pb2.RunToolCallsRequest(dialect=self.dialect, message_json=json.dumps(message))
        answer = await self._stub.RunToolCalls(request, metadata=self._metadata, timeout=CALL_SECONDS)
        return json.loads(answer.results_json)

    async def _call(self, call: dict) -> str:
        """Returns what one call answers the model: the output, or a sentence that says what to do."""
        request = tool_service_pb2.InvokeRequest(
            tool=call["function"]["name"],
            arguments_json=call["function"]["arguments"],
            tool_call_id=call["id"],
        )
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = await self._stub.Invoke(request, metadata=self._metadata, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                refusal = Refusal(error, request.tool)
                # Only "nothing was run" may be sent again: a lost connection does not say that.
                is_safe = error.code() == grpc.StatusCode.UNAVAILABLE and refusal.executed == "NO"
                if is_safe and attempt < ATTEMPTS:
                    await asyncio.sleep(0.1 * 2**attempt)
                    continue
                if refusal.sentence is None:
                    raise  # a wrong token, an unreachable server: for whoever runs this, not for the model
                return f"Error: {refusal.sentence}"
            is_failure = answer.WhichOneof("outcome") == "failure"
            return f"Error: {answer.failure.message}" if is_failure else answer.output_json
        raise AssertionError("the last attempt returns or raises")


def seen_in(tool: dict) -> tuple[str, dict]:
    """Returns the name and the parameters of a tool in any of the three forms."""
    tool = tool.get("function", tool)
    schemas = (tool[key] for key in ("parameters", "input_schema", "parametersJsonSchema") if key in tool)
    return tool["name"], next(schemas)


def called_in(turn: dict) -> list[str]:
    """Returns the tools that an assistant message of any of the three forms calls."""
    parts = turn.get("tool_calls") or turn.get("content") or turn["parts"]
    calls = [part.get("function") or part.get("functionCall") or part for part in parts]
    return [call["name"] for call in calls if "name" in call]


def show_view(tools: list[dict], turns: list[dict]) -> None:
    """Says on stderr what the model could see, and which recorded calls name a tool that it could not."""
    seen = dict(seen_in(tool) for tool in tools)
    for name, schema in seen.items():
        print(f"the model sees {name}({', '.join(schema.get('properties', {}))})", file=sys.stderr)
    called = {name for turn in turns for name in called_in(turn)}
    for name in sorted(called - set(seen)):
        print(f"the model made up {name}", file=sys.stderr)


async def main(turns: list[dict], dialect: str) -> None:
    """Replays the turns of a provider's model."""
    address, token = find_server()
    async with connect(address) as channel:
        agent = Agent(channel, token, dialect)
        await agent.prepare()
        show_view(agent.tools, turns)
        for turn in turns:
            for message in await agent.answer(turn):
                print(json.dumps(message, ensure_ascii=False))


if __name__ == "__main__":
    try:
        recorded = Path(sys.argv[1]) if sys.argv[1:] else RECORDED
        dialect = recorded.stem if recorded.stem in WHOLE else "openai-chat"
        asyncio.run(main([json.loads(line) for line in recorded.read_text("utf-8").splitlines()], dialect))
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is not there. Start `toolcell dev`, or set TOOLCELL_SERVER and a token.")
