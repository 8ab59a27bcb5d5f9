"""Forward and backward passes of single layers against torch (channels_last), time and memory.

    python benchmark.py [--threads 2] [--rounds 5] [words of the cases, all of which have to occur ...]

Every round runs the libraries in turn, each in a process of its own. With one thread the time is that of the processor,
which other programs on the machine disturb little; with more it is that of the clock. Memory is what a process has
taken at the height of a step beyond what it had before the first one, input and output's gradient included there; it
is measured once (Linux only).
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median

SECONDS = 0.2
LIBRARIES = ("torch", "numpy", "kernels")

CONVOLUTION = [(28, 32, 32, 3, 1), (14, 64, 64, 3, 1), (28, 32, 32, 5, 1), (28, 32, 64, 1, 1), (28, 32, 64, 3, 2)]
SHAPES = [
    *(("conv2d", *shape) for shape in CONVOLUTION),
    *(("depthwise", size, channels, channels, 3, 1) for size, channels in ((28, 32), (14, 64))),
    *((kind, 28, 32, 32, 2, 2) for kind in ("max_pool", "average_pool")),
]
CASES = {
    f"{kind} {size}x{size}x{channels}->{outputs}, {kernel}x{kernel}/{stride}, batch {batch}": (batch, kind, *shape)
    for batch in (64, 1)
    for kind, *shape in SHAPES
    for size, channels, outputs, kernel, stride in [shape]
}
WITH_KERNELS = ("depthwise", "max_pool", "average_pool")


def step_of_modnet(case, compiled):
    import numpy as np
    from modnet_conv.convolution import Conv2d, DepthwiseConv2d
    from modnet_conv.pooling import AveragePool2d, MaxPool2d

    from modnet.plugins.registry import Registry, default_registry
    from modnet.testing.gradients import layer_context

    batch, kind, size, channels, outputs, kernel, stride = case
    layer = {
        "conv2d": lambda: Conv2d(out_channels=outputs, kernel_size=kernel, stride=stride, padding="same"),
        "depthwise": lambda: DepthwiseConv2d(kernel_size=kernel, stride=stride, padding="same"),
        "max_pool": lambda: MaxPool2d(pool_size=kernel, stride=stride),
        "average_pool": lambda: AveragePool2d(pool_size=kernel, stride=stride),
    }[kind]()
    kernels = (default_registry() if compiled else Registry(list)).kernels
    forward, backward = (kernels.method(layer, name, np.dtype("float32")) for name in ("forward", "backward"))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, size, size, channels), np.float32)
    context = layer_context(layer, x.shape[1:], dtype=np.float32)
    gradient = rng.standard_normal((batch, *layer.output_shape(x.shape[1:])), np.float32)

    def step():
        context.begin()
        forward(context, x)
        backward(context, gradient)

    return step


def step_of_torch(case):
    import torch

    batch, kind, size, channels, outputs, kernel, stride = case
    layer = {
        "conv2d": lambda: torch.nn.Conv2d(channels, outputs, kernel, stride, kernel // 2),
        "depthwise": lambda: torch.nn.Conv2d(channels, outputs, kernel, stride, kernel // 2, groups=channels),
        "max_pool": lambda: torch.nn.MaxPool2d(kernel, stride),
        "average_pool": lambda: torch.nn.AvgPool2d(kernel, stride),
    }[kind]().to(memory_format=torch.channels_last)
    x = torch.randn(batch, channels, size, size).to(memory_format=torch.channels_last).requires_grad_()
    places = size // stride if kind.endswith("pool") else (size + stride - 1) // stride
    gradient = torch.randn(batch, outputs, places, places).to(memory_format=torch.channels_last)

    def step():
        x.grad = None
        layer.zero_grad()
        layer(x).backward(gradient)

    return step


def make_step(library, case, threads):
    if library != "torch":
        return step_of_modnet(case, library == "kernels")
    import torch

    torch.set_num_threads(threads)
    torch.autograd.set_multithreading_enabled(False)  # or the backward pass is in a thread that has another clock
    return step_of_torch(case)


def milliseconds(step, threads):
    clock = time.thread_time if threads == 1 else time.perf_counter
    step(), step()
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 5:
        begin = clock()
        step()
        times.append(clock() - begin)
    return median(times) * 1e3


def mebibytes(name):
    """A figure of this process in Linux's tables: VmRSS is the memory that it has, VmHWM the most that it has had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def memory(library, case, threads):
    """What the first steps take, in MiB, or None where the system does not say."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    # All that is loaded or compiled at first use, on one sample.
    make_step(library, (1, *case[1:]), threads)()
    step = make_step(library, case, threads)
    gc.collect()
    before = mebibytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again
    for _ in range(3):
        step()
    return mebibytes("VmHWM") - before


def run(quantity, library, names, threads):
    """name -> figure, from a process of its own."""
    variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "MODNET_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(variables, str(threads))}
    command = [sys.executable, __file__, "--measure", quantity, library, "--threads", str(threads), *names]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def measure(quantity, library, names, threads):
    if quantity == "memory":
        return {name: memory(library, CASES[name], threads) for name in names}
    return {name: milliseconds(make_step(library, CASES[name], threads), threads) for name in names}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", help="only the cases in whose names all of these occur")
    arguments = parser.parse_args()
    threads = arguments.threads
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure, arguments.words, threads)))
        return
    chosen = [name for name in CASES if all(word in name for word in arguments.words)]
    names = {
        library: [n for n in chosen if library != "kernels" or n.startswith(WITH_KERNELS)] for library in LIBRARIES
    }
    libraries = [name for name in LIBRARIES if names[name] and (name != "kernels" or find_spec("numba"))]
    rounds = [
        {library: run("time", library, names[library], threads) for library in libraries}
        for _ in range(arguments.rounds)
    ]
    taken = {
        (library, name): run("memory", library, [name], threads)[name]
        for library in libraries
        for name in names[library]
        if "batch 1" not in name
    }
    print(
        f"{threads} thread(s); milliseconds and their ratio to torch's, median of {arguments.rounds} rounds (least to"
    )
    print("greatest); MiB that a step takes")
    print("| layer |", *(f"{library} | MiB |" + " ratio |" * (library != "torch") for library in libraries))
    print("|---|---|---|" + "---|---|---|" * (len(libraries) - 1))
    for name in chosen:
        cells = [name]
        for library in libraries:
            if name not in names[library]:
                cells += [""] * 3
                continue
            cells.append(f"{median(found[library][name] for found in rounds):.3f}")
            mib = taken.get((library, name))
            cells.append("" if mib is None else f"{mib:.1f}")
            if library != "torch":
                ratios = [found[library][name] / found["torch"][name] for found in rounds]
                cells.append(f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
