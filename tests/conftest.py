"""Rules for every test: in CI a skipped test fails the run, as what is skipped there is tested nowhere."""

import os

import hypothesis
import pytest

hypothesis.settings.register_profile("toolcell", deadline=None)  # a busy machine is not a failing test
hypothesis.settings.load_profile("toolcell")


def is_ci() -> bool:
    """Says whether the environment calls itself CI."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turns a run that passed but skipped into one that failed, in CI."""
    if is_ci() and session.exitstatus == pytest.ExitCode.OK and skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says why such a run failed; pytest itself prints the reasons for skipping above."""
    if is_ci() and (count := skipped(config)):
        terminalreporter.write_line(f"CI: {count} skipped, so this run fails", red=True)


def skipped(config: pytest.Config) -> int:
    """Counts the tests that were skipped so far."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", ())) if reporter else 0
