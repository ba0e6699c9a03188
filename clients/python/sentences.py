"""What a model is told when a call was refused: which field, which rule, what to do next.

A gRPC status message is for whoever runs the agent; a model gets one of these sentences as its tool's answer.
A status that it can do nothing about, such as a wrong token, is missing here on purpose.
"""

import json
from pathlib import Path

import grpc
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "toolcell.dev"

SENTENCES = json.loads((Path(__file__).parents[1] / "sentences.json").read_text("utf-8"))
"""Templates by reason; the clients in other languages read the same file."""

UNFINISHED = "{tool} did not finish in time and was stopped. It may or may not have taken effect."


class Refusal:
    """The details of a status: `reason`, whether the tool `executed`, the model's `sentence` or None."""

    def __init__(self, error: grpc.RpcError, tool: str) -> None:
        """Reads google.rpc.Status out of the trailing metadata of a failed call of `tool`."""
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                for detail in status_pb2.Status.FromString(value).details:
                    detail.Unpack(info) or detail.Unpack(bad)
        is_ours = info.domain == DOMAIN
        self.reason = info.reason if is_ours else ""
        self.executed = info.metadata.get("executed", "MAYBE") if is_ours else "MAYBE"
        violations = "; ".join(
            f"{v.field}: {v.description}" if v.field else v.description for v in bad.field_violations
        )
        facts = {"tool": tool, **info.metadata, "violations": violations.rstrip(".")}
        facts["near"] = facts.get("near") or "the tools you were given"
        template = SENTENCES.get(self.reason)
        if not is_ours and error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            template = UNFINISHED
        self.sentence = template.format_map(_Blank(facts)) if template else None


class _Blank(dict):
    """Says "the near" where the server gave no `near`, instead of failing."""

    def __missing__(self, key: str) -> str:
        return f"the {key.replace('_', ' ')}"
