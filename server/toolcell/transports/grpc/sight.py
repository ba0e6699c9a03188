"""Whose contracts a client may see without calling them: by reflection, and by the health of a tool."""

from typing import Final

from toolcell.model.caller import Grants
from toolcell.pipeline.gate import Gate
from toolcell.transports.grpc.doors import credentials
from toolcell.transports.grpc.status import Context

OPEN, TOKEN, OFF = "open", "token", "off"
MODES: Final = (OPEN, TOKEN, OFF)
_EVERYTHING: Final = Grants(tools=("*",))


class Sight:
    """Says what a client may see: everything when open, else what its token is granted."""

    def __init__(self, gate: Gate, mode: str) -> None:
        self._gate = gate
        self.mode = mode

    def grants(self, context: Context) -> Grants:
        """Returns whose tools are visible; raises one of the Token* refusals."""
        if self.mode == OPEN:
            return _EVERYTHING
        return self._gate.identify(credentials(context)[0]).grants

    def is_stranger(self, context: Context) -> bool:
        """Tells whether a client shows no token where one is needed."""
        return self.mode != OPEN and not credentials(context)[0]
