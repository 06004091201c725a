"""Small tables for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


def text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def table(caption: str, rows: Iterable[Sequence[Any]], head: Sequence[str] = ()) -> str:
    """An HTML table; every cell is escaped."""
    out = [f"<table><caption>{escape(caption)}</caption>"]
    if head:
        out.append("<tr>" + "".join(f"<th>{escape(h)}</th>" for h in head) + "</tr>")
    for row in rows:
        out.append("<tr>" + "".join(f"<td>{escape(text(cell))}</td>" for cell in row) + "</tr>")
    return "".join(out) + "</table>"
