"""Sizes, times and rates as people write them."""

from collections.abc import Callable

import pytest

from toolcell.model import quantity


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (quantity.size, 65536, 65536),
        (quantity.size, "64 KiB", 65536),
        (quantity.size, "1.5MiB", 3 << 19),
        (quantity.seconds, "500ms", 0.5),
        (quantity.seconds, 30, 30.0),
        (quantity.seconds, "7d", 604800.0),
        (quantity.rate, "20/s", 20.0),
        (quantity.rate, "90/m", 1.5),
    ],
)
def test_reads(read: Callable[[object], float], text: object, value: float) -> None:
    assert read(text) == value


@pytest.mark.parametrize("read", [quantity.size, quantity.seconds, quantity.rate])
@pytest.mark.parametrize("text", ["", "lots", "-1", "5 parsecs", True, None, [], "9" * 40, "1 2", "0x10"])
def test_refuses_with_an_example(read: Callable[[object], float], text: object) -> None:
    with pytest.raises(ValueError, match="such as"):
        read(text)
