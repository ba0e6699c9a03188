"""Which frame may come when: two state tables, and the rule that everything else is a ProtocolError.

Theory of operation
-------------------
A server holds two kinds of conversation, both over sockets it made itself.

*Control*: one for each zygote, the warm parent that makes the cells of one revision of a tool. It runs over a
SEQPACKET socket, one frame a message, so descriptors can travel with a frame::

    server → setup                       what to confine to, what to import
    zygote → started | threaded          the handler is imported (threaded: it started threads, so forking is
    unsafe)
             | import_failed             the handler does not import; the conversation is over
             | launch_failed             a step of the confinement failed; the conversation is over
    server → spawn {serial} + 3 fds      make a cell that has this channel, this stdout, this stderr
    zygote → spawned {serial} + 1 fd     made; the descriptor is its pidfd
             | not_spawned {serial}      the kernel refused; the server takes its descriptors back
    zygote → exited {serial, …}          a cell is gone, and how: a hint, for the zygote may lie

`spawn` is answered in order, `exited` comes when it comes. A serial is a number the server chose; process ids
are never spoken, for they differ between pid namespaces.

*Cell*: one for each cell, over a STREAM socket, which the child has as descriptor 3::

    cell   → ready | import_failed       confined and waiting (import_failed: the handler is imported after
    the fork) server → call                        the one call of its life cell   → (log | progress)*
    at any time while it runs cell   → result | failure            the end; whatever comes after it is a lie

Both ends are played by untrusted programs: the zygote has imported the author's module and the cell runs it.
So nothing they say is believed further than these tables go. A frame that the state does not allow, that
lacks a field, has one too many or one of another type, ends the conversation: the server kills the process,
and the one call fails (for control: the zygote's idle cells go with it and a new zygote is started).

The module only counts: it never touches a socket, so that a property test can play every sequence of frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from toolcell.wire.frames import Frame, ProtocolError


class State(StrEnum):
    """Where a conversation stands."""

    LAUNCHING = "launching"
    STARTING = "starting"
    SERVING = "serving"
    READY = "ready"
    CALLED = "called"
    OVER = "over"


class Side(StrEnum):
    """Who speaks."""

    SERVER = "server"
    CELL = "cell"


_Shape = Mapping[str, type | tuple[type, ...]]

_TEXT: Final = str
_NUMBER: Final = (int, float)
_ERROR: Final[_Shape] = {"type": _TEXT, "message": _TEXT, "stack": _TEXT}
_IMPORT_ERROR: Final[_Shape] = {**_ERROR, "where": _TEXT}


@dataclass(frozen=True, slots=True)
class Rules:
    """A kind of conversation: its first state, the moves out of each, the fields of each received frame."""

    first: State
    moves: Mapping[State, Mapping[tuple[Side, str], State]]
    shapes: Mapping[str, _Shape]


CONTROL: Final = Rules(
    State.LAUNCHING,
    MappingProxyType(
        {
            State.LAUNCHING: {(Side.SERVER, "setup"): State.STARTING},
            State.STARTING: {
                (Side.CELL, "started"): State.SERVING,
                (Side.CELL, "threaded"): State.OVER,
                (Side.CELL, "import_failed"): State.OVER,
                (Side.CELL, "launch_failed"): State.OVER,
            },
            State.SERVING: {
                (Side.SERVER, "spawn"): State.SERVING,
                (Side.CELL, "spawned"): State.SERVING,
                (Side.CELL, "not_spawned"): State.SERVING,
                (Side.CELL, "exited"): State.SERVING,
            },
            State.OVER: {},
        }
    ),
    MappingProxyType(
        {
            "started": {},
            "threaded": {},
            "import_failed": _IMPORT_ERROR,
            "launch_failed": {"step": _TEXT, "message": _TEXT},
            "spawned": {"serial": int},
            "not_spawned": {"serial": int, "message": _TEXT},
            "exited": dict.fromkeys(
                ("serial", "exit", "signal", "cpu_microseconds", "memory_peak_bytes"), int
            ),
        }
    ),
)

CELL: Final = Rules(
    State.STARTING,
    MappingProxyType(
        {
            State.STARTING: {
                (Side.CELL, "ready"): State.READY,
                (Side.CELL, "import_failed"): State.OVER,
            },
            State.READY: {(Side.SERVER, "call"): State.CALLED},
            State.CALLED: {
                (Side.CELL, "log"): State.CALLED,
                (Side.CELL, "progress"): State.CALLED,
                (Side.CELL, "result"): State.OVER,
                (Side.CELL, "failure"): State.OVER,
            },
            State.OVER: {},
        }
    ),
    MappingProxyType(
        {
            "ready": {},
            "import_failed": _IMPORT_ERROR,
            "log": {"level": _TEXT, "message": _TEXT, "fields": dict},
            "progress": {"fraction": _NUMBER, "message": _TEXT},
            "result": {"value": object, "dropped": int},
            "failure": {
                **_ERROR,
                "cause": _TEXT,
                "code": _TEXT,
                "retryable": bool,
                "details": dict,
                "dropped": int,
            },
        }
    ),
)


class Conversation:
    """Follows one conversation as the server sees it."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.state = rules.first

    def send(self, kind: str) -> None:
        """Notes a frame the server is about to send; raises ProtocolError when it is not its turn."""
        self._move(Side.SERVER, kind)

    def receive(self, frame: Frame) -> None:
        """Notes a frame that came; raises ProtocolError when it is out of turn or not of its shape."""
        self._move(Side.CELL, frame.kind)
        _check(frame, self._rules.shapes[frame.kind])

    def _move(self, side: Side, kind: str) -> None:
        following = self._rules.moves[self.state].get((side, kind))
        if following is None:
            known = kind if kind in self._rules.shapes or side is Side.SERVER else "of an unknown kind"
            raise ProtocolError(f"a frame {known} is not allowed when {self.state}")
        self.state = following


def _check(frame: Frame, shape: _Shape) -> None:
    if frame.fields.keys() != shape.keys():
        raise ProtocolError(f"a frame {frame.kind} has not exactly the fields {', '.join(shape) or 'none'}")
    for name, kind in shape.items():
        value: Any = frame.fields[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind not in (bool, object)):
            raise ProtocolError(f"the field {name} of a frame {frame.kind} has another type")
