"""From the start of a process to the first prediction from a file: wall time and peak memory of whole processes.

And whether they grow with the number of plugins that are installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.peers import write_onnx
from benchmarks.problems import build
from benchmarks.rounds import Case, Contestant, Play, Settings, Turn

LAUNCHER = """
import os, sys, time
start = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(time.perf_counter() - start, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts the process that is measured. It is small itself, because on Linux the peak memory of a process includes what
the one that started it had."""

MODNET = """
import numpy, modnet
modnet.load({path!r}).predict(numpy.zeros((1, 784), "float32"))
"""

PLUGIN = """
import modnet

class Gate(modnet.Activation, type="gate{number}"):
    "The identity."
    def function(self, x, out):
        out[...] = x
        return out
"""

MANY = 200
"""Plugins beside which two are used."""

ONNXRUNTIME = """
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = {threads}
session = onnxruntime.InferenceSession({path!r}, options, providers=["CPUExecutionProvider"])
session.run(None, {{"x": numpy.zeros((1, 784), "float32")}})
"""


def cases(settings: Settings) -> list[Case]:
    scripts: dict[str, tuple[str, tuple[str, ...]]] = {
        "import numpy": ("import numpy", ()),
        "python alone": ("", ()),
        "import modnet": ("import modnet", ()),
        "modnet: load and predict": (MODNET, ()),
        "onnxruntime: load and run": (ONNXRUNTIME, ("onnxruntime", "onnx")),
        "import torch": ("import torch", ("torch",)),
    }
    contestants = [
        Contestant(name, partial(whole_process, settings, script), ("resource", *needs))
        for name, (script, needs) in scripts.items()
    ]
    return [
        Case("start", "process", contestants),
        Case("plugins-import", "process", [with_plugins(settings, count, load=False) for count in (2, MANY)]),
        Case("plugins-load", "process", [with_plugins(settings, count, load=True) for count in (2, MANY)]),
    ]


def whole_process(settings: Settings, script: str) -> Play:
    path = settings.folder / "start"
    if script == MODNET:
        import modnet

        modnet.save(build("mlp"), path)
    if script == ONNXRUNTIME:
        path = path.with_suffix(".onnx")
        write_onnx(build("mlp"), path)
    return timed(settings, script.format(path=str(path), threads=settings.threads))


def timed(settings: Settings, code: str, *site: Path) -> Play:
    """A process of Python's that runs this code, with more folders of packages."""
    command = [sys.executable, "-I", "-S", "-c", LAUNCHER, sys.executable, "-c", code]
    variables = environment(*site)

    def play(seed: int) -> Turn:
        done = subprocess.run(
            command, env=variables, cwd=settings.folder, stdout=subprocess.PIPE, text=True, check=True
        )
        seconds, peak = done.stdout.split()
        return Turn(float(seconds), memory=int(peak) * (1 if sys.platform == "darwin" else 1024))

    return play


def environment(*site: Path) -> dict[str, str]:
    """The variables of a process that finds this modnet, and what else lies in some folders."""
    paths = [str(Path(__file__).parents[1]), *map(str, site), os.getenv("PYTHONPATH")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def with_plugins(settings: Settings, count: int, *, load: bool) -> Contestant:
    what = "load a model that needs two" if load else "import modnet"
    return Contestant(f"{what} of {count} plugins", partial(beside_plugins, settings, count, load), ("resource",))


def beside_plugins(settings: Settings, count: int, load: bool) -> Play:
    """A process that finds so many installed plugins, and needs the first and the last of them."""
    site, path = settings.folder / f"{count} plugins", str(settings.folder / f"{count} plugins.modnet")
    install_plugins(site, count)
    if not load:
        return timed(settings, "import modnet", site)
    types = f"['gate0', 'gate{count - 1}']"
    save = f"import modnet; modnet.save(modnet.build({{'network': {{'input': [2], 'layers': {types}}}}}), {path!r})"
    subprocess.run([sys.executable, "-c", save], env=environment(site), check=True)
    return timed(settings, f"import modnet; modnet.load({path!r})", site)


def install_plugins(site: Path, count: int) -> None:
    """Writes so many plugins of a layer each as pip leaves them in site-packages."""
    for number in range(count):
        name = f"modnet_gate{number}"
        metadata = site / f"{name}-1.0.dist-info"
        if not metadata.is_dir():
            metadata.mkdir(parents=True)
            (site / f"{name}.py").write_text(PLUGIN.format(number=number))
            (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: modnet-gate{number}\nVersion: 1.0\n")
            (metadata / "RECORD").write_text("")
            points = f"[modnet.activations]\ngate{number} = {name}:Gate\n"
            (metadata / "entry_points.txt").write_text(points)
