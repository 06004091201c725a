"""A progress bar where somebody watches: tqdm when it is installed, plain lines with the time left otherwise."""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any


def watched() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class Lines:
    """Stands in for tqdm: at most one line every five seconds."""

    def __init__(self, total: int, initial: int = 0, desc: str = "") -> None:
        self.total, self.n, self.desc = total, initial, desc
        self._first, self._start, self._last = initial, time.monotonic(), time.monotonic()
        self._note = ""

    def update(self, n: int = 1) -> None:
        self.n += n
        now = time.monotonic()
        if now - self._last < 5 or self.n == self._first:
            return
        self._last = now
        left = (now - self._start) / (self.n - self._first) * (self.total - self.n)
        print(f"{self.desc} {self.n}/{self.total}, {left:.0f} s left {self._note}", file=sys.stderr)

    def set_postfix_str(self, note: str, refresh: bool = True) -> None:
        self._note = note

    def close(self) -> None:
        pass


def bar(total: int, desc: str, show: bool | None = None, initial: int = 0) -> Any:
    """`show` None: only where a terminal or a notebook looks on. Returns None when nothing is to be shown."""
    if not (watched() if show is None else show):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tqdm.auto complains about missing notebook widgets
            from tqdm.auto import tqdm
    except ImportError:
        return Lines(total, initial, desc)
    return tqdm(total=total, desc=desc, initial=initial)
