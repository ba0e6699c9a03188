"""`openai-chat`: tools of OpenAI's Chat Completions, not strict."""

from typing import Final

from toolcell.contracts.codec.text import printed
from toolcell.contracts.dialects.rendered import Rendered
from toolcell.contracts.snapshot import Entry

_LONGEST: Final = 1024
"""Characters of a description; more was answered with status 400 for the whole list of tools."""


class OpenAiChat:
    """{"type": "function", "function": {"name", "description", "parameters", "strict": false}}."""

    name: Final = "openai-chat"

    def render(self, entry: Entry) -> Rendered:
        """Returns the tool; a description that is too long ends with its last whole sentence."""
        tool = entry.tool
        description = _cut(tool.description)
        form = {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": description,
                "parameters": entry.contract.input_schema,
                "strict": False,
            },
        }
        if description == tool.description:
            return Rendered(printed(form), "OK")
        note = f"the description has {len(tool.description)} characters and was cut at {_LONGEST}"
        return Rendered(printed(form), "SIMPLIFIED", (note,))


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    head = text[:_LONGEST]
    end = max(head.rfind(mark) for mark in (". ", ".\n", "! ", "!\n", "? ", "?\n"))
    return head[: end + 1] if end > 0 else f"{head[: _LONGEST - 1].rstrip()}…"
