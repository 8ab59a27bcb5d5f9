"""How much memory this process can have; what needs more is refused before anything is allocated.

Linux grants nearly any allocation and kills the process when it uses the memory: there is no MemoryError to wait for.
"""

from __future__ import annotations

import os
from contextlib import suppress

from modnet.errors import TooLarge

SMALL = 64 << 20
"""Amounts up to this many bytes are not checked: every machine has them, and asking the system takes time."""

_CONTAINER_LIMIT = "/sys/fs/cgroup/memory.max"


def limit() -> int | None:
    """The bytes that this process can have: the least of the machine's memory, its container's limit and `ulimit -v`.

    None if the system gives none of them.
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
    """Raises TooLarge if this process cannot have `needed` bytes.

    Args:
        what: what needs them, as the beginning of a message: "the arrays of the network".
        hint: what to do about it.
    """
    if needed > SMALL and needed > (most := limit() or needed):
        raise too_large(needed, what, hint, most)


def too_large(needed: int, what: str, hint: str = "", most: int | None = None) -> TooLarge:
    """The error of `require`, also for an allocation that has failed (`most` is then None)."""
    available = f"; this process can have {_readable(most)}" if most is not None else ", which is not available"
    return TooLarge(f"{what} needs {_readable(needed)} of memory{available}{f'; {hint}' if hint else ''}")


def _readable(count: int) -> str:
    """1536 -> "1.54 kB"; decimal units, and a power of ten for what is larger than terabytes.

    Whole numbers as far as possible: a shape in a hostile file gives counts that no float can hold.
    """
    size, units = count, ("B", "kB", "MB", "GB", "TB")
    for power, unit in enumerate(units):
        if size < 1000 ** (power + 1):
            return f"{size / 1000**power:.3g} {unit}"
    return f"more than 10^{len(str(count)) - 1} bytes"
