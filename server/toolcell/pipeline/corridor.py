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
    """One server's corridor. Gate, rate and slots are one for all chains: a job counts like any call."""

    tokens: TokenBook
    snapshot: Callable[[], Snapshot]
    cells: Cells
    traces: Traces
    clock: Clock
    observe: Observe
    log: Log
    gate: Gate = field(init=False)
    rate: Rate = field(init=False)
    slots: Slots = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self.tokens, self.clock)
        self.rate = Rate(self.clock)
        self.slots = Slots(self.clock)
