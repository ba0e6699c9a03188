"""What a caller may call."""

from typing import ClassVar

from toolcell.model.call import Call, Outcome
from toolcell.model.caller import Grants
from toolcell.model.errors import ToolForbidden
from toolcell.pipeline.chain import Proceed, facts


def require_tool(grants: Grants, tool: str) -> None:
    """Raises ToolForbidden unless the grants include a tool of this name."""
    if not grants.includes(tool):
        raise ToolForbidden(
            f"This token is not granted the tool {tool!r}. Use a token made with `--tool {tool}`.", tool=tool
        )


class Authorize:
    """Stage: refuses a tool that is not granted.

    It comes before the tool is looked up: a stranger to a tool hears TOOL_FORBIDDEN and never learns whether
    it exists.
    """

    needs: ClassVar[frozenset[str]] = facts("caller", "question")
    gives: ClassVar[frozenset[str]] = facts()

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Compares the tool's name with the patterns of the caller's grants."""
        require_tool(call.caller.grants, call.question.tool)
        return await proceed(call)
