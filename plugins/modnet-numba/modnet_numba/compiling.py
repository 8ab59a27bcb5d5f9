"""How loops are compiled.

nan comes out as nan everywhere, so that a diverged training is noticed; the flags `nnan`, `ninf` and `fast`, which
would allow otherwise, are therefore not among these.
"""

from __future__ import annotations

from typing import Any

from numba import njit
from numba.core import event

from modnet.waiting import announce

loop = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "arcp"})
"""Compiles a loop whose elements are computed one by one."""

reduction = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "arcp", "reassoc"})
"""Compiles a loop with sums, which are taken in as many parts as a vector register has elements."""

inlined = njit(forceinline=True, error_model="numpy", fastmath={"contract"})
"""Compiles a function of one number into the loops that call it, in the order in which it is written."""


class _Telling(event.Listener):
    """Says that loops are compiled, which takes seconds, unless they are found on disk: then there is no such event."""

    def on_start(self, event: Any) -> None:
        announce(
            "compiling loops for this processor with numba, which takes some seconds; later runs read them from disk"
        )

    def on_end(self, event: Any) -> None:
        """Nothing is said."""


event.register("numba:compile", _Telling())
