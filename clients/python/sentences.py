"""What a model is told when a call was refused: which field, which rule, what to do next.

A gRPC status message is for whoever runs the agent; a model gets one of these sentences as its tool's answer.
A status that it can do nothing about, such as a wrong token, is missing here on purpose.
"""

import grpc
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "toolcell.dev"

LATER = "Temporary problem, nothing was done. Try again in a moment."
SLOWER = "Too many calls. Wait {retry_after} s, then call again once."

SENTENCES = {
    "TOOL_FORBIDDEN": "You may not use {tool}. Do not retry; use another way.",
    "TOOL_NOT_FOUND": "There is no tool {tool}. Available: {near}.",
    "JOB_NOT_FOUND": "Job {job_id} does not exist or has expired.",
    "INPUT_INVALID": "Arguments rejected: {violations}. Correct these fields and call again.",
    "INPUT_TOO_LARGE": "Input is {size} bytes, the limit is {limit}. Send less.",
    "RATE_LIMITED": SLOWER,
    "CONCURRENCY_LIMITED": SLOWER,
    "QUEUE_FULL": SLOWER,
    "TOOL_UNAVAILABLE": "{tool} is not available: it is not set up correctly on the server. Do not retry.",
    "SERVER_OVERLOADED": LATER,
    "SERVER_DRAINING": LATER,
    "STORE_UNAVAILABLE": LATER,
    "STORE_FULL": LATER,
    "INTERNAL_ERROR": "Internal error {request_id}.",
}

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
