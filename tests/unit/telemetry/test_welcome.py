"""What `toolcell dev` says first stays readable, however much there is to say."""

from toolcell.telemetry.welcome import welcome


def told(tools: list[str], notes: list[str], problems: list[str], *, is_tls: bool = False) -> list[str]:
    text = welcome("1.0", "h:1", key="k", is_tls=is_tls, level=2, tools=tools, notes=notes, problems=problems)
    return text.splitlines()


def test_it_says_where_who_how_and_what() -> None:
    first, serving, key, isolation, tools, note, last = told(["a", "b"], ["one"], [])
    assert (first, tools.split(), note.split()) == ("Toolcell 1.0", ["tools", "a,", "b"], ["note", "one"])
    assert "plaintext" in serving
    assert "$(cat k)" in key
    assert "level 2" in isolation
    assert last.startswith("Ctrl-C stops it")
    assert "plaintext" not in told([], [], [], is_tls=True)[1]
    assert "none yet" in told([], [], [])[4]


def test_a_thousand_tools_and_problems_are_counted() -> None:
    lines = told([f"tool_{n}" for n in range(1000)], [], [f"problem {n}" for n in range(1000)])
    assert len(lines) == 27
    assert "tool_19, and 980 more: `toolcell tools`" in lines[4]
    assert "and 980 more: `toolcell doctor`" in lines[-2]
