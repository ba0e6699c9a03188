"""Handlers without a method, when a file does not compile: whether their contract is in it, or may be."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from toolcell.contracts import sources
from toolcell.contracts.sources import Broken
from toolcell.contracts.tools import Declared, unknown_contract
from toolcell.model.tool import Cause, Unavailable


def suspects(
    root: Path, broken: Iterable[Broken], names: Iterable[str], homes: Mapping[str, str]
) -> dict[str, Declared]:
    """Returns the tools, of these names, whose contract a broken file under a root keeps from being read.

    That is the file that names the tool or did when it compiled (`homes`), else one in which nothing can be
    recognized. A broken file that plainly declares other things is no reason.
    """
    said = [(file, sources.tools_named(root / file.file)) for file in broken]
    unclear = next((file for file, named in said if named is None), None)
    found = {}
    for name in names:
        sure = (file for file, named in said if name in (named or ()) or homes.get(name) == file.file)
        if file := next(sure, None):
            found[name] = _declared(root, name, file, "its contract does not compile")
        elif unclear:
            what = f"no method is called {name}; its contract may be in a file that does not compile"
            found[name] = _declared(root, name, unclear, what)
    return found


def _declared(root: Path, name: str, file: Broken, what: str) -> Declared:
    where = f"{root.name}/{file.where}"
    why = Unavailable(Cause.CONTRACT_INVALID, f"{what}: {file.message}", where, file.remedy)
    return Declared(name, where, unknown_contract(name), wrong=why)
