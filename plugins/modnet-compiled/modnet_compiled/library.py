"""The native code: found in the cache, or compiled, and loaded."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import modnet
from modnet.waiting import announce
from modnet.words import show

HEADERS = (
    "types.h",
    "functions.h",
    "product.h",
    "program.h",
    "elementwise.h",
    "rows.h",
    "images.h",
    "sequences.h",
)
FLAGS = (
    "-std=gnu11",
    "-O3",
    "-march=native",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-w",
    "-fPIC",
    "-shared",
)
_FLAGS_OF = {"float32": FLAGS, "float64": (*FLAGS, "-DREAL64")}
OWN_HEADER = '#include "types.h"\n#include "functions.h"\n#include "program.h"\n'
"""The text before the C code of a layer that has its own."""

COMPILERS = ("cc", "gcc", "clang")
SECONDS = 120
"""How long a compiler may take."""

_OWN: list[ctypes.CDLL] = []
"""The code of layers that bring their own, which stays loaded."""


class Library:
    """The native code for one dtype.

    Attributes:
        dtype: of its numbers.
        run: (program, samples, arrays, workspace) -> fault.
        panel, lanes: the columns of a panel of a packed weight, and of a narrow one.
        activate: for tests: (function, a, b, x, y, count).
    """

    def __init__(self, loaded: ctypes.CDLL, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.run = loaded.modnet_run
        self.run.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
        self.run.restype = ctypes.c_int64
        self.activate = loaded.modnet_activate
        pointers, numbers = [ctypes.c_void_p] * 2, [ctypes.c_double] * 2
        self.activate.argtypes = [ctypes.c_int64, *numbers, *pointers, ctypes.c_int64]
        self.activate.restype = None
        loaded.modnet_panel.restype = loaded.modnet_lanes.restype = ctypes.c_int64
        self.panel, self.lanes = loaded.modnet_panel(), loaded.modnet_lanes()


@cache
def library(dtype: str) -> Library:
    """The native code for a dtype, compiled if it is not in the cache.

    Raises:
        ModnetError: there is no compiler, or it fails, or what it makes cannot be loaded.
    """
    return Library(_code(dtype, _source("run.c"), dtype), np.dtype(dtype))


@cache
def own_operation(dtype: str, source: str) -> int:
    """The address of the function `operate` of a layer's own C.

    Raises:
        ModnetError: as `library`; or there is no such function.
    """
    loaded = _code(dtype, OWN_HEADER + source, f"own-{dtype}")
    _OWN.append(loaded)
    try:
        return ctypes.cast(loaded.operate, ctypes.c_void_p).value or 0
    except AttributeError:
        raise modnet.ModnetError("a layer's own C has no function `int64_t operate(const call *job)`") from None


def _code(dtype: str, main: str, name: str) -> ctypes.CDLL:
    """Compiled code of this text and of the headers, from the cache or new.

    Raises:
        ModnetError: this system has no such code, or see `_compiled`.
    """
    if sys.platform == "win32":
        raise modnet.ModnetError('engine "compiled" is for Linux and macOS; "onnxruntime" runs on Windows')
    folder, key = cache_folder(), _key(dtype, main)
    if folder is None or not key:
        # Nothing that another program, or another machine, may have made is loaded, and nothing is left behind.
        with tempfile.TemporaryDirectory(prefix="modnet-") as made:
            return _loaded(_compiled(dtype, main, Path(made) / "modnet.so"))
    path = folder / f"{name}-{key}.so"
    if not _is_own(path):
        _compiled(dtype, main, path)
    return _loaded(path)


def _loaded(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        hint = "set XDG_CACHE_HOME, or TMPDIR, to a folder from which programs can be run"
        raise modnet.ModnetError(f"the compiled code cannot be loaded: {error}; {hint}") from error


def cache_folder() -> Path | None:
    """The folder for compiled code, which belongs only to this user; None if there can be none."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "modnet" / "compiled"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = base.is_absolute() and _is_own(folder) and os.access(folder, os.W_OK | os.X_OK)
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    return folder if usable else None


def _is_own(path: Path) -> bool:
    """Whether a file or folder exists, belongs to this user, and only this user may write to it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    plain = stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)
    return plain and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _key(dtype: str, main: str) -> str:
    """The name of compiled code, from its sources and the processor; "" if the processor is not known."""
    processor = _processor()
    if not processor:
        return ""
    compiler = os.environ.get("CC", "")  # and the options in it
    parts = [*_FLAGS_OF[dtype], compiler, platform.machine(), processor, main, *(_source(name) for name in HEADERS)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _processor() -> str:
    """The name and the features of the processor, since code for one may stop another; "" where they cannot be read."""
    try:
        if sys.platform == "darwin":
            names = ("machdep.cpu.brand_string", "hw.optional")
            return subprocess.run(["/usr/sbin/sysctl", *names], capture_output=True, text=True, check=True).stdout
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
    except (OSError, subprocess.SubprocessError):
        return ""
    wanted = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU implementer", "CPU part", "CPU variant")
    found = [line for line in lines if line.split("\t")[0].split(":")[0].strip() in wanted]
    return "\n".join(found) if any(line.startswith(("flags", "Features")) for line in found) else ""


def _source(name: str) -> str:
    return files("modnet_compiled").joinpath("native", name).read_text(encoding="ascii")


def _compiled(dtype: str, main: str, path: Path) -> Path:
    """Compiles the code to a file, which appears when it is whole.

    Raises:
        ModnetError: there is no compiler, or it fails.
    """
    compiler = _compiler()
    with tempfile.TemporaryDirectory(prefix="making-", dir=path.parent) as made:
        for name, text in {"main.c": main, **{header: _source(header) for header in HEADERS}}.items():
            (Path(made) / name).write_text(text, encoding="utf-8")
        command = [*compiler, *_FLAGS_OF[dtype], "main.c", "-o", "made.so", "-lm"]
        announce(f"compiling C code for this processor with {Path(compiler[0]).name}, which takes some seconds")
        try:
            done = subprocess.run(command, cwd=made, capture_output=True, text=True, errors="replace", timeout=SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            raise modnet.ModnetError(f"the C compiler {compiler[0]} cannot be run: {error}") from error
        if done.returncode or not (Path(made) / "made.so").exists():
            said = " ".join(done.stderr.split())[:600] or f"it ended with {done.returncode} and said nothing"
            raise modnet.ModnetError(
                f"the C compiler {compiler[0]} cannot compile this: {said}. modnet's own code is for gcc from 9 on and "
                "clang from 11 on; CC names another compiler"
            )
        (Path(made) / "made.so").chmod(0o700)
        (Path(made) / "made.so").replace(path)
    return path


def _compiler() -> list[str]:
    """The command of the C compiler, with the options that CC gives it.

    Raises:
        ModnetError: there is none.
    """
    given = shlex.split(os.environ.get("CC", ""))
    for command in [given] if given else [[name] for name in COMPILERS]:
        if found := shutil.which(command[0]):
            return [found, *command[1:]]
    looked = f"CC, {show(given[0])}, is not there" if given else f"none of {', '.join(COMPILERS)} is on the PATH"
    raise modnet.ModnetError(
        f'engine "compiled" needs a C compiler, and {looked}; install one (Debian and Ubuntu: apt install gcc; Fedora: '
        "dnf install gcc; Alpine: apk add gcc musl-dev; macOS: xcode-select --install), or set CC"
    )
