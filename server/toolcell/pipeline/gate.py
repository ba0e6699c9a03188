"""Who may come in: authentication and the RPC group, before anything else of a request is looked at."""

from typing import ClassVar

from toolcell.model.call import Call, Outcome
from toolcell.model.caller import Caller
from toolcell.model.clock import Clock
from toolcell.model.errors import Refusal, RpcForbidden, TokenMissing
from toolcell.pipeline.chain import Proceed, facts
from toolcell.pipeline.strangers import Strangers
from toolcell.pipeline.tokens import TokenBook

_SCHEME = "bearer "


class Gate:
    """Turns `authorization` metadata into a caller, or refuses."""

    def __init__(self, tokens: TokenBook, clock: Clock, strangers: Strangers) -> None:
        self._tokens = tokens
        self._clock = clock
        self._strangers = strangers

    def identify(self, authorization: str) -> Caller:
        """Returns the caller a bearer token stands for; raises, and counts, one of the Token* refusals."""
        try:
            return self._verify(authorization)
        except Refusal as refusal:
            self._strangers.count(refusal.reason)
            raise

    def admit(self, authorization: str, group: str) -> Caller:
        """Returns the caller when its token's grants name the RPC group; raises RpcForbidden when not."""
        caller = self.identify(authorization)
        require(caller, group)
        return caller

    def knows(self, authorization: str) -> bool:
        """Tells whether `identify` would return a caller."""
        try:
            self._verify(authorization)
        except Refusal:
            return False
        return True

    def _verify(self, authorization: str) -> Caller:
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise TokenMissing(
                "No bearer token came with the request. Send `authorization: Bearer tc_…` metadata; "
                "`toolcell token create` makes a token."
            )
        token = self._tokens.verify(authorization[len(_SCHEME) :].strip(), self._clock.wall())
        return Caller(token.caller, token.token_id, token.grants)


def require(caller: Caller, group: str) -> None:
    """Raises RpcForbidden unless the caller's grants name the group."""
    if group not in caller.grants.groups:
        raise RpcForbidden(
            f"This token is not granted the RPC group `{group}`. Use a token made with `--group {group}`.",
            group=group,
        )


def visible(caller: Caller, wanted: str, group: str = "traces.all") -> str:
    """Returns whose records a query may see: a caller's name, or "" for everybody's.

    A caller sees its own; naming another caller, or nobody while holding `group`, needs that group.
    """
    if group in caller.grants.groups:
        return wanted
    if wanted not in ("", caller.name):
        require(caller, group)
    return caller.name


class Authenticate:
    """Stage: gives the caller.

    It comes before the request is decoded, so that a stranger's bytes are never parsed.
    """

    needs: ClassVar[frozenset[str]] = facts("authorization", "record")
    gives: ClassVar[frozenset[str]] = facts("caller")

    def __init__(self, gate: Gate, *more: str) -> None:
        """Every caller needs the group `invoke`; here some `more` groups."""
        self._gate = gate
        self._groups = ("invoke", *more)

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Admits the caller to the groups and writes its name on the record."""
        caller = self._gate.identify(call.authorization)
        for group in self._groups:
            require(caller, group)
        call.caller = caller
        call.record.caller, call.record.token_id = caller.name, caller.token_id
        return await proceed(call)
