"""How many mirrors show one number."""

from .errors import InvalidParameter


def levels(encoding: str) -> int:
    """1 for "threshold", N for "thermometer:N"."""
    if encoding == "threshold":
        return 1
    name, _, count = encoding.partition(":")
    if name == "thermometer" and count.isdigit() and 1 <= int(count) <= 64:
        return int(count)
    raise InvalidParameter("encoding", repr(encoding), "'threshold' or 'thermometer:N' with N from 1 to 64")
