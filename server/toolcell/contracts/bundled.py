"""The .proto files that come with Toolcell, and where contracts find them."""

from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path
from typing import Final

#: Import path → place in a source checkout; in an installed package it is bundled/<import path>.
_OWN: Final = {
    "toolcell/v1/options.proto": "protos/toolcell/v1/options.proto",
    "buf/validate/validate.proto": "protos/vendor/buf/validate/validate.proto",
}
_GOOGLE_APIS: Final = "googleapis-common-protos"


def includes() -> Iterator[str]:
    """Yields protoc's `-I` arguments; they come before the workspace's own, whose files cannot replace ours.

    A folder or file is mapped to its import path, so nothing else that is installed can be imported.
    """
    well_known = resources.files("grpc_tools").joinpath("_proto/google/protobuf")
    yield f"-Igoogle/protobuf={well_known}"
    for path, source in _OWN.items():
        yield f"-I{path}={_place(path, source)}"
    for folder in sorted(_google_folders()):
        yield f"-I{folder}={metadata.distribution(_GOOGLE_APIS).locate_file(folder)}"


def _place(path: str, source: str) -> Path:
    installed = Path(__file__).with_name("bundled") / path
    return installed if installed.exists() else Path(__file__).parents[3] / source


def _google_folders() -> set[str]:
    """Returns folders such as google/api that hold .proto files."""
    files = metadata.distribution(_GOOGLE_APIS).files or ()
    return {
        "/".join(file.parts[:2]) for file in files if file.suffix == ".proto" and file.parts[0] == "google"
    }
