"""buf over the contracts of a workspace: compiled by our own protoc, so that what is bundled is found."""

import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from toolcell.cli.errors import EXITS, CommandError

RULES: Final = {
    "version": "v2",
    "lint": {"use": ["STANDARD", "COMMENTS"]},
    "breaking": {"use": ["WIRE_JSON", "PACKAGE_SERVICE_NO_DELETE", "RPC_NO_DELETE"]},
}
"""What is held to where no buf.yaml says otherwise: models and HTTP clients see JSON names."""

_FOUND: Final = 100  # buf's exit code for complaints


def program() -> str | None:
    """Finds buf beside this interpreter or on PATH."""
    beside = Path(sys.executable).with_name("buf")
    return str(beside) if beside.exists() else shutil.which("buf")


def lint(buf: str, image: Path, own: list[str]) -> list[str]:
    """Returns buf's complaints about the style of an image's own files."""
    paths = [word for name in own for word in ("--path", name)]
    return _complaints(buf, "lint", str(image), *paths) if own else []


def breaking(buf: str, image: Path, before: Path) -> list[str]:
    """Returns what buf finds that breaks callers of an earlier image."""
    return _complaints(buf, "breaking", str(image), "--against", str(before))


def make_image(protos: Path, into: Path) -> list[str]:
    """Compiles a folder of contracts into an image; returns the names of its own files."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    from toolcell.contracts import sources
    from toolcell.contracts.compiler import compile_sources

    compiled = compile_sources(sources.read(protos))
    into.write_bytes(FileDescriptorSet(file=compiled.files).SerializeToString())
    return sorted(compiled.contracts)


def image_of(against: str, protos: Path, folder: Path) -> Path:
    """Returns the image of an earlier state: a file, or the contracts as a git ref has them."""
    if Path(against).is_file():
        return Path(against).resolve()
    git = shutil.which("git")
    hint = "name a commit, branch or tag of this folder's repository, or the file of an image"
    if git is None:
        raise CommandError("there is no git to look the ref up with", exit_code=EXITS["usage"], hint=hint)
    command = [git, "-C", str(protos), "archive", "--format=tar", against, "."]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise CommandError(f"git does not give {against!r}: {said}", exit_code=EXITS["usage"], hint=hint)
    with tempfile.TemporaryDirectory(prefix="toolcell-check-") as earlier:
        _unpack(done.stdout, Path(earlier))
        make_image(Path(earlier), folder / "before.binpb")
    return folder / "before.binpb"


def _unpack(content: bytes, folder: Path) -> None:
    """Writes the contracts of an archive, and nothing else that it may hold, below a folder."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            parts = Path(member.name).parts
            file = archive.extractfile(member) if member.isfile() and ".." not in parts else None
            if file is not None and member.name.endswith(".proto") and not member.name.startswith("/"):
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read())


def _complaints(buf: str, *words: str) -> list[str]:
    config = "buf.yaml" if Path("buf.yaml").is_file() and words[0] == "lint" else json.dumps(RULES)
    command = [buf, *words, "--error-format", "json", "--config", config]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, _FOUND):
        said = done.stderr.strip().partition("\n")[0]
        raise CommandError(
            f"buf {words[0]} did not run: {said}", exit_code=EXITS["usage"], hint="see `buf --help`"
        )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [f"{it.get('path', '')}:{it.get('start_line', 1)}: {it['message']} ({it['type']})" for it in found]
