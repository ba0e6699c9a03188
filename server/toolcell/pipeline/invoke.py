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

from toolcell.pipeline.chain import Proceed, chain
from toolcell.pipeline.contract import Read, Resolve, Validate
from toolcell.pipeline.corridor import Corridor
from toolcell.pipeline.execute import Execute
from toolcell.pipeline.gate import Authenticate
from toolcell.pipeline.grants import Authorize
from toolcell.pipeline.limits import Slot
from toolcell.pipeline.trace import Record, Trace


def invoke(corridor: Corridor) -> Proceed:
    """Builds the chain of a synchronous call; raises DisorderError when the order is wrong."""
    c = corridor
    slot = Slot(c.slots, c.clock, c.traces.begin)
    return chain(
        Trace(c.traces, c.clock, c.observe, c.log),
        Authenticate(c.gate),
        Read(),
        Authorize(),
        Resolve(c.snapshot, c.cells.level),
        c.rate,
        Validate(),
        Record(c.traces, slot),
        slot,
        Execute(c.cells, c.traces, c.clock),
    )
