"""`json`: Toolcell's own form, JSON Schema 2020-12 for what goes in and what comes out."""

from typing import Final

from toolcell.contracts.codec.text import printed
from toolcell.contracts.dialects.rendered import Rendered
from toolcell.contracts.snapshot import Entry


class Plain:
    """{"name", "title"?, "description", "input_schema", "output_schema"}."""

    name: Final = "json"

    def render(self, entry: Entry) -> Rendered:
        """Returns the tool as it is; it always fits."""
        tool = entry.tool
        form = {
            "name": tool.name,
            **({"title": tool.title} if tool.title else {}),
            "description": tool.description,
            "input_schema": entry.contract.input_schema,
            "output_schema": entry.contract.output_schema,
        }
        return Rendered(printed(form), "OK")
