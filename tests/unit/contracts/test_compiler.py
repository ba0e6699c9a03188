"""protoc in a limited process: what does not compile is named with its place, and takes nothing else down."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.contracts.workspace import PROTOS, proto
from toolcell.contracts import compiler, sources
from toolcell.contracts.compiler import Compiled, compile_sources
from toolcell.contracts.definitions import Definitions


def compiled(root: Path, files: Mapping[str, str]) -> Compiled:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return compile_sources(sources.read(root))


def said(result: Compiled) -> dict[str, tuple[int, int, str]]:
    return {wrong.file: (wrong.line, wrong.column, wrong.message) for wrong in result.broken}


def test_contracts_under_test_compile_and_bring_what_they_import() -> None:
    result = compile_sources(sources.read(PROTOS))
    assert result.broken == ()
    assert result.contracts == {
        "constructs/v1/constructs.proto",
        "constructs/v1/legacy.proto",
        "rules/v1/rules.proto",
    }
    names = [file.name for file in result.files]
    assert {
        "buf/validate/validate.proto",
        "toolcell/v1/options.proto",
        "google/api/field_behavior.proto",
    } <= {*names}
    assert names.index("constructs/v1/legacy.proto") < names.index("constructs/v1/constructs.proto")


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('syntax = "proto3";\npackage a;\nmessage A { strin f = 1 }\n', (3, 25), 'Expected ";".'),
        ('syntax = "proto3";\npackage a;\nmessage A { Foo f = 1; }\n', (3, 13), '"Foo" is not defined.'),
        ('syntax = "proto9";\n', (1, 10), 'Unrecognized syntax identifier "proto9".'),
        (
            'syntax = "proto3";\nimport "no/such.proto";\n',
            (2, 1),
            'Import "no/such.proto" was not found or had errors.',
        ),
        ("message A {" * 5000, (1, 342), "Reached maximum recursion limit for nested messages."),
        ("\0\1\2", (1, 1), "Invalid control characters encountered in text."),
        ('syntax = "proto3"; option (no.such) = {a: 1};', (1, 27), 'Option "(no.such)" unknown.'),
    ],
)
def test_a_broken_file_is_named_with_its_place_and_takes_no_other_down(
    tmp_path: Path, text: str, place: tuple[int, int], message: str
) -> None:
    files = {"a.proto": proto("good.a", "DoA"), "broken.proto": text, "z.proto": proto("good.z", "DoZ")}
    result = compiled(tmp_path, files)
    assert result.contracts >= {"a.proto", "z.proto"}
    [wrong] = result.broken
    assert wrong.file == "broken.proto"
    assert (wrong.line, wrong.column) == place
    assert message in wrong.message


def test_a_file_that_imports_a_broken_one_is_named_too(tmp_path: Path) -> None:
    files = {
        "a_importer.proto": proto("importer", "Do", imports='import "broken.proto";'),
        "broken.proto": "nonsense",
        "good.proto": proto("good", "Do"),
        "z_importer.proto": proto("z", "Do", imports='import "a_importer.proto";'),
    }
    result = compiled(tmp_path, files)
    assert result.contracts == {"good.proto"}
    assert said(result)["a_importer.proto"] == (3, 1, 'Import "broken.proto" was not found or had errors.')
    assert said(result).keys() == files.keys() - {"good.proto"}


def test_files_that_import_each_other_are_named(tmp_path: Path) -> None:
    files = {
        "a.proto": proto("a", "Do", imports='import "b.proto";'),
        "b.proto": proto("b", "Do", imports='import "a.proto";'),
    }
    result = compiled(tmp_path, files)
    assert result.contracts == frozenset()
    assert said(result).keys() == files.keys()


def test_of_two_files_that_define_one_name_neither_is_taken(tmp_path: Path) -> None:
    files = {"a.proto": proto("same", "Do"), "b.proto": proto("same", "Do"), "c.proto": proto("other", "Do")}
    result = compiled(tmp_path, files)
    assert result.contracts == {"c.proto"}
    assert said(result).keys() == {"a.proto", "b.proto"}


def test_vendored_files_can_be_imported_and_are_no_contracts(tmp_path: Path) -> None:
    files = {
        "vendor/third/party.proto": 'syntax = "proto3"; package third; message Party {}',
        "toolcell/v1/tool_service.proto": "this is not looked at",
        "a.proto": proto(
            "a", "Do", imports='import "third/party.proto";', more="message M { third.Party p = 1; }"
        ),
    }
    result = compiled(tmp_path, files)
    assert result.contracts == {"a.proto"}
    assert result.broken == ()


def test_ours_come_before_a_file_of_the_same_path(tmp_path: Path) -> None:
    fake = 'syntax = "proto3"; package toolcell.v1; message Nothing {}'
    files = {
        "toolcell/v1/options.proto": fake,
        "vendor/google/protobuf/struct.proto": 'syntax = "proto3"; package google.protobuf; message No {}',
        "a.proto": proto(
            "a",
            "Do",
            imports='import "google/protobuf/struct.proto"; import "toolcell/v1/options.proto";',
            more="message M { google.protobuf.Value v = 1; }",
        ),
    }
    result = compiled(tmp_path, files)
    assert result.broken == ()
    own = next(file for file in result.files if file.name == "toolcell/v1/options.proto")
    assert [extension.name for extension in own.extension] == ["tool"]


@pytest.mark.parametrize(
    "package", ["toolcell", "toolcell.v1", "grpc.health.v1", "google.x", "buf.validate", "google"]
)
def test_reserved_packages_are_refused(tmp_path: Path, package: str) -> None:
    result = sources.read(
        _written(tmp_path, {"mine.proto": f'syntax = "proto3";\n/* x */ package {package} ;'})
    )
    [wrong] = result.refused
    assert wrong.message.startswith(f"the package {package.partition('.')[0]}")
    assert "vendor/" in wrong.remedy


def test_a_contract_at_the_path_of_one_of_ours_is_refused_without_naming_the_machines_paths(
    tmp_path: Path,
) -> None:
    result = compiled(tmp_path, {"google/type/date.proto": proto("mine", "Do"), "a.proto": proto("a", "Do")})
    assert result.contracts == {"a.proto"}
    assert said(result) == {
        "google/type/date.proto": (0, 0, "has the path of a file that comes with Toolcell")
    }


@pytest.mark.parametrize("package", ["googlex", "mine.google", "bufalo.v1", "toolcells"])
def test_packages_that_only_look_reserved_are_not(tmp_path: Path, package: str) -> None:
    text = f'syntax = "proto3"; // package google.x;\n/* package buf; */ package {package};'
    assert sources.read(_written(tmp_path, {"mine.proto": text})).refused == ()


def test_files_are_bounded_in_size_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_FILES", 2)
    files = {f"{name}.proto": proto(name, "Do") for name in "abc"}
    result = sources.read(_written(tmp_path, {**files, "0.proto": "//" + "x" * sources.MOST_BYTES}))
    assert result.names == ("a.proto", "b.proto")
    assert {wrong.file: wrong.message for wrong in result.refused} == {
        "0.proto": f"is larger than {sources.MOST_BYTES} bytes",
        "c.proto": "is one file too many: at most 2 contracts are loaded",
    }


def test_hidden_folders_and_other_files_are_not_looked_at(tmp_path: Path) -> None:
    root = _written(tmp_path, {".git/a.proto": "x", "notes.txt": "x", "a.proto": proto("a", "Do")})
    assert sources.read(root).names == ("a.proto",)


def test_a_compiler_that_dies_is_traced_to_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "protoc.py"
    program.write_text(DIES_OF_BOOM.replace("PROGRAM", str(compiler._PROGRAM)))
    monkeypatch.setattr(compiler, "_PROGRAM", program)
    files = {f"{name}.proto": proto(name, "Do") for name in "abcde"}
    result = compiled(tmp_path / "protos", {**files, "c.proto": proto("c", "Do") + "// boom"})
    assert result.contracts == {"a.proto", "b.proto", "d.proto", "e.proto"}
    [wrong] = result.broken
    assert wrong.file == "c.proto"
    assert wrong.message.startswith("stops the compiler: it ended with status -9")


DIES_OF_BOOM = """
import io, json, os, pathlib, runpy, signal, sys
text = sys.stdin.read()
sys.stdin = io.StringIO(text)
order = json.loads(text)
if any("boom" in pathlib.Path(order["root"], name).read_text() for name in order["names"]):
    os.kill(os.getpid(), signal.SIGKILL)
runpy.run_path("PROGRAM", run_name="__main__")
"""


def test_a_compiler_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "protoc.py"
    program.write_text("import signal\nsignal.pause()\n")
    monkeypatch.setattr(compiler, "_PROGRAM", program)
    monkeypatch.setattr(compiler, "_SECONDS", 0.2)
    result = compiled(tmp_path / "protos", {"a.proto": proto("a", "Do")})
    assert result.contracts == frozenset()
    assert result.broken[0].message == "stops the compiler: it took longer than 0.2 s"


def test_what_the_pool_refuses_is_named_with_what_imports_it(tmp_path: Path) -> None:
    result = compiled(
        tmp_path, {"a.proto": proto("a", "Do"), "b.proto": proto("b", "Do", imports='import "a.proto";')}
    )
    for file in result.files:
        if file.name == "a.proto":
            file.message_type[0].field[0].type_name = ".no.Such"
    definitions = Definitions(result.files)
    assert definitions.refused.keys() == {"a.proto", "b.proto"}
    assert definitions.refused["b.proto"] == "imports a.proto, which cannot be used"


def _written(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root
