"""Settings as Python writes them: keywords, dotted keys and nested dictionaries all mean the same flat table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flatten(settings: Mapping[str, Any] | None = None, /, **more: Any) -> dict[str, Any]:
    """{"camera": {"bits": 8}} and {"camera.bits": 8} both become {"camera.bits": 8}; later entries win."""
    flat: dict[str, Any] = {}
    for key, value in {**(settings or {}), **more}.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}.{k}": v for k, v in flatten(value).items()})
        else:
            flat[key] = value
    return flat


def without_prefix(settings: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The same settings with a leading "prefix." taken off where it stands."""
    start = prefix + "."
    return {k[len(start) :] if k.startswith(start) else k: v for k, v in settings.items()}
