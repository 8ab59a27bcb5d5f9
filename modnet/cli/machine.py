"""What `modnet doctor` looks at: versions, the processor, the library behind numpy's products, plugins, extras."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import modnet
from modnet.cli.plugins import Offered, offered
from modnet.plugins.builtin import CORE
from modnet.plugins.distributions import installed_version, is_older
from modnet.plugins.kernels import SWITCH
from modnet.plugins.registry import Registry
from modnet.threads import OF_LIBRARIES, VARIABLE, cores, count, product_libraries, products_in_one_thread
from modnet.training.profiling import product_speed

SIZE = 512
"""Rows and columns of the product whose speed is measured: some hundredths of a second in all."""

VARIABLES = (
    VARIABLE,
    *OF_LIBRARIES,
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OPENBLAS_CORETYPE",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "NPY_DISABLE_CPU_FEATURES",
    "OMP_WAIT_POLICY",
    "OMP_PROC_BIND",
    "KMP_AFFINITY",
    SWITCH,
    "NUMBA_DISABLE_JIT",
    "NUMBA_OPT",
    "MALLOC_PERTURB_",
    "MALLOC_CHECK_",
    "PYTHONMALLOC",
    "PYTHONDEVMODE",
)
"""The environment variables that change how fast modnet is; the values of those that are set are shown."""

FEATURES = ("AVX2", "FMA3", "AVX512F", "NEON", "ASIMD", "SVE", "VSX", "VX")
"""The vector instructions that are shown where numpy has found them."""

EXTRAS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "yaml": ("specs in YAML", ("ruamel.yaml",)),
    "plot": ("pictures of trainings, networks and searches", ("matplotlib",)),
    "report": ("modnet report, a page about a model", ("jinja2", "matplotlib")),
    "threads": ("setting the threads while running; the kernel that modnet doctor shows", ("threadpoolctl",)),
    "fsspec": ("models by a URL", ("fsspec",)),
    "search": ("modnet search", ("optuna",)),
    "gp": ('sampler = "gp" of a search', ("optuna", "scipy", "torch")),
}
"""Extra -> what it gives, and the libraries that it installs."""

_CONTAINER_CORES = "/sys/fs/cgroup/cpu.max"

_PATH = re.compile(r"(?:(?<![\w.])~?/|\b[A-Za-z]:[\\/]|\\\\)[^\s'\",;()<>:]*[\\/]")
"""The folders of a path in a message, without the name of the file."""


def facts(registry: Registry, measured: bool = True, paths: bool = False) -> dict[str, Any]:
    """All that is known of this installation, as plain values.

    Args:
        measured: whether the speed of products is measured, which takes a moment.
        paths: whether folders are shown. Without them, nothing says whose machine it is.
    """
    rows = [row for row in offered(registry) if row.plugin.partition(" ")[0] != CORE]
    plugins = _plugins(rows, paths)
    found = {
        "modnet": modnet.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "products": _products(paths),
        "threads": count(),
        "load": _load(),
        "variables": {name: _without_folders(os.environ[name]) for name in VARIABLES if name in os.environ},
        "speed": _speed() if measured else None,
        "kernels": _kernels(rows),
        "plugins": plugins,
        "too_old": list(_too_old(plugins)),
        "extras": {
            name: {"gives": gives, "missing": [library for library in needs if not _is_there(library)]}
            for name, (gives, needs) in EXTRAS.items()
        },
    }
    return {**found, "folder": str(Path(modnet.__file__).parent)} if paths else found


def _without_folders(text: str) -> str:
    """A text without the folders of the paths in it, which often have a name of a person in them."""
    return _PATH.sub(".../", text)


# The processor and numpy's products


def _processor() -> dict[str, Any]:
    features = _features()
    return {
        "name": _name(),
        "cores": os.cpu_count(),
        "usable_cores": cores(),
        "container_cores": _container_cores(),
        "features": [name for name in FEATURES if name in features],
    }


def _features() -> set[str]:
    """Those that numpy has found."""
    try:
        module = import_module("numpy._core._multiarray_umath")
    except ImportError:  # before numpy 2
        module = import_module("numpy.core._multiarray_umath")
    return {name for name, there in getattr(module, "__cpu_features__", {}).items() if there}


def _name() -> str:
    """The model of the processor; "" where it is not known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _load() -> float | None:
    """How many processes ran or waited for a core, on average over the last minute; None where it is not known."""
    try:
        return round(os.getloadavg()[0], 1)
    except (AttributeError, OSError):  # Windows
        return None


def _container_cores() -> float | None:
    """How many cores the container may use; None without a limit."""
    try:
        quota, period = Path(_CONTAINER_CORES).read_text(encoding="utf-8").split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max" where there is none
        return None


def _products(paths: bool) -> dict[str, Any]:
    """The library behind numpy's products: what numpy was built with, and what threadpoolctl finds in this process."""
    built = _built_with()
    known = {"library": built.get("name", ""), "version": built.get("version", ""), "kernel": None, "threads": None}
    libraries = product_libraries()
    if libraries:
        first = libraries[0]
        known |= {"library": first["internal_api"], "version": first["version"] or known["version"]}
        known |= {"kernel": first.get("architecture"), "threads": first["num_threads"]}
        known |= {"threading": first.get("threading_layer")}
        if paths:
            known["file"] = first["filepath"]
    return known


def _built_with() -> dict[str, Any]:
    """The library that numpy was built with."""
    try:
        return dict(np.__config__.show(mode="dicts")["Build Dependencies"]["blas"])
    except (KeyError, TypeError, AttributeError):
        return {}


def _speed() -> dict[str, float]:
    """The speed of a product in 10^9 operations per second, in all threads, and in one."""
    all_threads = {str(dtype): product_speed(dtype, SIZE) for dtype in (np.dtype("float32"), np.dtype("float64"))}
    with products_in_one_thread():
        return {**all_threads, "float32_one_thread": product_speed(np.dtype("float32"), SIZE)}


# Plugins and extras


def _kernels(rows: Iterable[Offered]) -> dict[str, Any]:
    """Plugin -> how many kernels of it are used."""
    kernels = [row for row in rows if row.kind == "kernel"]
    used: dict[str, int] = {}
    for row in kernels:
        if not row.remark:
            used[row.plugin.partition(" ")[0]] = used.get(row.plugin.partition(" ")[0], 0) + 1
    return {"used": used, "switched_off": os.environ.get(SWITCH) == "off", "offered": len(kernels)}


def _plugins(rows: Sequence[Offered], paths: bool) -> list[dict[str, Any]]:
    """The plugins: what each offers, and why some of it is broken."""
    plugins: dict[str, dict[str, Any]] = {}
    for row in rows:
        name, _, number = row.plugin.partition(" ")
        known = plugins.setdefault(name, {"name": name, "version": number, "offers": 0, "broken": [], "seconds": 0.0})
        known["offers"] += 1
        known["seconds"] = round(known["seconds"] + (row.seconds or 0.0), 4)
        if row.error is not None:
            why = row.remark.removeprefix("broken: ")
            known["broken"].append({"kind": row.kind, "type": row.type, "why": why if paths else _without_folders(why)})
    return sorted(plugins.values(), key=lambda plugin: plugin["name"])


def _too_old(plugins: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """The requirements of the core and of plugins that are older than these allow: pip installs them with a warning."""
    names = (CORE, *(plugin["name"] for plugin in plugins))
    for distribution, line in ((name, line) for name in names for line in _requirements(name)):
        needs = re.match(r"([\w.-]+)[^;]*?>=\s*([\w.]+)[^;]*$", line)
        if needs and (installed := installed_version(needs[1])) and is_older(installed, needs[2]):
            what = f"{needs[1]}>={needs[2]}"
            yield {"distribution": distribution, "needs": what, "installed": installed}


def _requirements(distribution: str) -> list[str]:
    try:
        return requires(distribution) or []
    except PackageNotFoundError:  # a copy that was not installed
        return []


def _is_there(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except (ImportError, ValueError):
        return False
