"""How much memory a process can have, and the refusal of what needs more, before anything is allocated."""

from __future__ import annotations

import os
from contextlib import suppress

from modnet.errors import TooLarge

SMALL = 64 << 20
"""Bytes that are not compared with anything: every machine has them, and to look takes time."""

_CONTAINER_LIMIT = "/sys/fs/cgroup/memory.max"


def limit() -> int | None:
    """The bytes that this process can have: those of the machine, or of its container or `ulimit -v` if they are fewer.

    None where the system does not tell.
    """
    found = []
    with suppress(AttributeError, ValueError, OSError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError), open(_CONTAINER_LIMIT, "rb") as file:  # "max" where there is none
        found.append(int(file.read()))
    with suppress(ImportError, OSError, ValueError):
        import resource

        found += [most for most in resource.getrlimit(resource.RLIMIT_AS) if most != resource.RLIM_INFINITY]
    return min((most for most in found if most > 0), default=None)


def require(needed: int, what: str, hint: str = "") -> None:
    """Raises TooLarge if so many bytes are more than this process can have.

    Args:
        what: that needs them, as a message begins with it: "the arrays of the network".
        hint: what to do about it.
    """
    if needed > SMALL and needed > (most := limit() or needed):
        raise too_large(needed, what, hint, most)


def too_large(needed: int, what: str, hint: str = "", most: int | None = None) -> TooLarge:
    """The error that says so."""
    available = f"; this process can have {_readable(most)}" if most is not None else ", and so much cannot be had"
    return TooLarge(f"{what} needs {_readable(needed)} of memory{available}{f'; {hint}' if hint else ''}")


def _readable(count: int) -> str:
    """1536 -> "1.5 kB"; decimal units, and for what no unit is known a power of ten."""
    size, units = count, ("B", "kB", "MB", "GB", "TB")
    for power, unit in enumerate(units):
        if size < 1000 ** (power + 1):
            return f"{size / 1000**power:.3g} {unit}"
    return f"more than 10^{len(str(count)) - 1} bytes"
