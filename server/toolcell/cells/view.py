"""What a tool's cells may open: the standard and shared libraries, its own code, what its policy adds."""

import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache

from toolcell.model.errors import ToolUnavailable
from toolcell.model.tool import Cause, Tool

Line = tuple[str, str]
"""A resolved path, and what is granted there (`RIGHTS` in containment/landlock)."""

_SHARED = (
    *(
        "/lib",
        "/lib32",
        "/lib64",
        "/usr/lib",
        "/usr/lib32",
        "/usr/lib64",
        "/usr/local/lib",
        "/etc/ld.so.cache",
    ),
    *("/usr/share/zoneinfo", "/etc/localtime", "/etc/mime.types"),
    *(
        "/etc/ssl/certs",
        "/etc/ssl/openssl.cnf",
        "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates",
    ),
    *("/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/ca-trust/extracted", "/etc/ssl/cert.pem"),
)
"""Public files that code expects anywhere.

Not /usr as a whole, for people keep projects in /usr/src; not /etc/ssl, which has keys in private/. Nor
/dev/zero: mapped as shared it is memory that no limit counts.
"""

_DEVICES = (("/dev/null", "device"), ("/dev/urandom", "file"))


def view(tool: Tool) -> list[Line]:
    """Returns the lines of a tool's view; raises ToolUnavailable when `read` leaves the tool's directory."""
    return [*_platform(), *_code(tool), *_data(tool)]


@cache
def _platform() -> tuple[Line, ...]:
    paths = [
        *_SHARED,
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        sysconfig.get_config_var("LIBDIR"),
    ]
    paths.append(
        os.path.join(sys.base_prefix, "lib", f"python{sys.version_info[0]}{sys.version_info[1]}.zip")
    )
    resolved = dict.fromkeys(os.path.realpath(path) for path in paths if path and os.path.exists(path))
    kept = [path for path in resolved if not any(path.startswith(other + "/") for other in resolved)]
    return (*(_line(path) for path in kept), *_DEVICES)


def _code(tool: Tool) -> Iterator[Line]:
    """Grants the names in the tool's directory, its modules, and its packages with all they contain."""
    top = tool.directory.resolve()
    yield str(top), "names"
    for entry in sorted(_entries(tool), key=lambda entry: entry.name):
        if entry.is_file(follow_symlinks=False) and entry.name.endswith(".py"):
            yield entry.path, "file"
        elif entry.is_dir(follow_symlinks=False) and os.path.isfile(os.path.join(entry.path, "__init__.py")):
            yield entry.path, "tree"


def _entries(tool: Tool) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(tool.directory))
    except OSError as error:
        raise ToolUnavailable(
            f"The files of {tool.name} cannot be read any more: {error.strerror}. Call again, or reload.",
            tool=tool.name,
            cause=Cause.HANDLER_MISSING,
        ) from None


def _data(tool: Tool) -> Iterator[Line]:
    top = tool.directory.resolve()
    for wanted in tool.policy.read:
        path = (top / wanted).resolve()
        if not path.is_relative_to(top) or not path.exists():
            problem = "is not there" if path.is_relative_to(top) else "leaves the tool's directory"
            raise ToolUnavailable(
                f"The policy of {tool.name} says `read` {wanted!r}, which {problem}. Correct cell.toml.",
                tool=tool.name,
                cause=Cause.POLICY_INVALID,
            )
        yield _line(str(path))


def _line(path: str) -> Line:
    return path, "tree" if os.path.isdir(path) else "file"
