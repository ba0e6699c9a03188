"""Answers more than it may."""

from tests.escape.attack import Attack, blocked
from toolcell.model.errors import Reason

test_it_is_blocked_and_recorded = blocked(Attack("return 'x' * (2 << 20)", reason=Reason.OUTPUT_TOO_LARGE))
