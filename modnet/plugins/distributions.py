"""Installed distributions: names, versions, entry points."""

from __future__ import annotations

import re
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@lru_cache(maxsize=4096)
def normalized(distribution: str) -> str:
    """A distribution's name in the normal form of PEP 503, for comparisons."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def is_older(version: str, other: str) -> bool:
    """Whether a version is older than another by its numbers, 1.9 than 1.10; False if it is not a version.

    Pre-releases (1.0rc1) count as the release. That is enough for advice in messages; pip applies all of PEP 440.
    """
    numbers = _release(version)
    return bool(numbers) and numbers < _release(other)


def _release(version: str) -> tuple[int, ...]:
    numbers = re.match(r"v?(\d+(?:\.\d+)*)", version.strip())
    return tuple(int(part) for part in re.sub(r"(\.0+)+$", "", numbers[1]).split(".")) if numbers else ()


def installed_entry_points() -> list[EntryPoint]:
    """The entry points for modnet of all installed distributions."""
    found: dict[str, list[EntryPoint]] = {}
    for distribution in _metadata().distributions():
        # Most distributions have none for modnet: searching the text before parsing it halves the time of a scan.
        if "modnet" in (distribution.read_text("entry_points.txt") or ""):
            ours = [entry for entry in distribution.entry_points if entry.group.partition(".")[0] == "modnet"]
            found.setdefault(normalized(distribution.name), ours)  # of two copies, the first on sys.path is imported
    return [entry_point for entry_points in found.values() for entry_point in entry_points]


def entry_points_of_distribution(name: str) -> list[EntryPoint]:
    """The entry points of one distribution; none if it is not installed."""
    metadata = _metadata()
    try:
        return list(metadata.distribution(name).entry_points)
    except (metadata.PackageNotFoundError, ValueError):
        return []


def installed_version(name: str) -> str:
    """The version of an installed distribution; "" if it is not installed."""
    metadata = _metadata()
    try:
        return str(metadata.version(name))
    except metadata.PackageNotFoundError:
        return ""


def _metadata() -> ModuleType:
    import importlib.metadata  # a tenth of the time of a process that loads a model and predicts

    return importlib.metadata
