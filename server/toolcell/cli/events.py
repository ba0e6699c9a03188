"""What an event of a trace tells, in words."""

import json
from collections.abc import Mapping
from typing import Any

from toolcell.cli.options import as_data
from toolcell.cli.text import plain, span


def told(event: Any, head: str, indent: int) -> str:
    """Tells an event: its head and its body on one line, the rest of the body on lines below, indented."""
    first, *below = _BODIES.get(event.kind, _raw)(as_data(event.body))
    return "\n".join(
        [f"{head}  {plain(first)}".rstrip(), *(f"{'':>{indent}}{plain(line)}" for line in below)]
    )


def _log(body: Mapping[str, Any]) -> list[str]:
    fields = (
        f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in body.get("fields", {}).items()
    )
    return [" ".join([str(body.get("level", "")), str(body.get("message", "")), *fields])]


def _line(body: Mapping[str, Any]) -> list[str]:
    return [str(body.get("text", ""))]


def _progress(body: Mapping[str, Any]) -> list[str]:
    return [f"{body.get('fraction', 0):4.0%} {body.get('message', '')}"]


def _exception(body: Mapping[str, Any]) -> list[str]:
    violations = [
        f"{each.get('field', '')}: {each.get('description', '')}" for each in body.get("violations", ())
    ]
    what = f"{body.get('type', '')}: {body.get('message', '')}"
    return [*what.splitlines()[:1], *str(body.get("stack", "")).splitlines(), *violations]


def _raw(body: Mapping[str, Any]) -> list[str]:
    return [json.dumps(body, ensure_ascii=False)]


def _started(_: Mapping[str, Any]) -> list[str]:
    return [""]


def _ended(body: Mapping[str, Any]) -> list[str]:
    reason = f": {body['reason']}: {body.get('message', '')}" if "reason" in body else ""
    interrupted = " (the server died)" if body.get("interrupted") else ""
    return [f"{body.get('state', '')} after {span(float(body.get('duration', 0)))}{reason}{interrupted}"]


_BODIES = {
    "started": _started,
    "log": _log,
    "stdout": _line,
    "stderr": _line,
    "progress": _progress,
    "exception": _exception,
    "ended": _ended,
}
"""How the body of each kind of event is told; another kind's is shown as JSON."""
