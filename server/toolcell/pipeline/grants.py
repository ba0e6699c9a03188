"""What a caller may call."""

from typing import ClassVar

from toolcell.model.call import Call, Outcome
from toolcell.model.errors import ToolForbidden
from toolcell.pipeline.chain import Proceed, facts


class Authorize:
    """Stage: refuses a tool that is not granted.

    It comes before the tool is looked up: a stranger to a tool hears TOOL_FORBIDDEN and never learns whether
    it exists.
    """

    needs: ClassVar[frozenset[str]] = facts("caller", "question")
    gives: ClassVar[frozenset[str]] = facts()

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Compares the tool's name with the patterns of the caller's grants."""
        tool = call.question.tool
        if not call.caller.grants.includes(tool):
            raise ToolForbidden(
                f"This token is not granted the tool {tool!r}. Use a token made with `--tool {tool}`.",
                tool=tool,
            )
        return await proceed(call)
