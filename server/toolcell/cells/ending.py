"""How a cell's conversation ended: what cell finds out and faults judges."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from toolcell.model.span import Usage
from toolcell.wire.frames import Frame


class How(StrEnum):
    """How a cell's conversation ended."""

    ANSWERED = "answered"
    DIED = "died"
    LIED = "lied"
    EXPIRED = "expired"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a call: the last frame, or what was wrong, or the zygote's hint how the process ended.

    An `exit` of -1 and a `signal` of 0 mean that there is none.
    """

    how: How
    frame: Frame | None = None
    detail: str = ""
    exit: int = -1
    signal: int = 0
    usage: Usage = field(default_factory=Usage)

    def of_stopped(self) -> "Ending":
        """Returns the end of a call that was told to stop: its answer, if it gave one before it died."""
        frame = self.frame
        has_answered = frame and (frame.kind == "result" or frame.fields["cause"] == "declared")
        return self if has_answered else replace(self, how=How.ABANDONED)

    @property
    def words(self) -> str:
        """Says it in a few words."""
        if self.detail:
            return self.detail
        return f"signal {self.signal}" if self.signal else f"exit {self.exit}" if self.exit >= 0 else self.how
