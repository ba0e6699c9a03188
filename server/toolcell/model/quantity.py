"""Sizes, lengths of time and rates, as people write them in configuration."""

import re
from typing import Final

_NUMBER: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z/]*)\s*")
_LONGEST: Final = 18  # digits; more is no quantity a person wrote
_SIZES: Final = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_TIMES: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATES: Final = {"": 1.0, "/s": 1.0, "/m": 1 / 60, "/h": 1 / 3600}


def size(value: object) -> int:
    """Reads bytes from a whole number or from text such as "64 MiB"; raises ValueError with a sentence."""
    return int(_read(value, _SIZES, 'a size such as 65536, "64 KiB" or "1 GiB"'))


def seconds(value: object) -> float:
    """Reads seconds from a number or from text such as "500ms", "30s", "5m", "7d".

    Raises ValueError with a sentence.
    """
    return _read(value, _TIMES, 'a length of time such as 30, "500ms", "30s" or "5m"')


def rate(value: object) -> float:
    """Reads calls a second from a number or from text such as "20/s", "100/m".

    Raises ValueError with a sentence.
    """
    return _read(value, _RATES, 'a rate such as "20/s" or "100/m"')


def _read(value: object, units: dict[str, float] | dict[str, int], wanted: str) -> float:
    match = _NUMBER.fullmatch(str(value)) if isinstance(value, int | float | str) else None
    if match is None or isinstance(value, bool) or match[2] not in units or len(match[1]) > _LONGEST:
        raise ValueError(f"must be {wanted}")
    return float(match[1]) * units[match[2]]
