"""What a plugin asks of modnet-core: versions and requirements, as far as PEP 440 and PEP 508 need be known for that.

It is read only where something is wrong, to say why.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any

from modnet.plugins.builtin import CORE

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_VERSION = re.compile(
    r"v?(?:\d+!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<phase>a|b|c|rc|alpha|beta|pre|preview)[-_.]?(?P<number>\d*))?"
    r"(?P<post>-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?"
    r"(?P<dev>[-_.]?dev[-_.]?\d*)?"
    r"(?:\+[a-z0-9._-]+)?",
    re.IGNORECASE,
)
_REQUIREMENT = re.compile(
    r"\s*(?P<name>[A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*\(?(?P<specifiers>[^;()]*)\)?\s*(?:;(?P<marker>.*))?"
)
_SPECIFIER = re.compile(r"\s*(===|~=|==|!=|<=|>=|<|>)\s*([^\s,]+)\s*")

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": ge,
    "<=": le,
    ">": gt,
    "<": lt,
    "==": eq,
    "===": eq,
    "!=": ne,
}

Key = tuple[tuple[int, ...], tuple[int, int], int, int]


def order(version: str) -> Key:
    """A key by which versions are sorted, as PEP 440 does: 1.0.dev1, 1.0a2, 1.0rc1, 1.0, 1.0.post1, 1.0.1.

    Epochs and local parts have no part in it.

    Raises:
        ValueError: it is no version.
    """
    match = _VERSION.fullmatch(version.strip())
    if match is None:
        raise ValueError(f"{version!r} is no version")
    release = [int(part) for part in match["release"].split(".")]
    while len(release) > 1 and not release[-1]:
        release.pop()
    phase = {"a": 0, "b": 1, "c": 2, "r": 2, "p": 2}.get((match["phase"] or "").lower()[:1], 3)
    if match["dev"] and phase == 3 and not match["post"]:
        phase = -1
    numbers = [int(f"0{''.join(re.findall(r'[0-9]+', match[part] or ''))}") for part in ("number", "post", "dev")]
    post = numbers[1] + 1 if match["post"] else 0
    dev = numbers[2] if match["dev"] else sys.maxsize
    return tuple(release), (phase, numbers[0]), post, dev


def is_met(specifier: str, version: str) -> bool:
    """Whether a version is one of those that a specifier, such as ">=0.2" or "~=0.2", lets in.

    What cannot be read is taken as met: it is another tool's to complain of.
    """
    match = _SPECIFIER.fullmatch(specifier)
    if match is None:
        return True
    operator, wanted = match.groups()
    try:
        if wanted.endswith(".*"):
            prefix = [int(part) for part in wanted[:-2].split(".")]
            same = [*order(version)[0], *[0] * len(prefix)][: len(prefix)] == prefix
            return same if operator == "==" else not same
        if operator == "~=":
            series = wanted.split(".")[: wanted.count(".")]
            return is_met(f">={wanted}", version) and is_met(f"=={'.'.join(series)}.*", version)
        return _ORDERS[operator](order(version), order(wanted))
    except ValueError:
        return True


def here() -> str:
    """The version of this modnet."""
    return str(sys.modules["modnet"].__version__)


def too_old(oldest: str) -> str:
    """What a message says where this modnet is older than a component asks for; "" where it is not."""
    return "" if is_met(f">={oldest}", here()) else _needs(oldest)


def _needs(oldest: str) -> str:
    return f"needs {CORE} {oldest} or newer, and this is {here()}:  pip install --upgrade {CORE}"


def too_old_for(distribution: str) -> str:
    """What to add to the message of a failed import, where the dependencies of its distribution ask for another modnet.

    Returns:
        "; it needs modnet-core ...", or "".
    """
    from importlib.metadata import PackageNotFoundError, requires

    try:
        required = requires(distribution) or []
    except (PackageNotFoundError, ValueError):
        return ""
    for text in required:
        specifiers = list(_asked_of_core(text))
        unmet = [specifier for specifier in specifiers if not is_met(specifier, here())]
        if not unmet:
            continue
        if all(specifier.startswith(">=") for specifier in unmet):
            return f"; it {_needs(max((specifier[2:] for specifier in unmet), key=order))}"
        whole = ",".join(specifiers)
        return f"; it needs {CORE} {whole}, and this is {here()}:  pip install '{CORE}{whole}'"
    return ""


def _asked_of_core(requirement: str) -> Iterator[str]:
    """The specifiers, without spaces, of a requirement of modnet-core; none of another's, or of an extra's."""
    match = _REQUIREMENT.fullmatch(requirement)
    if match is None or normalized(match["name"]) != CORE or "extra" in (match["marker"] or ""):
        return
    for specifier in match["specifiers"].split(","):
        if specifier.strip():
            yield "".join(specifier.split())


@lru_cache(maxsize=4096)
def normalized(distribution: str) -> str:
    """A distribution's name in the form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def installed_entry_points() -> list[EntryPoint]:
    from importlib.metadata import distributions

    found: dict[str, list[EntryPoint]] = {}
    for distribution in distributions():
        # Most distributions have nothing for us: looking into the text first halves the time of a scan.
        if "modnet" in (distribution.read_text("entry_points.txt") or ""):
            ours = [entry for entry in distribution.entry_points if entry.group.partition(".")[0] == "modnet"]
            found.setdefault(normalized(distribution.name), ours)  # the first on the path is the one that is imported
    return [entry_point for entry_points in found.values() for entry_point in entry_points]


def entry_points_of_distribution(name: str) -> list[EntryPoint]:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return list(distribution(name).entry_points)
    except (PackageNotFoundError, ValueError):
        return []
