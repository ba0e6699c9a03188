"""What the pages tell a reader to type does what they say."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.system import documents
from tests.system.dev_server import ROOT, Server, copy_workspace, environment

PAGES = ("README.md", "clients/README.md", "clients/grpcurl/README.md", "handlers/README.md")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is set up already: ./dev is the real one, but does not ask whether it must set up."""
    copy_workspace(tmp_path)
    (tmp_path / "handlers/search_customer/data/customers.db").unlink()
    script, count = re.subn(
        r"^is_fresh\(\).*$", "is_fresh() { true; }", (ROOT / "dev").read_text(), flags=re.MULTILINE
    )
    assert count == 1
    (tmp_path / "dev").write_text(script)
    (tmp_path / "dev").chmod(0o755)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.mark.timeout(900)  # one of them waits for the clients to be built
@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_does_what_the_page_says(
    name: str, checkout: Path, request: pytest.FixtureRequest
) -> None:
    text = (ROOT / name).read_text()
    if "./dev clients" in text:
        (checkout / ".venv-clients").symlink_to(request.getfixturevalue("clients").parent)
    page = documents.read(text)
    assert page.background == ("./dev run\n",)
    assert page.steps
    # pytest inside pytest finds some tests and stops there
    variables = environment(PYTEST_ADDOPTS="--collect-only -p no:cacheprovider tests/unit/cli")
    with Server(["bash", "-c", f"exec {page.background[0]}"], checkout, TOOLCELL_GRPC_LISTEN="127.0.0.1:0"):
        assert not documents.run(page, checkout, variables)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```sh\nfalse\n```\n", "failed with 1"),
        ("```sh\nfalse | true\n```\n", "failed with 1"),
        ("```console\n$ echo a b c\na … d\n```\n", "printed\na b c"),
        ("```console\n$ echo a\n$ echo b\nb\n```\n", "printed\na"),
    ],
)
def test_a_page_that_is_wrong_is_noticed(text: str, complaint: str, tmp_path: Path) -> None:
    (found,) = documents.run(documents.read(text), tmp_path, environment())
    assert complaint in found


def test_a_page_that_is_right_is_not_complained_about(tmp_path: Path) -> None:
    text = (
        "```toml\n# handlers/x/cell.toml\na = 1\n```\n```console\n$ tail -1 handlers/x/cell.toml\na …\n```\n"
    )
    text += "```sh\nx=1\n```\n```console\n$ echo $x; false || echo no\n1\nno\n```\n"
    assert not documents.run(documents.read(text), tmp_path, environment())
