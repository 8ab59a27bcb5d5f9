"""Installed distributions: their names, their versions, their entry points."""

from __future__ import annotations

import re
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@lru_cache(maxsize=4096)
def normalized(distribution: str) -> str:
    """A distribution's name in the form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def is_older(version: str, other: str) -> bool:
    """Whether a version comes before another by its numbers, 1.9 before 1.10; what is no version does not.

    Candidates and the like (1.0rc1) count as what they lead to: this is for advice, and pip decides by all of PEP 440.
    """
    numbers = _release(version)
    return bool(numbers) and numbers < _release(other)


def _release(version: str) -> tuple[int, ...]:
    numbers = re.match(r"v?(\d+(?:\.\d+)*)", version.strip())
    return tuple(int(part) for part in re.sub(r"(\.0+)+$", "", numbers[1]).split(".")) if numbers else ()


def installed_entry_points() -> list[EntryPoint]:
    """Those of every installed distribution that are for modnet."""
    found: dict[str, list[EntryPoint]] = {}
    for distribution in _metadata().distributions():
        # Most distributions have nothing for us: looking into the text first halves the time of a scan.
        if "modnet" in (distribution.read_text("entry_points.txt") or ""):
            ours = [entry for entry in distribution.entry_points if entry.group.partition(".")[0] == "modnet"]
            found.setdefault(normalized(distribution.name), ours)  # the first on the path is the one that is imported
    return [entry_point for entry_points in found.values() for entry_point in entry_points]


def entry_points_of_distribution(name: str) -> list[EntryPoint]:
    """Those of one distribution; none where it is not installed."""
    metadata = _metadata()
    try:
        return list(metadata.distribution(name).entry_points)
    except (metadata.PackageNotFoundError, ValueError):
        return []


def _metadata() -> ModuleType:
    import importlib.metadata  # takes a tenth of the time in which a process loads a model and predicts

    return importlib.metadata
