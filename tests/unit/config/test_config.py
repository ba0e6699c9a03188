"""Where a setting comes from, and what is said about a wrong one."""

from pathlib import Path

import pytest

from toolcell.config import SETTINGS, Config, ConfigError, load


def read(tmp_path: Path, toml: str = "", **environment: str) -> Config:
    file = tmp_path / "toolcell.toml"
    file.write_text(toml)
    return load({}, file=file, environment=environment)


def test_flag_beats_variable_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "toolcell.toml"
    file.write_text('[drain]\ngrace = "1s"\n[cells]\nidle = "1s"\nzygotes = 5\n')
    environment = {"TOOLCELL_DRAIN_GRACE": "2s", "TOOLCELL_CELLS_IDLE": "2s"}
    config = load({"drain.grace": "3s", "cells.idle": None}, file=file, environment=environment)
    assert (config.grace_seconds, config.idle_seconds, config.zygotes) == (3, 2, 5)
    assert config.message_bytes == 4 << 20


def test_every_default_is_what_its_own_reader_gives() -> None:
    for setting in SETTINGS:
        if setting.default is not None:
            assert setting.read(str(setting.default).lower()) == setting.default, setting.key


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[grpc]\nlisen = 'x'\n", "unknown key 'grpc.lisen'. Did you mean 'grpc.listen'"),
        ("grpc = 5\n", "unknown key 'grpc'"),
        ("[grpc]\nlisten = 7\n", "toolcell.toml: grpc.listen must be text"),
        ("[grpc]\nlisten = 'localhost'\n", "must be HOST:PORT"),
        ("[grpc]\nlisten = '127.0.0.1:70000'\n", "must be HOST:PORT"),
        ("[grpc]\nlisten = '127.0.0.1:\u0663'\n", "must be HOST:PORT"),
        ("[grpc]\nmessage = 0\n", "must be from 64 KiB to 512 MiB"),
        ("[grpc]\nmessage = '2 GiB'\n", "must be from 64 KiB to 512 MiB"),
        (f"[grpc]\ncalls = {'9' * 5000}\n", "is not TOML"),
        (f"x = {'[' * 100_000}\n", "is not TOML"),
        ("[grpc]\nlisten = '0.0.0.0:7333'\n", "not loopback"),
        ("[grpc]\nlisten = '127.evil.example:7333'\n", "not loopback"),
        ("[grpc]\ncertificate = 'c.pem'\n", "go together"),
        ("[grpc]\nclient_ca = 'c.pem'\n", "needs TLS"),
        ("[grpc]\ninsecure = 'maybe'\n", "must be true or false"),
        ("[grpc]\nmessage = '4 parsecs'\n", "must be a size such as"),
        ("[isolation]\nrequired = 0\n", "from 2 to 3"),
        ("[grpc\n", "is not TOML"),
    ],
)
def test_wrong_files_are_refused_with_the_remedy(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, toml)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"TOOLCELL_DRAIN_GRACE: drain\.grace must be a length of time"):
        read(tmp_path, TOOLCELL_DRAIN_GRACE="soon")


def test_plaintext_off_loopback_only_when_told(tmp_path: Path) -> None:
    assert read(tmp_path, "[grpc]\nlisten = '0.0.0.0:7333'\ninsecure = true\n").insecure
    assert read(tmp_path, "[grpc]\nlisten = '[::1]:7333'\n").listen == "[::1]:7333"


def test_a_missing_named_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load({}, file=tmp_path / "none.toml", environment={})


@pytest.mark.parametrize(
    ("given", "is_dev", "mode"),
    [(None, True, "open"), (None, False, "token"), ("off", True, "off"), ("open", False, "open")],
)
def test_who_may_read_the_contracts_is_a_setting_that_is_open_in_dev(
    given: str | None, is_dev: bool, mode: str
) -> None:
    assert load({"grpc.reflection": given}, is_dev=is_dev, environment={}).reflection == mode
    with pytest.raises(ConfigError, match="must be one of open, token, off"):
        load({"grpc.reflection": "all"}, environment={})
