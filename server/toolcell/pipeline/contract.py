"""The question and the contract: decode the request, find the tool, check the arguments."""

import asyncio
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import ClassVar, Final, TypeVar

from toolcell.contracts import dialects
from toolcell.contracts.catalog import Snapshot
from toolcell.model.call import Call, Outcome
from toolcell.model.caller import Grants
from toolcell.model.errors import ToolNotFound, ToolUnavailable
from toolcell.model.tool import Tool
from toolcell.pipeline.chain import Proceed, facts

INLINE: Final = 64 * 1024
"""Bytes or characters of a value that is exchanged at once; a larger one would hold up other calls."""

_SHOWN_INPUT = 64 * 1024
_NEAR = 5
_Made = TypeVar("_Made")


class Read:
    """Stage: decodes the request, now that its sender is known."""

    needs: ClassVar[frozenset[str]] = facts("read", "caller", "record")
    gives: ClassVar[frozenset[str]] = facts("question")

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Gives the question and writes it on the record, the arguments cut at 64 KiB."""
        question = call.read()
        call.question = question
        record = call.record
        record.tool, record.tool_call_id, record.labels = (
            question.tool,
            question.tool_call_id,
            question.labels,
        )
        record.input_json = question.arguments_json[:_SHOWN_INPUT]
        return await proceed(call)


class Resolve:
    """Stage: gives the tool at its current revision.

    The call keeps it, also when a reload swaps the snapshot.
    """

    needs: ClassVar[frozenset[str]] = facts("caller", "question", "record")
    gives: ClassVar[frozenset[str]] = facts("tool", "contract")

    def __init__(self, snapshot: Callable[[], Snapshot], level: int) -> None:
        self._snapshot = snapshot
        self._level = level

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Looks the tool up; refuses one that is unknown or cannot run."""
        entries = self._snapshot().entries
        entry = entries.get(call.question.tool)
        if entry is None:
            raise tool_not_found(call.question.tool, entries, call.caller.grants)
        if entry.tool.unavailable is not None:
            raise tool_unavailable(entry.tool)
        call.tool, call.contract = entry.tool, entry.contract
        call.record.revision, call.record.isolation_level = entry.tool.revision, self._level
        return await proceed(call)


class Validate:
    """Stage: checks the arguments against the contract and gives them in canonical form."""

    needs: ClassVar[frozenset[str]] = facts("question", "contract", "record")
    gives: ClassVar[frozenset[str]] = facts("arguments_json")

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Decodes the arguments; raises InputInvalid with every violation at once."""
        question, contract = call.question, call.contract
        given = question.arguments_json
        if question.arguments_wire is not None:
            wire = question.arguments_wire
            call.arguments_json = await by_size(len(wire), contract.decode_wire, wire)
        elif question.dialect:
            dialect = dialects.find(question.dialect)
            call.arguments_json = await by_size(len(given), dialect.decode, contract, given)
        else:
            call.arguments_json = await by_size(len(given), contract.decode, given)
        call.record.input_json = call.arguments_json
        return await proceed(call)


async def by_size(size: int, exchange: Callable[..., _Made], *given: object) -> _Made:
    """Returns what an exchange of so many bytes makes: here, or of more than 64 KiB in a thread.

    Cancelling does not end the thread's work, which nobody hears of then.
    """
    return exchange(*given) if size <= INLINE else await asyncio.to_thread(exchange, *given)


def tool_not_found(name: str, known: Iterable[str], grants: Grants) -> ToolNotFound:
    """Makes the refusal of an unknown tool; it names near tools, among the granted ones only."""
    granted = [tool for tool in known if grants.includes(tool)]
    near = ", ".join(get_close_matches(name, granted, _NEAR) or granted[:_NEAR]) or "none"
    return ToolNotFound(
        f"There is no tool {name!r}. Near: {near}. `toolcell tools` lists them.", tool=name, near=near
    )


def tool_unavailable(tool: Tool) -> ToolUnavailable:
    """Makes the refusal of a tool that cannot run: cause, place and remedy for its operator."""
    why = tool.unavailable
    if why is None:
        raise ValueError(f"{tool.name} is available")
    told = sentence(why.where, why.message, why.remedy)
    return ToolUnavailable(
        f"The tool {tool.name!r} is unavailable ({why.cause}): {told}", tool=tool.name, cause=why.cause
    )


def sentence(where: str, message: str, remedy: str) -> str:
    """Joins the three parts of a problem of the workspace on one line; any of them may be empty."""
    what = ": ".join(part for part in (where, " ".join(message.split())) if part)
    stop = "" if what.endswith((".", "?", "!")) else "."
    return f"{what}{stop} {remedy}".rstrip()
