"""Makes the stubs of toolcell.v1 and of the example tools for every client, into clients/<language>/gen.

Run by `./dev clients`, with the plugins of Go on PATH and those of Node in clients/node/node_modules.
"""

import importlib.resources
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from grpc_tools import protoc

CLIENTS = Path(__file__).parent
PROTOS = CLIENTS.parent / "protos"
GO_MODULE = "toolcell.dev/clients/go/gen"
INCLUDES = (
    PROTOS,
    PROTOS / "vendor",
    importlib.resources.files("grpc_tools") / "_proto",
    sysconfig.get_path("purelib"),  # google/rpc, of googleapis-common-protos
)
ERRORS = ("google/rpc/error_details.proto", "google/rpc/status.proto")


def go(files: list[str], out: Path) -> list[str]:
    """Returns protoc's arguments for Go: a package for each folder, as the protos name none."""
    packages = [f"M{file}={GO_MODULE}/{Path(file).parent}" for file in files]
    options = ",".join(["paths=source_relative", *packages])
    return [f"--{kind}_{what}" for kind in ("go", "go-grpc") for what in (f"out={out}", f"opt={options}")]


def node(_: list[str], out: Path) -> list[str]:
    """Returns protoc's arguments for Node: modules, and google.rpc too, which no package there brings."""
    plugin = CLIENTS / "node/node_modules/.bin/protoc-gen-es"
    return [
        f"--plugin=protoc-gen-es={plugin}",
        f"--es_out={out}",
        "--es_opt=target=js,import_extension=js",
        *ERRORS,
    ]


def python(_: list[str], out: Path) -> list[str]:
    """Returns protoc's arguments for Python; toolcell.v1 is committed beside the folder it makes."""
    return [f"--python_out={out}", f"--grpc_python_out={out}"]


def sources() -> Iterator[str]:
    """Yields the files of the contract, of the examples, and what they import."""
    for root in (PROTOS, PROTOS / "vendor"):
        for file in sorted(root.rglob("*.proto")):
            if root != PROTOS or (PROTOS / "vendor") not in file.parents:
                yield str(file.relative_to(root))


def main() -> int:
    """Makes every language's stubs anew; returns protoc's exit code."""
    files = list(sources())
    for language in (go, node, python):
        out = CLIENTS / language.__name__ / "gen"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        wanted = [f for f in files if language is not python or not f.startswith("toolcell/")]
        includes = [f"-I{folder}" for folder in INCLUDES]
        if failed := protoc.main(["protoc", *includes, *language(files, out), *wanted]):
            return failed
    return 0


if __name__ == "__main__":
    sys.exit(main())
