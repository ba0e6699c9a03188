"""What the doors need of the house, built by the composition root."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from toolcell.contracts.catalog import Catalog, Changes
from toolcell.jobs.ledger import JobLedger
from toolcell.model.call import Call, Outcome
from toolcell.model.clock import Clock
from toolcell.pipeline.gate import Gate
from toolcell.pipeline.tokens import TokenBook
from toolcell.store.interface import Traces


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms behind the doors.

    `invoke` walks a call down the pipeline and raises a Refusal, `start_job` does the same for a call that
    becomes a job; `reload` reads the tools anew; `level` is the isolation level of this server's cells; `log`
    takes a text about a bug of ours, with its stack.
    """

    invoke: Callable[[Call], Awaitable[Outcome]]
    gate: Gate
    tokens: TokenBook
    traces: Traces
    catalog: Catalog
    reload: Callable[[], Awaitable[Changes]]
    clock: Clock
    level: int
    log: Callable[[str], None]
    start_job: Callable[[Call], Awaitable[Outcome]]
    jobs: JobLedger
