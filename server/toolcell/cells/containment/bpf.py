"""A compiler from tables of rules to seccomp's classic BPF. Runs in the server only; cells get its bytes.

A rule table maps a system call's number to an action or to a `Rule`: clauses, the first whose tests all hold
gives the action, else `otherwise`. Numbers become a binary tree of comparisons, so that a call costs about
log2 of the table.
"""

import struct
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final, NamedTuple

ALLOW: Final = 0x7FFF0000
KILL: Final = 0x80000000
AUDIT_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32: Final = 0x40000000
"""From here on numbers mean x32 on x86_64, a second door to the same calls; nothing has a call here."""

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_AT_LEAST, _JUMP = 0x15, 0x35, 0x05
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16
_WORD: Final = 0xFFFFFFFF
_SHORT_JUMP: Final = 255
_MOST_INSTRUCTIONS: Final = 4096


def refuse(errno: int) -> int:
    """Returns the action that makes a call fail with an errno."""
    return 0x00050000 | errno


class Match(NamedTuple):
    """Holds when `argument & mask == value`, on the low 32 bits (all of an int), or on 64 if `wide`."""

    argument: int
    mask: int
    value: int
    wide: bool = False


class Clause(NamedTuple):
    """An action for calls on which every test holds."""

    tests: tuple[Match, ...]
    action: int


class Rule(NamedTuple):
    """Decides by arguments: the first clause that holds, else `otherwise`."""

    clauses: tuple[Clause, ...]
    otherwise: int


Table = Mapping[int, int | Rule]
_Code = list[tuple[int, int, int, int]]


class Defaults(NamedTuple):
    """Actions for numbers the table lacks: those below `unknown_from`, and newer ones."""

    known: int
    unknown: int
    unknown_from: int


def compile_filter(table: Table, defaults: Defaults, machine: str) -> bytes:
    """Returns the filter as `struct sock_filter` instructions; raises ValueError when it is too long."""
    code: _Code = [
        (_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        (_IF_EQUAL, 1, 0, AUDIT_ARCHITECTURES[machine]),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        *_tree(_ranges(table, defaults)),
    ]
    if len(code) > _MOST_INSTRUCTIONS:
        raise ValueError(f"a filter of {len(code)} instructions is longer than {_MOST_INSTRUCTIONS}")
    return b"".join(struct.pack("<HBBI", *line) for line in code)


def _ranges(table: Table, defaults: Defaults) -> list[tuple[int, int | Rule]]:
    """Returns (first number, decision) of each run of numbers with one decision, ascending, from 0."""
    end = max(*table, defaults.unknown_from) + 1
    decisions = [
        (n, table.get(n, defaults.known if n < defaults.unknown_from else defaults.unknown))
        for n in range(end)
    ]
    runs = [next(run) for _, run in groupby(decisions, key=lambda pair: pair[1])]
    return [*runs, (end, defaults.unknown), (X32, KILL)]


def _tree(ranges: Sequence[tuple[int, int | Rule]]) -> _Code:
    if len(ranges) == 1:
        decision = ranges[0][1]
        return _block(decision) if isinstance(decision, Rule) else [(_RETURN, 0, 0, decision)]
    middle = len(ranges) // 2
    low, high = _tree(ranges[:middle]), _tree(ranges[middle:])
    if len(low) <= _SHORT_JUMP:
        return [(_IF_AT_LEAST, len(low), 0, ranges[middle][0]), *low, *high]
    return [(_IF_AT_LEAST, 0, 1, ranges[middle][0]), (_JUMP, 0, 0, len(low)), *low, *high]


def _block(rule: Rule) -> _Code:
    code: _Code = []
    for clause in rule.clauses:
        code += _clause(clause)
    return [*code, (_RETURN, 0, 0, rule.otherwise)]


def _clause(clause: Clause) -> _Code:
    halves: list[tuple[int, int, int]] = []
    for test in clause.tests:
        offset = _ARGUMENTS_OFFSET + 8 * test.argument
        halves.append((offset, test.mask & _WORD, test.value & _WORD))
        if test.wide:
            halves.append((offset + 4, test.mask >> 32 & _WORD, test.value >> 32 & _WORD))
    code: _Code = [(_RETURN, 0, 0, clause.action)]
    for offset, mask, value in reversed(halves):
        masking: _Code = [] if mask == _WORD else [(_AND, 0, 0, mask)]
        code = [(_LOAD, 0, 0, offset), *masking, (_IF_EQUAL, 0, len(code), value), *code]
    return code
