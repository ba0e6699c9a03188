"""cell.toml: every key read, typed and bounded; what is wrong is said with its line."""

from pathlib import Path

import pytest

from toolcell.contracts.catalog import CEILING
from toolcell.contracts.policy import PolicyInvalid, read_policy
from toolcell.model.tool import MIB, Cause, Limits, Policy, Pool, Rate

EVERY_KEY = """
entry = "tool.main:run"
runtime = "python"
preload = false
timeout = "1.5s"
env = { REGION = "eu", LANG = "C" }
read = ["data/", "data/a.txt"]
memory = "64 MiB"
cpu = "500ms"
open_files = 32
output = 65536

[pool]
warm = 0
max = 4
queue = 8

[rate]
per_caller = "60/m"
per_tool = 2.5
burst = 3

[isolation_level]
required = 3
"""


def read(directory: Path, text: str, ceiling: Limits = CEILING) -> Policy:
    (directory / "cell.toml").write_text(text)
    return read_policy(directory, ceiling)


def refused(directory: Path, text: str | bytes) -> PolicyInvalid:
    (directory / "cell.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PolicyInvalid) as caught:
        read_policy(directory, CEILING)
    return caught.value


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").touch()
    assert read(tmp_path, EVERY_KEY) == Policy(
        entry="tool.main:run",
        preload=False,
        timeout_seconds=1.5,
        env={"REGION": "eu", "LANG": "C"},
        read=("data/", "data/a.txt"),
        limits=Limits(memory_bytes=64 * MIB, cpu_seconds=0.5, open_files=32, output_bytes=65536),
        pool=Pool(warm=0, max=4, queue=8),
        rate=Rate(per_caller=1.0, per_tool=2.5, burst=3),
        required_level=3,
    )


def test_no_file_and_an_empty_file_are_every_default(tmp_path: Path) -> None:
    assert read_policy(tmp_path, CEILING) == Policy() == read(tmp_path, "")


def test_defaults_are_lowered_to_the_ceiling(tmp_path: Path) -> None:
    low = Limits(memory_bytes=32 * MIB, cpu_seconds=1.0, open_files=16, output_bytes=2048)
    assert read(tmp_path, "", low).limits == low


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("memroy = 1", 1, "memroy: unknown key; did you mean memory?"),
        ("\n[pool]\nwarms = 1", 3, "pool.warms: unknown key; did you mean pool.warm?"),
        ("warm = 1", 1, "unknown key; did you mean pool.warm?"),
        ("secrets = ['A']", 1, "secrets: unknown key; the keys are entry, runtime"),
        ("[retry]\nmax_attempts = 3", 1, "retry: unknown key"),
        ("pool = 3", 1, "pool: must be a table: [pool]"),
        ("memory = '2 GiB'", 1, "from 16777216 to 1073741824 bytes, the server's ceiling.memory"),
        ("memory = '64 mb'", 1, "memory: must be a size such as"),
        ("memory = [1]", 1, "memory: must be a size such as"),
        ("memory = true", 1, "memory: must be a size such as"),
        ("cpu = '301s'", 1, "to 300 s, the server's ceiling.cpu"),
        ("timeout = 0", 1, "timeout: must be from 0.01 to 3600 s"),
        ("timeout = nan", 1, "timeout: must be"),
        ("open_files = '9'", 1, "open_files: must be a whole number"),
        ("open_files = 4096", 1, "to 1024 files, the server's ceiling.open_files"),
        ("output = '1 GiB'", 1, "the server's ceiling.output"),
        ("preload = 'yes'", 1, "preload: must be true or false"),
        ("entry = '../x:run'", 1, "entry: must be module:function"),
        ("entry = 'a/b:run'", 1, "entry: must be module:function"),
        ("env = {LD_PRELOAD = 'x'}", 1, "env: may not set LD_PRELOAD"),
        ("[env]\npythonpath = 'x'", 1, "env: may not set pythonpath"),
        ("env = {TOOLCELL_KEY = 'x'}", 1, "may not set TOOLCELL_KEY"),
        ("env = {PATH = 'x'}", 1, "may not set PATH"),
        ("env = {'A B' = 'x'}", 1, "may not set A B"),
        ("env = {A = 1}", 1, "env: A must be text"),
        ("env = 3", 1, "env: must be a table"),
        ("read = ['../other']", 1, "read: must be paths inside the tool's directory"),
        ("read = ['/etc']", 1, "read: must be paths inside the tool's directory"),
        ("read = 'data'", 1, "read: must be a list"),
        ("read = ['nothing/']", 1, "read: nothing/ does not exist"),
        ("[pool]\nwarm = 3\nmax = 2", 2, "pool.warm: must not be more than pool.max"),
        ("[pool]\nmax = 0", 2, "pool.max: must be from 1 to 256 cells"),
        ("[rate]\nper_tool = '0/s'", 2, "rate.per_tool: must be from"),
        ("[rate]\nper_tool = '5/day'", 2, "rate.per_tool: must be a rate such as"),
        ("[isolation_level]\nrequired = 1", 2, "isolation_level.required: must be from 2 to 3"),
        ("pool.max = 1000", 1, "pool.max: must be from"),
        ("memory = ", 1, "is not TOML"),
        (b"\xff\xfe", 0, "is not UTF-8"),
        ("# " + "x" * 70_000, 0, "is larger than 65536 bytes"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str | bytes, line: int, says: str) -> None:
    wrong = refused(tmp_path, text)
    assert says in str(wrong)
    assert (wrong.line, wrong.cause) == (line, Cause.POLICY_INVALID)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    wrong = refused(tmp_path, "cpu = 'x'\nmemory = 1\n[pool]\nwarm = -1")
    assert [said.partition(":")[0] for said in str(wrong).split("; ")] == ["cpu", "memory", "pool.warm"]


@pytest.mark.parametrize("runtime", ["node", "go", "ruby"])
def test_another_runtime_is_missing(tmp_path: Path, runtime: str) -> None:
    wrong = refused(tmp_path, f"\nruntime = '{runtime}'")
    assert (wrong.cause, wrong.line) == (Cause.RUNTIME_MISSING, 2)
    assert str(wrong) == f"the runtime '{runtime}' is not available: this server runs python handlers only"


def test_links_may_not_leave_the_directory(tmp_path: Path) -> None:
    tool, outside = tmp_path / "tool", tmp_path / "outside"
    tool.mkdir()
    outside.mkdir()
    (tool / "data").symlink_to(outside)
    assert "read: data is a link that leaves" in str(refused(tool, "read = ['data']"))
    (outside / "cell.toml").write_text("memory = '64 MiB'")
    (tool / "cell.toml").unlink()
    (tool / "cell.toml").symlink_to(outside / "cell.toml")
    with pytest.raises(PolicyInvalid, match="is a link that leaves"):
        read_policy(tool, CEILING)
