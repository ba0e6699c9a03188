"""The doors of ListTools and GetTool: what a caller may call, and nothing else."""

from bisect import bisect_right
from typing import Final

from toolcell.contracts.catalog import Entry, Snapshot
from toolcell.model.caller import Caller
from toolcell.pipeline.contract import tool_not_found
from toolcell.pipeline.grants import require_tool
from toolcell.transports.grpc import messages, paging, requests
from toolcell.transports.grpc.doors import Method
from toolcell.transports.grpc.services import Services
from toolcell.v1 import tool_service_pb2 as v1

_USUAL_ROWS: Final = 100


class Shelf:
    """A snapshot's tools as bytes, each serialised once.

    A page is the concatenation of its rows: that is how protobuf repeats a field.
    """

    def __init__(self, snapshot: Snapshot, level: int) -> None:
        self.snapshot = snapshot
        self.names: Final = tuple(snapshot.entries)
        self._level = level
        self._rows: dict[str, bytes] = {}

    def row(self, name: str) -> bytes:
        """Returns a ListToolsResponse of one tool."""
        row = self._rows.get(name)
        if row is None:
            tool = messages.tool_message(self.snapshot.entries[name], self._level)
            row = self._rows[name] = v1.ListToolsResponse(tools=[tool]).SerializeToString()
        return row

    def names_after(self, cursor: str) -> tuple[str, ...]:
        """Returns the names that come after a cursor, in order."""
        return self.names[bisect_right(self.names, cursor) :] if cursor else self.names


class Tools:
    """Lists and describes the served tools."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._shelf = Shelf(services.catalog.snapshot, services.level)

    def methods(self) -> tuple[Method, ...]:
        """Returns the rows of the table."""
        service = "/toolcell.v1.ToolService"
        return (
            Method(f"{service}/ListTools", "invoke", v1.ListToolsRequest, self.list),
            Method(f"{service}/GetTool", "invoke", v1.GetToolRequest, self.get),
        )

    async def list(self, caller: Caller, request: v1.ListToolsRequest) -> bytes:
        """Answers ListTools."""
        page = paging.open_page(request, paging.query("ListTools", caller.name), _USUAL_ROWS)
        shelf, includes = self._current(), caller.grants.includes
        rows: list[bytes] = []
        last = ""
        for name in shelf.names_after(page.cursor):
            if not includes(name):
                continue
            row = shelf.row(name)
            if not page.takes(len(row)):
                rows.append(v1.ListToolsResponse(next_page_token=page.token(last)).SerializeToString())
                break
            rows.append(row)
            last = name
        return b"".join(rows)

    async def get(self, caller: Caller, request: v1.GetToolRequest) -> bytes:
        """Answers GetTool."""
        requests.require(requests.tool_name("name", request.name))
        entry = granted(self._services.catalog.snapshot, caller, request.name)
        return v1.GetToolResponse(tool=messages.tool_message(entry, self._services.level)).SerializeToString()

    def _current(self) -> Shelf:
        snapshot = self._services.catalog.snapshot
        if self._shelf.snapshot is not snapshot:
            self._shelf = Shelf(snapshot, self._services.level)
        return self._shelf


def granted(snapshot: Snapshot, caller: Caller, name: str) -> Entry:
    """Returns a tool's entry; raises ToolForbidden before it looks whether it exists, else ToolNotFound."""
    require_tool(caller.grants, name)
    entry = snapshot.entries.get(name)
    if entry is None:
        raise tool_not_found(name, snapshot.entries, caller.grants)
    return entry
