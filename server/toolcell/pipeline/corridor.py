"""What every chain is built from: the rooms around the corridor, and the stages that chains share."""

from collections.abc import Callable
from dataclasses import dataclass

from toolcell.cells.pool import Cells
from toolcell.contracts.catalog import Snapshot
from toolcell.model.clock import Clock
from toolcell.pipeline.gate import Gate
from toolcell.pipeline.limits import Rate, Slots
from toolcell.pipeline.tokens import TokenBook
from toolcell.pipeline.trace import Log, Observe
from toolcell.store.interface import Traces


@dataclass(frozen=True, slots=True)
class Corridor:
    """One server's corridor. Rate and slots are one for all chains: a job counts like any call."""

    gate: Gate
    tokens: TokenBook
    snapshot: Callable[[], Snapshot]
    rate: Rate
    slots: Slots
    cells: Cells
    traces: Traces
    clock: Clock
    observe: Observe
    log: Log
