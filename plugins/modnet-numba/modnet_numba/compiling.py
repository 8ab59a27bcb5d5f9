"""How loops are compiled.

nan comes out as nan everywhere, so that a diverged training is noticed; the flags `nnan`, `ninf` and `fast`, which
would allow otherwise, are therefore not among these.
"""

from __future__ import annotations

from numba import njit

loop = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "arcp"})
"""Compiles a loop whose elements are computed one by one."""

reduction = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "arcp", "reassoc"})
"""Compiles a loop with sums, which are taken in as many parts as a vector register has elements."""

inlined = njit(forceinline=True, error_model="numpy", fastmath={"contract"})
"""Compiles a function of one number into the loops that call it, in the order in which it is written."""
