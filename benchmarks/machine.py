"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

CHOSEN_BY_HAND = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Variables that make numpy's BLAS another one than users have."""

VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "sve": "SVE", "asimd": "NEON"}
"""What the system calls an instruction set -> its name; the widest of a processor is told."""


def clean_environment() -> int:
    """Makes all libraries use as many threads as there are processors, or as OMP_NUM_THREADS says; gives the number.

    Must be called before numpy is imported; all that is measured runs in processes that are started later.
    """
    for name in CHOSEN_BY_HAND:
        os.environ.pop(name, None)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = int(os.environ.get("OMP_NUM_THREADS") or available or 1)
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)))
    return threads


def describe(threads: int) -> dict[str, Any]:
    """Processor, system and versions, by name."""
    import numpy as np

    import modnet

    built: Any = np.show_config(mode="dicts")
    blas = built["Build Dependencies"]["blas"]
    described = {
        "processor": processor(),
        "processors": f"{os.cpu_count()}; threads of every library: {threads}",
        "system": platform.platform(),
        "python": platform.python_version(),
        "modnet": modnet.__version__,
        "numpy": f"{np.__version__}, BLAS: {blas['name']} {blas.get('version', '')}{_kernels_of_blas()}",
    }
    for package in ("torch", "scikit-learn", "onnxruntime"):
        try:
            described[package] = version(package)
        except PackageNotFoundError:
            described[package] = "not installed"
    return described


def _kernels_of_blas() -> str:
    """For which processor BLAS has chosen its kernels, which it does when it is loaded."""
    from modnet.threads import product_libraries

    chosen = [library["architecture"] for library in product_libraries() or () if "architecture" in library]
    return f" with kernels for {chosen[0]}" if chosen else ""


def processor() -> str:
    """Make, model, clock, vector instructions and second-level cache, as far as the system tells them."""
    information = Path("/proc/cpuinfo")
    if not information.exists():
        return platform.processor() or platform.machine()
    lines = information.read_text().partition("\n\n")[0].splitlines()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    name = facts.get("model name") or platform.machine()
    if {"vendor_id", "cpu family", "model"} <= facts.keys():
        name += f" ({facts['vendor_id']} family {facts['cpu family']} model {facts['model']})"
    told = [name]
    if "cpu MHz" in facts:
        told.append(f"{float(facts['cpu MHz']) / 1000:.1f} GHz")
    flags = facts.get("flags", facts.get("Features", "")).split()  # "Features" on ARM
    told += [vectors for flag, vectors in VECTORS.items() if flag in flags][:1]
    cache = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
    if cache.exists():
        told.append(f"{cache.read_text().strip().replace('K', ' kB')} of second-level cache for each core")
    return ", ".join(told)


def load() -> str:
    """The load average of the last minute."""
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
