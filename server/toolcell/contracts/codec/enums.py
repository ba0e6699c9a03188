"""Enum values: names in JSON, the first declared one where several share a number."""

from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor

from toolcell.contracts.codec.walk import Pair, Reject, Walk, hint

_MOST_NAMED: Final = 20
_LEAST: Final = -(1 << 31)
_MOST: Final = (1 << 31) - 1


class EnumShape:
    """Reads values of one enum: a declared name or a number, an undeclared one only when it is open."""

    def __init__(self, descriptor: EnumDescriptor) -> None:
        self._names = {value.name: value.number for value in descriptor.values}
        self._firsts: dict[int, str] = {}
        for value in descriptor.values:
            self._firsts.setdefault(value.number, value.name)
        self._is_closed = descriptor.is_closed
        self.zero: str | int = descriptor.values[0].name if self._is_closed else self._firsts.get(0, 0)
        self._offered = [value.name for value in offered(descriptor)]

    def read(self, value: Any, _walk: Walk) -> Pair:
        """Gives the name in JSON and the number in the message."""
        if type(value) is str and value in self._names:
            number = self._names[value]
        elif (
            (type(value) is int or type(value) is float) and _LEAST <= value <= _MOST and value == int(value)
        ):
            number = int(value)
        elif type(value) is str:
            raise Reject("OUT_OF_RANGE", f"must be {self._wanted()}{hint(value, self._offered)}")
        else:
            raise Reject("WRONG_TYPE", f"must be {self._wanted()}")
        if number not in self._firsts and self._is_closed:
            raise Reject("OUT_OF_RANGE", f"must be {self._wanted()}")
        return self._firsts.get(number, number), number

    def _wanted(self) -> str:
        more = len(self._offered) - _MOST_NAMED
        return f"one of {', '.join(self._offered[:_MOST_NAMED])}" + (f" and {more} more" if more > 0 else "")


def offered(descriptor: EnumDescriptor) -> list[Any]:
    """Returns the values a model may choose.

    One for each number, without deprecated ones and the `*_UNSPECIFIED` zero (AIP-126).

    When nothing would be left, every number is offered.
    """
    firsts: dict[int, Any] = {}
    for value in descriptor.values:
        firsts.setdefault(value.number, value)
    chosen = [
        value
        for value in firsts.values()
        if not (value.number == 0 and value.name.endswith("UNSPECIFIED"))
        and not value.GetOptions().deprecated
    ]
    return chosen or list(firsts.values())
