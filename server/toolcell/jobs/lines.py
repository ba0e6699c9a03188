"""The jobs that wait, a line for each tool, oldest first; bounded for every tool and for every caller."""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Final

from toolcell.model.errors import QueueFull
from toolcell.store.interface import Waiting

MOST_WAITING: Final = 10_000
"""How many jobs of one tool may wait, and how many of one caller."""


_SHORTEST_WAIT, _LONGEST_WAIT = 0.1, 30.0


class Lines:
    """Every tool's line. A place is reserved before its job is on disk, and counts from then on."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most: Final = most
        self._lines: dict[str, OrderedDict[str, Waiting]] = {}
        self._of_tool: Counter[str] = Counter()
        self._of_caller: Counter[str] = Counter()

    def reserve(self, tool: str, caller: str, pace: float = 0.0) -> None:
        """Counts a job in that may soon wait; `pace` is how many seconds one place takes to come free.

        Raises QueueFull when so many jobs of the tool, or of the caller, wait already.
        """
        places = ((f"of {tool!r}", self._of_tool[tool]), ("of this caller", self._of_caller[caller]))
        for whose, count in places:
            if count >= self._most:
                wait = min(_LONGEST_WAIT, max(_SHORTEST_WAIT, pace))
                raise QueueFull(
                    f"{count} jobs {whose} wait already. There is no new job. Start it in {wait:.1f} s.",
                    tool=tool,
                    limit=self._most,
                    retry_after=wait,
                )
        self._count(tool, caller, 1)

    def free(self, tool: str, caller: str) -> None:
        """Gives back the place of a job that does not wait."""
        self._count(tool, caller, -1)

    def put(self, waiting: Waiting) -> None:
        """Puts a job with a reserved place at the end."""
        self._lines.setdefault(waiting.tool, OrderedDict())[waiting.job_id] = waiting

    def put_back(self, waiting: Waiting) -> None:
        """Puts a job in front that was taken, or that an earlier server left; it has a place in any case."""
        self._count(waiting.tool, waiting.caller, 1)
        self.put(waiting)
        self._lines[waiting.tool].move_to_end(waiting.job_id, last=False)

    def take(self, tool: str) -> Waiting | None:
        """Takes the first of a line out, and gives its place back; None when nobody waits."""
        line = self._lines.get(tool)
        if not line:
            return None
        _, waiting = line.popitem(last=False)
        self._leave(waiting)
        return waiting

    def remove(self, tool: str, job_id: str) -> None:
        """Takes a job out wherever it stands; nothing happens when it does not wait."""
        waiting = self._lines.get(tool, OrderedDict()).pop(job_id, None)
        if waiting is not None:
            self._leave(waiting)

    def has(self, tool: str) -> bool:
        """Tells whether anything waits for a tool."""
        return bool(self._lines.get(tool))

    def count(self, tool: str) -> int:
        """Returns how many wait for a tool, or soon will."""
        return self._of_tool[tool]

    def tools(self) -> Iterable[str]:
        """Returns the tools that jobs wait for."""
        return tuple(self._lines)

    def _leave(self, waiting: Waiting) -> None:
        if not self._lines[waiting.tool]:
            del self._lines[waiting.tool]
        self._count(waiting.tool, waiting.caller, -1)

    def _count(self, tool: str, caller: str, by: int) -> None:
        for counter, key in ((self._of_tool, tool), (self._of_caller, caller)):
            counter[key] += by
            if not counter[key]:
                del counter[key]
