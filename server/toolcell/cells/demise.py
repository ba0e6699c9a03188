"""Why a zygote ended, in one word for the pool and in a sentence for the operator."""

from enum import StrEnum

from toolcell.wire.frames import Frame


class Why(StrEnum):
    """What kind of end a zygote came to; only IMPORT and BROKEN are somebody's fault."""

    IMPORT = "import"  # the handler does not import
    BROKEN = "broken"  # it died or lied before it was of use
    THREADED = "threaded"  # the handler must be imported in each cell instead
    RETIRED = "retired"  # nobody needs it


class ZygoteEndedError(Exception):
    """The zygote is gone; nothing was run. `reason` is for the operator, `stack` and `where` may be empty."""

    def __init__(self, why: Why, reason: str, stack: str = "", where: str = "") -> None:
        super().__init__(reason)
        self.why = why
        self.reason = reason
        self.stack = stack
        self.where = where


def import_failed(frame: Frame) -> ZygoteEndedError:
    """Reads an `import_failed` frame."""
    fields = frame.fields
    said, where = f"{fields['type']}: {fields['message']}", fields["where"][:200]
    return ZygoteEndedError(Why.IMPORT, said, fields["stack"], where)
