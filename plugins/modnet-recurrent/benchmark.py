"""Forward and backward of a layer beside torch's: python benchmark.py [--rounds 7] [--threads 1] [--cases 0 1]

Each library has a process of its own in every round, one after the other. With one thread the
time is that of the processor, so that other work on the machine counts less; with more it is that of the clock, which
means something on an idle machine only.
"""

import argparse
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from statistics import median

SIZES = [("lstm", 64, 32, 128), ("gru", 64, 32, 128), ("rnn", 64, 32, 128), ("lstm", 32, 16, 32), ("lstm", 64, 64, 256)]
"""Kind, time, batch, and as many features as hidden."""

PASSES = 30


def modnet_step(kind, time_steps, batch, size, compiled):
    import modnet_recurrent
    import numpy as np
    from modnet_recurrent import kernels

    from modnet.testing.gradients import layer_context

    layer = getattr(modnet_recurrent, kind.upper())(hidden_size=size)
    context = layer_context(layer, (time_steps, size), dtype=np.float32)
    forward, backward = layer.forward, layer.backward
    if compiled:
        forward, backward = (
            getattr(kernels, f"{kind}_{name}")(layer, context.dtype) for name in ("forward", "backward")
        )
    rng = np.random.default_rng(0)
    x, gradient = (rng.standard_normal((batch, time_steps, size), np.float32) for _ in range(2))

    def step():
        context.begin()
        forward(context, x)
        backward(context, gradient)

    return step


def torch_step(threads, kind, time_steps, batch, size):
    import torch

    torch.set_num_threads(threads)
    module = getattr(torch.nn, kind.upper())(size, size, batch_first=True)
    x, gradient = torch.randn(batch, time_steps, size, requires_grad=True), torch.randn(batch, time_steps, size)

    def step():
        x.grad = None
        module.zero_grad()
        module(x)[0].backward(gradient)

    return step


def measure(library, threads, *size):
    step = torch_step(threads, *size) if library == "torch" else modnet_step(*size, compiled=library == "kernels")
    clock = time.process_time if threads == 1 else time.perf_counter
    for _ in range(5):
        step()
    times = []
    for _ in range(PASSES):
        start = clock()
        step()
        times.append(clock() - start)
    print(median(times) * 1e3)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", type=int, nargs="+", default=range(len(SIZES)), help="their numbers, from 0")
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        library, kind, *numbers = arguments.measure
        return measure(library, arguments.threads, kind, *map(int, numbers))
    # set_num_threads is torch's; OpenBLAS and OpenMP read these as they start.
    environment = os.environ | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(arguments.threads))
    print("milliseconds, medians; ratio to torch: median of the rounds (least to greatest)")
    for kind, *numbers in (SIZES[number] for number in arguments.cases):
        libraries = [name for name in ("modnet", "kernels", "torch") if name != "kernels" or kind != "rnn"]
        if find_spec("modnet_numba") is None:
            libraries = [name for name in libraries if name != "kernels"]
        found = {library: [] for library in libraries}
        for _ in range(arguments.rounds):
            for library in libraries:
                command = [sys.executable, __file__, "--threads", str(arguments.threads)]
                command += ["--measure", library, kind, *map(str, numbers)]
                done = subprocess.run(command, env=environment, capture_output=True, check=True)
                found[library].append(float(done.stdout))
        steps, batch, size = numbers
        print(f"{kind}({size}), T {steps}, batch {batch}: torch {median(found['torch']):.2f}", end="")
        for library in libraries[:-1]:
            ratios = [ours / theirs for ours, theirs in zip(found[library], found["torch"], strict=True)]
            shown = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"; {library} {median(found[library]):.2f}, {shown}", end="")
        print(flush=True)
    return None


if __name__ == "__main__":
    main()
