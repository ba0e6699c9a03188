"""The commands and files of a Markdown page, and a shell that runs them in order.

- A block ```sh holds commands; each must succeed.
- A block ```console holds commands after `$ ` and what each prints; `…` stands for anything.
- A block of either kind that begins with `# terminal 1` is started in the background and stays until the end.
- A block whose first line is a comment that names a file under protos/ or handlers/ is that file.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?://|#) ((?:protos|handlers)/[\w./-]+)\n")
_BACKGROUND = "# terminal 1\n"
_MARK = "@@ "


@dataclass(frozen=True, slots=True)
class Step:
    """One thing for the reader to do: run `commands`, which print `expected` (None: whatever they like)."""

    commands: str
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What a page asks for."""

    background: tuple[str, ...]
    steps: tuple[Step, ...]


def read(text: str) -> Page:
    """Finds the steps of a page."""
    background, steps = [], []
    for language, body in _BLOCK.findall(text):
        if file := _FILE.match(body):
            folder = Path(file[1]).parent
            steps.append(Step(f"mkdir -p '{folder}'\ncat > '{file[1]}' <<'END-OF-FILE'\n{body}END-OF-FILE\n"))
        elif language == "sh" and body.startswith(_BACKGROUND):
            background.append(body.removeprefix(_BACKGROUND))
        elif language == "sh":
            steps.append(Step(body))
        elif language == "console":
            first, *rest = re.split(r"^\$ ", body, flags=re.MULTILINE)
            assert not first, "a console block begins with a command"
            steps += [
                Step(command + "\n", expected)
                for command, _, expected in (each.partition("\n") for each in rest)
            ]
    return Page(tuple(background), tuple(steps))


def run(page: Page, folder: Path, environment: dict[str, str]) -> list[str]:
    """Runs the steps in one shell and returns a complaint for each that failed or printed something else."""
    script = "".join(f"printf '\\n%s\\n' '{_MARK}{n}'\n{step.commands}" for n, step in enumerate(page.steps))
    done = subprocess.run(
        [str(shutil.which("bash")), "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    shown = re.split(rf"\n{_MARK}\d+\n", done.stdout)[1:]
    complaints = [
        f"$ {step.commands}printed\n{output}\ninstead of\n{step.expected}"
        for step, output in zip(page.steps, shown, strict=False)
        if step.expected is not None and not _fits(step.expected, output)
    ]
    if done.returncode:
        complaints.append(
            f"$ {page.steps[len(shown) - 1].commands}failed with {done.returncode}:\n{shown[-1]}"
        )
    return complaints


def _fits(expected: str, output: str) -> bool:
    pattern = re.escape(expected.strip()).replace("…", ".*")
    return re.fullmatch(pattern, output.strip(), re.DOTALL) is not None
