"""Rules for every file of the repository, and for the three that set it up."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.architecture.sources import ROOT, files

REGISTRIES = re.compile(
    r"(?:pypi|pythonhosted|npmjs|yarnpkg|proxy\.golang|sum\.golang|goproxy|repo1?\.maven)\.(?:org|com|io|apache)"
)


def test_the_top_level_is_fixed() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in files()}
    folders = {".ci", "clients", "handlers", "protos", "server", "tests"}
    plain = {
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "buf.yaml",
        "dev",
        "pyproject.toml",
        "requirements.lock",
        "toolcell.lock",
        ".gitignore",
    }
    assert top <= folders | plain
    assert all((ROOT / folder / "README.md").is_file() for folder in folders - {".ci"})


def test_no_file_names_a_registry_or_this_machine() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_bytes().decode(errors="replace") for path in files()}
    assert [name for name, text in texts.items() if REGISTRIES.search(text)] == []
    assert [name for name, text in texts.items() if len(ROOT.parts) > 2 and f"{ROOT}/" in text] == []


def test_the_scripts_are_programs_the_shell_can_read() -> None:
    for script, shell in ((ROOT / "dev", "sh"), (ROOT / ".ci/run", "bash")):
        assert os.access(script, os.X_OK)
        subprocess.run([shell, "-n", script], check=True)


@pytest.mark.parametrize(
    ("lock", "roots"),
    [
        ("requirements.lock", ("project", "dev")),
        ("protos/requirements.lock", ("generate",)),
        ("clients/requirements.lock", ("clients",)),
    ],
)
def test_a_lock_is_hashed_and_holds_what_pyproject_asks_for(lock: str, roots: tuple[str, ...]) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    blocks = re.findall(
        r"^([A-Za-z0-9_.-]+)==([^\s;]+)[^\n]*\\\n((?:    --hash=sha256:\w{64}(?: \\)?\n)+)",
        text,
        re.MULTILINE,
    )
    locked = {name: Version(version) for name, version, _ in blocks}
    assert len(locked) == len(re.findall(r"^\S+==", text, re.MULTILINE)), "every package has hashes"
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = {"project": pyproject["project"]["dependencies"], **pyproject["dependency-groups"]}
    for asked in (Requirement(line) for root in roots for line in groups[root]):
        assert asked.name in locked, f"{asked.name}: ./dev lock"
        assert asked.specifier.contains(locked[asked.name], prereleases=True), f"{asked.name}: ./dev lock"


def test_an_installed_toolcell_brings_the_protos_that_contracts_import(tmp_path: Path) -> None:
    hatchling = Path(sys.executable).with_name("hatchling")
    subprocess.run(
        [hatchling, "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {
            path.name: str(path).split("bundled/")[1]
            for path in map(Path, archive.namelist())
            if "bundled" in path.parts
        }
    assert inside == {
        "options.proto": "toolcell/v1/options.proto",
        "validate.proto": "buf/validate/validate.proto",
    }


@pytest.mark.parametrize("is_ci", [False, True])
def test_a_skipped_test_fails_the_run_in_ci_only(tmp_path: Path, is_ci: bool) -> None:
    test = tmp_path / "test_skipped.py"
    test.write_text("import pytest\n\ndef test_nothing():\n    pytest.skip('the reason')\n")
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | (
        {"CI": "true"} if is_ci else {}
    )
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            ROOT / "pyproject.toml",
            "--rootdir",
            tmp_path,
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            test,
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the reason" in run.stdout
    assert (run.returncode != 0) == is_ci, run.stdout


@pytest.mark.parametrize("arguments", [["no-such-command"], ["stress"]])
def test_dev_refuses_what_it_cannot_do(arguments: list[str]) -> None:
    if arguments == ["stress"] and (ROOT / "tests/robustness").exists():
        return
    run = subprocess.run([ROOT / "dev", *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr
