"""From the start of a process to the first prediction from a file: wall time and peak memory of whole processes."""

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
    return [Case("start", "process", contestants)]


def whole_process(settings: Settings, script: str) -> Play:
    path = settings.folder / "start"
    if script == MODNET:
        import modnet

        modnet.save(build("mlp"), path)
    if script == ONNXRUNTIME:
        path = path.with_suffix(".onnx")
        write_onnx(build("mlp"), path)
    code = script.format(path=str(path), threads=settings.threads)
    command = [sys.executable, "-I", "-S", "-c", LAUNCHER, sys.executable, "-c", code]
    repository = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [repository, os.getenv("PYTHONPATH")]))}

    def play(seed: int) -> Turn:
        done = subprocess.run(
            command, env=environment, cwd=settings.folder, stdout=subprocess.PIPE, text=True, check=True
        )
        seconds, peak = done.stdout.split()
        return Turn(float(seconds), memory=int(peak) * (1 if sys.platform == "darwin" else 1024))

    return play
