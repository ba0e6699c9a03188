"""What every chain is built from: the rooms around the corridor, and the stages that chains share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from toolcell.cells.pool import Cells
from toolcell.contracts.catalog import Snapshot
from toolcell.model.clock import Clock
from toolcell.pipeline.gate import Gate
from toolcell.pipeline.limits import Rate, Slots
from toolcell.pipeline.tokens import TokenBook
from toolcell.pipeline.trace import Log, Observe
from toolcell.store.interface import Traces


@dataclass(slots=True)
class Corridor:
    """One server's corridor. Rate and slots are one for all chains: a job counts like any call."""

    gate: Gate
    tokens: TokenBook
    snapshot: Callable[[], Snapshot]
    cells: Cells
    traces: Traces
    clock: Clock
    observe: Observe
    log: Log
    rate: Rate = field(init=False)
    slots: Slots = field(init=False)

    def __post_init__(self) -> None:
        self.rate = Rate(self.clock)
        self.slots = Slots(self.clock)
