"""One family of exceptions; every message names what was wrong, the value met, the limit, and what to do about it.

Each class is also the nearest built-in one, so `except ValueError`, `except OSError` work as a reader would expect.
"""


class Error(RuntimeError):
    """Base of everything Lightloop raises on purpose; reads "subject: value (limit). hint"."""

    def __init__(self, subject: str, value: str = "", limit: str = "", hint: str = "") -> None:
        text = subject
        if value:
            text += f": {value}"
        if limit:
            text += f" ({limit})"
        if hint:
            text += f". {hint}"
        super().__init__(text)
        self.subject = subject
        self.value = value
        self.limit = limit
        self.hint = hint

    def __str__(self) -> str:  # KeyError would show a quoted repr
        return str(self.args[0])


class InvalidParameter(Error, ValueError):
    """A parameter, option or argument whose value is of the wrong kind or makes no sense."""


class OutOfRange(InvalidParameter):
    """A number outside its stated range."""


class UnknownName(InvalidParameter, KeyError):
    """A key, name or choice that does not exist; the hint carries the nearest known one."""


class ShapeMismatch(InvalidParameter):
    """Shapes that do not fit each other."""


class Unsupported(Error, NotImplementedError):
    """A capability this device, rule or build does not have."""


class Refused(Error):
    """Work that would cost more than was allowed, stopped before it was done."""


class Timeout(Error, TimeoutError):
    """An action took longer than its deadline."""


class LinkError(Error, ConnectionError):
    """The link to a device failed."""


class FrameError(LinkError):
    """Frames came back damaged, incomplete or out of step; the link itself stands."""


class WaitTimeout(Error, TimeoutError):
    """Whoever waited has stopped waiting; what was waited for may still end."""


class Busy(Error, BlockingIOError):
    """Somebody else holds it, or too much is waiting for it already."""


class Cancelled(Error):
    """Work that was called off before it was done."""


class DeviceError(Error):
    """A device, or the code of a plugin or a Python class behind it, failed or answered what the contract forbids."""


class FileError(Error, OSError):
    """A file that is missing, unreadable, malformed or cannot be written."""


class InternalError(Error):
    """Our own mistake, never the caller's. Please report it."""
