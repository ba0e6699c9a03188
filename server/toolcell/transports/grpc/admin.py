"""The doors of AdminService: tokens, and reading the tools anew."""

import re
from collections.abc import Sequence
from typing import Final

from toolcell.model.caller import GROUPS, Caller, Grants
from toolcell.model.errors import Violation
from toolcell.transports.grpc import messages, paging, requests
from toolcell.transports.grpc.doors import Method
from toolcell.transports.grpc.services import Services
from toolcell.v1 import admin_service_pb2 as v1

_CALLER: Final = re.compile(r"[a-z0-9][a-z0-9_.@-]{0,63}")
_PATTERN: Final = re.compile(r"[A-Za-z0-9_*-]{1,64}")
_PATTERNS: Final = 100
_USUAL_ROWS: Final = 50
_LONGEST_TTL: Final = 3650 * 86_400
"""Ten years, in seconds."""


class Admin:
    """Manages tokens and the served tools."""

    def __init__(self, services: Services) -> None:
        self._tokens = services.tokens
        self._reload = services.reload

    def methods(self) -> tuple[Method, ...]:
        """Returns the rows of the table."""
        service = "/toolcell.v1.AdminService"
        return (
            Method(f"{service}/CreateToken", "admin", v1.CreateTokenRequest, self.create_token),
            Method(f"{service}/ListTokens", "admin", v1.ListTokensRequest, self.list_tokens),
            Method(f"{service}/RevokeToken", "admin", v1.RevokeTokenRequest, self.revoke_token),
            Method(f"{service}/ReloadTools", "admin", v1.ReloadToolsRequest, self.reload_tools),
        )

    async def create_token(self, caller: Caller, request: v1.CreateTokenRequest) -> bytes:
        """Answers CreateToken: the one place where a token's secret is ever shown."""
        requests.require(
            *_rules(request.caller, request.note, request.grants.groups, request.grants.tools), _ttl(request)
        )
        grants = Grants(frozenset(request.grants.groups), tuple(request.grants.tools))
        ttl_seconds = request.ttl.seconds + request.ttl.nanos / 1e9 if request.HasField("ttl") else None
        token, bearer = await self._tokens.create(request.caller, request.note, grants, ttl_seconds)
        return v1.CreateTokenResponse(token=messages.token_message(token), bearer=bearer).SerializeToString()

    async def list_tokens(self, caller: Caller, request: v1.ListTokensRequest) -> bytes:
        """Answers ListTokens."""
        page = paging.open_page(request, paging.query("ListTokens", caller.name), _USUAL_ROWS)
        response = v1.ListTokensResponse()
        for token in await self._tokens.page(page.cursor, page.rows + 1):
            message = messages.token_message(token)
            if not page.takes(message.ByteSize()):
                response.next_page_token = page.token(response.tokens[-1].token_id)
                break
            response.tokens.append(message)
        return response.SerializeToString()

    async def revoke_token(self, caller: Caller, request: v1.RevokeTokenRequest) -> bytes:
        """Answers RevokeToken."""
        requests.require(
            requests.present("token_id", request.token_id),
            requests.text("token_id", request.token_id, requests.NAME_LENGTH),
        )
        token = await self._tokens.revoke(request.token_id)
        return v1.RevokeTokenResponse(token=messages.token_message(token)).SerializeToString()

    async def reload_tools(self, caller: Caller, request: v1.ReloadToolsRequest) -> bytes:
        """Answers ReloadTools."""
        changes = await self._reload()
        return v1.ReloadToolsResponse(
            added=changes.added,
            changed=changes.changed,
            removed=changes.removed,
            problems=[messages.problem_message(problem) for problem in changes.problems],
        ).SerializeToString()


def check_token(caller: str, note: str, grants: Grants, ttl_seconds: float | None) -> None:
    """Holds a token that is made without a server to the rules of CreateToken; raises RequestInvalid."""
    requests.require(
        *_rules(caller, note, sorted(grants.groups), grants.tools), _lifetime("ttl", ttl_seconds)
    )


def _rules(
    caller: str, note: str, groups: Sequence[str], patterns: Sequence[str]
) -> tuple[requests.Violations, ...]:
    return (
        _caller("caller", caller),
        requests.text("note", note),
        _groups("grants.groups", groups),
        _patterns("grants.tools", patterns),
    )


def _caller(field: str, value: str) -> requests.Violations:
    if not _CALLER.fullmatch(value):
        yield Violation(field, f"must match {_CALLER.pattern}", "string.pattern")


def _groups(field: str, groups: Sequence[str]) -> requests.Violations:
    if not groups:
        yield Violation(field, f"must name at least one of: {', '.join(GROUPS)}", "repeated.min_items")
    for index, group in enumerate(groups):
        if group not in GROUPS:
            yield Violation(f"{field}[{index}]", f"must be one of: {', '.join(GROUPS)}", "string.in")


def _patterns(field: str, patterns: Sequence[str]) -> requests.Violations:
    if len(patterns) > _PATTERNS:
        yield Violation(
            field, f"must hold at most {_PATTERNS} patterns; it holds {len(patterns)}", "repeated.max_items"
        )
        return
    for index, pattern in enumerate(patterns):
        if not _PATTERN.fullmatch(pattern):
            yield Violation(f"{field}[{index}]", f"must match {_PATTERN.pattern}", "string.pattern")


def _ttl(request: v1.CreateTokenRequest) -> requests.Violations:
    seconds, nanos = request.ttl.seconds, request.ttl.nanos
    if request.HasField("ttl"):
        yield from _lifetime("ttl", seconds if 0 <= nanos < requests.NANOS else 0)


def _lifetime(field: str, seconds: float | None) -> requests.Violations:
    if seconds is not None and not 1 <= seconds <= _LONGEST_TTL:
        yield Violation(field, f"must be from 1 s to {_LONGEST_TTL} s (ten years)", "duration.gte_lte")
