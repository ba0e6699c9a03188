"""The state directory: one server at a time, nobody else's eyes."""

import fcntl
import os
from pathlib import Path

from toolcell.store.interface import StoreUnusable

DATABASE = "toolcell.db"
_LOCK = "lock"
_PRIVATE_DIRECTORY, _PRIVATE_FILE = 0o700, 0o600


class Home:
    """A state directory that this process holds until `release`.

    The lock file holds the pid of the holder; it is empty after a release. `was_unclean` when it was not.
    """

    def __init__(self, directory: Path) -> None:
        """Makes the directory when it is missing and takes its lock. Raises StoreUnusable."""
        self.directory = directory
        try:
            directory.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            self._lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        except OSError as error:
            raise _no_access(error, directory) from error
        try:
            self._take()
            _keep_out_of_git(directory)
            self.database = _private(directory / DATABASE)
        except OSError as error:
            os.close(self._lock)
            raise _no_access(error, directory) from error
        except StoreUnusable:
            os.close(self._lock)
            raise

    def release(self) -> None:
        """Gives the directory back after everything in it was closed well."""
        os.ftruncate(self._lock, 0)
        os.close(self._lock)

    def abandon(self) -> None:
        """Gives the directory back as a dying process would: the next start looks after it."""
        os.close(self._lock)

    def _take(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 32, 0).decode("ascii", "replace").strip() or "another"
            raise StoreUnusable(
                f"The state directory is in use by process {holder}",
                where=str(self.directory),
                remedy="Stop that server, or choose another directory with --state.",
            ) from None
        self.was_unclean = os.fstat(self._lock).st_size > 0
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)
        os.fsync(self._lock)


def _private(path: Path) -> Path:
    """Makes sure of a file that only its owner can read; SQLite gives its companions the same mode."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
    try:
        os.fchmod(descriptor, _PRIVATE_FILE)
    finally:
        os.close(descriptor)
    return path


def _keep_out_of_git(directory: Path) -> None:
    ignored = directory / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n", encoding="ascii")
        ignored.chmod(_PRIVATE_FILE)


def _no_access(error: OSError, directory: Path) -> StoreUnusable:
    return StoreUnusable(
        f"The state directory cannot be used: {error.strerror}",
        where=str(error.filename or directory),
        remedy="Let this user write there, free space, or choose another directory with --state.",
    )
