"""The body of `modnet doctor`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from modnet.cli.machine import facts
from modnet.cli.output import echo, echo_json, room, tell
from modnet.plugins.registry import default_registry
from modnet.screen import labelled
from modnet.words import counted, listed, show

LABEL = 12

OLD_KERNELS = ("prescott", "core2", "penryn", "nehalem", "generic", "barcelona", "atom", "armv8")
"""The kernels of OpenBLAS for processors without AVX, in small letters."""

SLOW_KERNELS = (*OLD_KERNELS, "sandybridge", "bulldozer", "piledriver")
"""The same, and those without AVX2."""

SLOW = 5.0
"""Products below this many 10^9 operations per second in a thread are slow on any processor of the last ten years."""

WORTH = 1.2
"""By how much a second thread has to make a large product faster to be worth its core."""

MANY_SECONDS = 2.0
"""A plugin that takes longer to import than this is named."""


class Finding(NamedTuple):
    """Something that is slow or broken.

    Attributes:
        what: the fact.
        do: what to do about it.
    """

    what: str
    do: str


def run(paths: bool, as_json: bool) -> None:
    known = facts(default_registry(), paths=paths)
    found = [finding for part in PARTS for finding in part(known)]
    if as_json:
        echo_json({**known, "findings": [finding._asdict() for finding in found]})
        return
    for label, text in _lines(known):
        echo(labelled(label, text, LABEL, room()))
    tell("\n" + "\n".join([*(f"- {what}\n    {do}" for what, do in found)] or ["nothing is slow or broken"]))


# What is slow or broken


def _of_products(known: Mapping[str, Any]) -> Iterator[Finding]:
    products, features = known["products"], known["processor"]["features"]
    kernel, forced = products["kernel"], known["variables"].get("OPENBLAS_CORETYPE")
    if forced:
        yield Finding(
            f"OPENBLAS_CORETYPE={forced} chooses the kernel of matrix products; OpenBLAS itself takes the fastest",
            "unset OPENBLAS_CORETYPE, unless results have to be those of another machine to the last digit",
        )
    elif kernel and "AVX2" in features and kernel.lower() in SLOW_KERNELS:
        yield Finding(
            f"matrix products use the kernel {kernel}, although this processor has AVX2",
            "install a newer numpy from PyPI: pip install -U numpy",
        )
    if known["variables"].get("NPY_DISABLE_CPU_FEATURES"):
        yield Finding(
            "NPY_DISABLE_CPU_FEATURES switches off vector instructions of numpy",
            "unset NPY_DISABLE_CPU_FEATURES",
        )
    if products["library"] in ("", "none"):
        yield Finding(
            "numpy was built without a fast library for matrix products",
            "install numpy from PyPI or conda-forge, which have one: pip install -U --force-reinstall numpy",
        )
    elif known["speed"]["float32_one_thread"] < SLOW:
        yield Finding(
            f"a matrix product reaches {known['speed']['float32_one_thread']:.1f} GFLOP/s in a thread, which is slow",
            "see whether other programs use the processor, or whether it is throttled; else install another numpy",
        )
    if kernel is None:
        yield Finding(
            "which kernel matrix products use is not known, as threadpoolctl is not installed",
            "pip install 'modnet-core[threads]'",
        )


def _of_threads(known: Mapping[str, Any]) -> Iterator[Finding]:
    processor, speed = known["processor"], known["speed"]
    usable = processor["usable_cores"]
    limit = usable if processor["container_cores"] is None else min(usable, math.ceil(processor["container_cores"]))
    used = _threads(known)
    setting = next((name for name in known["variables"] if name.endswith("_NUM_THREADS")), "")
    if used > limit:
        yield Finding(
            f"matrix products use {counted(used, 'thread')} on {counted(limit, 'core')}: they wait for each other",
            f"export MODNET_NUM_THREADS={limit}",
        )
    elif used < limit and setting:
        yield Finding(
            f"{setting}={known['variables'][setting]} leaves {counted(limit - used, 'core')} of {limit} unused",
            f"unset {setting}, unless other programs need these cores",
        )
    elif used > 1 and speed["float32"] < WORTH * speed["float32_one_thread"]:
        speeds = f"{speed['float32']:.0f} GFLOP/s against {speed['float32_one_thread']:.0f}"
        yield Finding(
            f"a matrix product in {used} threads is hardly faster than in one, or slower: {speeds}",
            "other programs use the processor, or its cores share units; MODNET_NUM_THREADS=1 may be as fast",
        )


def _threads(known: Mapping[str, Any]) -> int:
    """How many threads a product uses."""
    return int(known["products"]["threads"] or known["threads"])


def _of_load(known: Mapping[str, Any]) -> Iterator[Finding]:
    load, cores = known["load"], known["processor"]["cores"]
    if load is None or cores is None or load <= cores:
        return
    remedy = "end them, or wait"
    if _threads(known) > 1:
        remedy += "; until then export MODNET_NUM_THREADS=1, since several threads wait for each other"
    yield Finding(f"programs keep all {cores} cores busy (load {load:.1f} in the last minute)", remedy)


def _of_variables(known: Mapping[str, Any]) -> Iterator[Finding]:
    """Variables for debugging."""
    for name in ("MALLOC_PERTURB_", "MALLOC_CHECK_", "PYTHONMALLOC", "PYTHONDEVMODE"):
        if name in known["variables"]:
            yield Finding(f"{name}, which is for debugging, slows down every allocation", f"unset {name}")


def _of_kernels(known: Mapping[str, Any]) -> Iterator[Finding]:
    kernels = known["kernels"]
    if kernels["switched_off"] and kernels["offered"]:
        yield Finding(
            f"MODNET_KERNELS=off: {counted(kernels['offered'], 'compiled kernel')} of plugins not used in training",
            "unset MODNET_KERNELS",
        )
    elif not kernels["offered"]:
        yield Finding(
            "no plugin with compiled kernels is installed; with modnet-numba, small networks train faster",
            "pip install modnet-numba",
        )
    if known["variables"].get("NUMBA_DISABLE_JIT") not in (None, "0"):
        yield Finding("NUMBA_DISABLE_JIT runs the kernels of modnet-numba uncompiled", "unset NUMBA_DISABLE_JIT")


def _of_plugins(known: Mapping[str, Any]) -> Iterator[Finding]:
    for plugin in known["plugins"]:
        for broken in plugin["broken"]:
            yield Finding(
                f"{plugin['name']} {plugin['version']}: {broken['kind']} {broken['type']} is broken: {broken['why']}",
                "modnet plugins --errors shows the traceback",
            )
        if plugin["seconds"] > MANY_SECONDS:
            yield Finding(
                f"{plugin['name']} takes {plugin['seconds']:.1f} s to import",
                "modnet plugins --times shows which part; only commands that use it have to wait",
            )


def _of_requirements(known: Mapping[str, Any]) -> Iterator[Finding]:
    for row in known["too_old"]:
        yield Finding(
            f"{row['distribution']} needs {row['needs']}, and {row['installed']} is installed",
            f"pip install '{row['needs']}'",
        )


PARTS = (_of_requirements, _of_products, _of_threads, _of_load, _of_variables, _of_kernels, _of_plugins)


# The screen


def _lines(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    processor, products, speed = known["processor"], known["products"], known["speed"]
    yield "modnet", f"{known['modnet']}, numpy {known['numpy']}, {known['python']}, {known['system']}"
    cores = f"{processor['usable_cores']} of {processor['cores']} cores"
    if processor["container_cores"] is not None:
        cores += f", the container allows {processor['container_cores']:g}"
    yield "processor", ", ".join(filter(None, (processor["name"], cores, " ".join(processor["features"]))))
    yield "products", ", ".join(_products_texts(products))
    one, both = speed["float32_one_thread"], f"{speed['float32']:.0f} float32, {speed['float64']:.0f} float64"
    yield "speed", f"{both} GFLOP/s; {one:.0f} float32 in one thread"
    yield "kernels", _kernels_text(known["kernels"])
    yield "plugins", ", ".join(f"{plugin['name']} {plugin['version']}" for plugin in known["plugins"]) or "none"
    yield from _extras(known["extras"])
    for number, (name, value) in enumerate(known["variables"].items()):
        yield "" if number else "variables", f"{name}={value}"
    if "folder" in known:
        yield "folder", known["folder"]


def _products_texts(products: Mapping[str, Any]) -> Iterator[str]:
    yield f"{products['library'] or 'no library'} {products['version']}".strip()
    if products["kernel"]:
        yield f"kernel {products['kernel']}"
    if products["threads"]:
        yield counted(products["threads"], "thread")
    if products.get("file"):
        yield products["file"]


def _kernels_text(kernels: Mapping[str, Any]) -> str:
    used = [f"{name} ({count})" for name, count in kernels["used"].items()]
    return f"numpy{', ' if used else ''}{', '.join(used)}"


def _extras(extras: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The extras that are missing, with what they would give."""
    missing = [(name, extra) for name, extra in extras.items() if extra["missing"]]
    for number, (name, extra) in enumerate(missing):
        without = listed([show(library) for library in extra["missing"]], 3)
        yield "" if number else "missing", f"[{name}] {extra['gives']} (without {without})"
    if not missing:
        yield "extras", "all are installed"
