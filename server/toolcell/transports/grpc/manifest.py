"""The door of GetManifest: the tools a caller may call, in a provider's own form."""

from collections.abc import Sequence
from typing import Final

from toolcell.contracts import dialects
from toolcell.contracts.catalog import Entry
from toolcell.model.caller import Caller
from toolcell.model.errors import Violation
from toolcell.transports.grpc import paging, requests
from toolcell.transports.grpc.doors import Method
from toolcell.transports.grpc.services import Services
from toolcell.transports.grpc.tools import granted
from toolcell.v1 import tool_service_pb2 as v1

_FITS: Final = {
    "OK": v1.MANIFEST_FIT_OK,
    "SIMPLIFIED": v1.MANIFEST_FIT_SIMPLIFIED,
    "LEFT_OUT": v1.MANIFEST_FIT_LEFT_OUT,
}


class Manifest:
    """Renders manifests."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def methods(self) -> tuple[Method, ...]:
        """Returns the row of the table."""
        return (Method("/toolcell.v1.ToolService/GetManifest", "invoke", v1.GetManifestRequest, self.get),)

    async def get(self, caller: Caller, request: v1.GetManifestRequest) -> bytes:
        """Answers GetManifest."""
        requests.require(
            requests.present("dialect", request.dialect),
            requests.text("dialect", request.dialect, requests.NAME_LENGTH),
            _wanted(request.tools),
        )
        dialect = dialects.find(request.dialect)
        names = tuple(sorted(set(request.tools)))
        query = paging.query(
            "GetManifest",
            caller.name,
            dialect.name.encode(),
            b"compact" if request.compact else b"",
            *(name.encode() for name in names),
        )
        page = paging.open_page(request, query, paging.MOST_ROWS)
        entries = self._entries(caller, names)
        rendered = {
            entry.tool.name: dialects.render(dialect, entry, is_compact=request.compact) for entry in entries
        }
        response = v1.GetManifestResponse(limits=dialects.broken_limits(dialect, rendered.values()))
        texts: list[str] = []
        for name, tool in rendered.items():
            if name <= page.cursor:
                continue
            text, verdict = _row(name, tool)
            if not page.takes(len(text.encode()) + 1 + verdict.ByteSize()):
                response.next_page_token = page.token(response.verdicts[-1].tool)
                break
            response.verdicts.append(verdict)
            texts += [text] if text else []
        response.manifest_json = f"[{','.join(texts)}]"
        return response.SerializeToString()

    def _entries(self, caller: Caller, names: Sequence[str]) -> list[Entry]:
        """Returns the tools asked for, or all granted ones, in the order of their names."""
        snapshot = self._services.catalog.snapshot
        if names:
            return [granted(snapshot, caller, name) for name in names]
        return [entry for name, entry in snapshot.entries.items() if caller.grants.includes(name)]


def _row(name: str, rendered: dialects.Rendered) -> tuple[str, v1.ManifestVerdict]:
    """Returns a tool's text, "" when it is left out, and the verdict on it."""
    return rendered.text, v1.ManifestVerdict(tool=name, fit=_FITS[rendered.fit], notes=rendered.notes)


def _wanted(tools: Sequence[str]) -> requests.Violations:
    if len(tools) > paging.MOST_ROWS:
        yield Violation(
            "tools",
            f"must name at most {paging.MOST_ROWS:,} tools; it names {len(tools)}",
            "repeated.max_items",
        )
        return
    for index, name in enumerate(tools):
        yield from requests.tool_name(f"tools[{index}]", name)
