"""The chain of a synchronous call, whichever door it came through.

The order has reasons; a stage of a later concern goes where its reason puts it:

    trace         outermost, so that refusals are recorded too
    authenticate  before a stranger's bytes are decoded
    read          decodes the request
    authorize     before resolve: a stranger to a tool never learns whether it exists
    resolve       fixes the revision for the whole call
    rate          before validate: refusing must stay cheaper than asking
    validate      every violation at once
                  (here: deduplicate, recall)
    record        the first row, durable against kill -9 before a handler can take effect
    slot          after everything that can refuse, so that a slot is held only by calls that run
                  (here: equip, redact)
    execute       a fresh cell, its deadline, the answer held against the contract
"""

from collections.abc import Callable

from toolcell.cells.pool import Cells
from toolcell.contracts.catalog import Snapshot
from toolcell.model.clock import Clock
from toolcell.pipeline.chain import Proceed, chain
from toolcell.pipeline.contract import Read, Resolve, Validate
from toolcell.pipeline.execute import Execute
from toolcell.pipeline.gate import Authenticate, Gate
from toolcell.pipeline.grants import Authorize
from toolcell.pipeline.limits import Rate, Slot, Slots
from toolcell.pipeline.trace import Log, Observe, Record, Trace
from toolcell.store.interface import Traces


def invoke(
    *,
    gate: Gate,
    snapshot: Callable[[], Snapshot],
    rate: Rate,
    slots: Slots,
    cells: Cells,
    traces: Traces,
    clock: Clock,
    observe: Observe,
    log: Log,
) -> Proceed:
    """Builds the chain of a synchronous call; raises DisorderError when the order is wrong."""
    slot = Slot(slots, clock, traces.begin)
    return chain(
        Trace(traces, clock, observe, log),
        Authenticate(gate),
        Read(),
        Authorize(),
        Resolve(snapshot, cells.level),
        rate,
        Validate(),
        Record(traces, slot),
        slot,
        Execute(cells, traces, clock),
    )
