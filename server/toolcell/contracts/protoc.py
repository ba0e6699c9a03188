"""Compiles contracts in a process of its own: run by path, never imported by the server.

Reads one JSON object from stdin, limits itself, and writes one JSON object to stdout: for each file that does
not compile, what protoc said. The others go into the descriptor set. protoc stops at the first file that
fails, so what comes after it is tried without it; that costs one more run a broken file, in this process, and
none in the good case.
"""

import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable

_LONGEST = 8192  # bytes kept of what protoc says about one file

Run = Callable[[list[str], str], str]


def main() -> None:
    """Compiles what stdin orders: {"limits", "root", "includes", "names", "out"}."""
    order = json.load(sys.stdin)
    for name, value in order["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    os.chdir(order["root"])
    json.dump({"broken": compile_all(_runner(order["includes"]), order["names"], order["out"])}, sys.stdout)


def compile_all(run: Run, names: list[str], out: str) -> dict[str, str]:
    """Compiles every name that compiles into `out` and returns what was said about the others."""
    said = run(names, out)
    if not said:
        return {}
    broken: dict[str, str] = {}
    rest = names
    while rest and (said := run(rest, os.devnull)):
        at = _blamed(rest, said)
        broken[rest[at]] = said
        rest = rest[at + 1 :]
    good = [name for name in names if name not in broken]
    while good and (said := run(good, out)):  # two good files may still define one name
        broken[good.pop(_blamed(good, said))] = said
    return broken


def _blamed(names: list[str], said: str) -> int:
    """Returns the index of the file that protoc stopped at: the first that it names."""
    places = {line.partition(":")[0] for line in said.splitlines() if ": warning: " not in line}
    return next((at for at, name in enumerate(names) if name in places), 0)


def _runner(includes: list[str]) -> Run:
    from grpc_tools import protoc  # noqa: PLC0415 - after the limits

    log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
    os.dup2(log.fileno(), 2)

    def run(names: list[str], out: str) -> str:
        log.seek(0)
        log.truncate()
        options = ["--include_imports", "--include_source_info", f"--descriptor_set_out={out}"]
        if protoc.main(["protoc", *includes, *options, *names]) == 0:
            return ""
        log.seek(0)
        return log.read(_LONGEST).decode("utf-8", "replace") or "protoc failed without a word"

    return run


if __name__ == "__main__":
    main()
