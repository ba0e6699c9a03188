"""The compiler and the filters: every rule on every branch, held against a reading of the table itself."""

import random
from collections.abc import Iterator, Sequence

import pytest

from tests.unit.cells.bpf_machine import decide
from toolcell.cells.containment import filters
from toolcell.cells.containment.bpf import (
    ALLOW,
    AUDIT_ARCHITECTURES,
    KILL,
    Clause,
    Defaults,
    Match,
    Rule,
    Table,
    compile_filter,
    refuse,
)
from toolcell.cells.containment.syscalls import ARCHITECTURES, NUMBERS, numbers

Arguments = Sequence[int]
EXTREMES = (0, 1, 2, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 32) + 3, (1 << 64) - 1)


def expected(table: Table, defaults: Defaults, number: int, arguments: Arguments) -> int:
    """Reads the table as its definition says."""
    if number >= 0x40000000:
        return KILL
    fallback = defaults.known if number < defaults.unknown_from else defaults.unknown
    decision = table.get(number, fallback)
    if not isinstance(decision, Rule):
        return decision
    for clause in decision.clauses:
        if all(holds(test, arguments) for test in clause.tests):
            return clause.action
    return decision.otherwise


def holds(test: Match, arguments: Arguments) -> bool:
    bits = 64 if test.wide else 32
    value = arguments[test.argument] & ((1 << bits) - 1)
    return value & test.mask == test.value


def branches(decision: int | Rule) -> Iterator[list[int]]:
    """Yields arguments for every way through a rule: tests met, missed by a bit, met in the low half only."""
    yield [0] * 6
    if not isinstance(decision, Rule):
        yield [(1 << 64) - 1] * 6
        return
    for clause in decision.clauses:
        met = [0] * 6
        for test in clause.tests:
            met[test.argument] |= test.value
        yield met
        for test in clause.tests:
            for other in (
                *EXTREMES,
                test.value ^ 1,
                test.value | 1 << 32,
                test.value | 1 << 12,
                test.value + 1,
            ):
                yield [other if at == test.argument else value for at, value in enumerate(met)]


def check_all(table: Table, defaults: Defaults, machine: str) -> None:
    program = compile_filter(table, defaults, machine)
    architecture = AUDIT_ARCHITECTURES[machine]
    end = max(*table, defaults.unknown_from) + 3
    for number in (*range(end), 0x3FFFFFFF, 0x40000000, 0x40000001, 0xFFFFFFFF):
        for arguments in branches(table.get(number, 0)):
            found = decide(program, architecture, number, arguments)
            assert found == expected(table, defaults, number, arguments), (number, arguments)


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("has_scoped_signals", [True, False])
def test_the_zygote_s_filter_does_what_its_table_says(machine: str, *, has_scoped_signals: bool) -> None:
    table = filters.zygote_table(machine, has_scoped_signals=has_scoped_signals)
    check_all(table, filters.zygote_defaults(machine), machine)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_cell_s_filter_does_what_its_table_says(machine: str) -> None:
    check_all(filters.cell_table(machine), filters.CELL_DEFAULTS, machine)


def test_random_tables_compile_to_what_they_say() -> None:
    dice = random.Random(7)  # noqa: S311 - a fixed sequence, not a secret
    for _ in range(30):
        table: dict[int, int | Rule] = {}
        for number in dice.sample(range(500), dice.randint(1, 200)):
            action = dice.choice((ALLOW, KILL, refuse(dice.randint(1, 50))))
            tests = [
                Match(
                    dice.randrange(6),
                    mask := dice.choice((0xFF, 0xFFFFFFFF, 0x21)),
                    dice.choice(EXTREMES) & mask,
                )
                for _ in range(dice.randint(1, 3))
            ]
            table[number] = dice.choice((action, Rule((Clause(tuple(tests), action),), refuse(1))))
        check_all(table, Defaults(refuse(1), refuse(38), dice.randint(0, 600)), "x86_64")


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_another_architecture_s_calls_kill(machine: str) -> None:
    program = filters.zygote_filter(machine, has_scoped_signals=True)
    i386 = 0x40000003
    assert decide(program, i386, numbers(machine)["read"], [0] * 6) == KILL


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_process_id_is_written_where_it_is_compared(machine: str) -> None:
    instructions, offsets = filters.cell_filter(machine)
    program = bytearray(instructions)
    for offset in offsets:
        program[offset : offset + 4] = (4321).to_bytes(4, "little")
    architecture = AUDIT_ARCHITECTURES[machine]
    for name in ("kill", "tgkill"):
        number = numbers(machine)[name]
        assert decide(bytes(program), architecture, number, [4321, 9, 9, 0, 0, 0]) == ALLOW
        assert decide(bytes(program), architecture, number, [4322, 9, 9, 0, 0, 0]) == refuse(1)
        assert decide(bytes(program), architecture, number, [-1, 9, 9, 0, 0, 0]) == refuse(1)


def listed() -> list[str]:
    lists = [filters._ALLOWED, filters._KILLED, *filters._REFUSED.values(), " ".join(filters._BY_ARGUMENT)]
    return [name for text in lists for name in text.split()]


def test_every_name_in_a_filter_is_a_system_call() -> None:
    assert set(listed()) <= set(NUMBERS)


def test_no_system_call_is_listed_twice() -> None:
    assert len(listed()) == len(set(listed()))


def test_a_cell_s_filter_is_tiny() -> None:
    assert len(filters.cell_filter("x86_64").instructions) // 8 <= 50


def test_a_filter_too_long_for_the_kernel_is_refused() -> None:
    rule = Rule(tuple(Clause((Match(0, 0xFFFFFFFF, value),), ALLOW) for value in range(1500)), KILL)
    with pytest.raises(ValueError, match="longer than 4096"):
        compile_filter({1: rule}, Defaults(KILL, KILL, 0), "x86_64")
