"""Leaves its memory in a file as it dies."""

from tests.escape.attack import Attack, blocked
from toolcell.model.errors import Reason

test_it_is_blocked_and_recorded = blocked(Attack("os.abort()", reason=Reason.HANDLER_CRASHED))
