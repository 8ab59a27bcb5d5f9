"""Forward and backward passes of single layers against torch (channels_last): python benchmark.py [threads].

Every round runs the libraries in turn, each in a process of its own. With one thread the time is that of the processor,
which other programs on the machine disturb little; with more it is that of the clock.
"""

import json
import os
import subprocess
import sys
import time
from statistics import median

ROUNDS = 5
SECONDS = 0.2

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


def milliseconds(step, threads):
    clock = time.thread_time if threads == 1 else time.perf_counter
    step(), step()
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 5:
        begin = clock()
        step()
        times.append(clock() - begin)
    return median(times) * 1e3


def of_modnet(case, compiled):
    import numpy as np
    from modnet_conv.convolution import Conv2d, DepthwiseConv2d
    from modnet_conv.pooling import AveragePool2d, MaxPool2d

    from modnet.registry import Registry, default_registry
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
    gradient = rng.standard_normal(forward(context, x).shape, np.float32)

    def step():
        context.begin()
        forward(context, x)
        backward(context, gradient)

    return step


def of_torch(case):
    import torch

    batch, kind, size, channels, outputs, kernel, stride = case
    layer = {
        "conv2d": lambda: torch.nn.Conv2d(channels, outputs, kernel, stride, kernel // 2),
        "depthwise": lambda: torch.nn.Conv2d(channels, outputs, kernel, stride, kernel // 2, groups=channels),
        "max_pool": lambda: torch.nn.MaxPool2d(kernel, stride),
        "average_pool": lambda: torch.nn.AvgPool2d(kernel, stride),
    }[kind]().to(memory_format=torch.channels_last)
    x = torch.randn(batch, channels, size, size).to(memory_format=torch.channels_last).requires_grad_()
    gradient = torch.randn_like(layer(x))

    def step():
        x.grad = None
        layer.zero_grad()
        layer(x).backward(gradient)

    return step


def measure(library, threads):
    if library == "torch":
        import torch

        torch.set_num_threads(threads)
        torch.autograd.set_multithreading_enabled(False)  # or the backward pass is in a thread that has another clock
        make = of_torch
    else:

        def make(case):
            return of_modnet(case, library == "kernels")

    print(json.dumps({name: milliseconds(make(case), threads) for name, case in CASES.items()}))


def main(threads):
    libraries = ["torch", "numpy", "kernels"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    rounds = []
    for _ in range(ROUNDS):
        rounds.append({})
        for library in libraries:
            command = [sys.executable, __file__, "measure", library, str(threads)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            rounds[-1][library] = json.loads(done.stdout)
    print(f"milliseconds, {threads} thread(s); ratio to torch: median of {ROUNDS} rounds (least to greatest)")
    for name in CASES:
        cells = [f"{median(r[library][name] for r in rounds):8.3f}" for library in libraries]
        for library in libraries[1:]:
            ratios = sorted(r[library][name] / r["torch"][name] for r in rounds)
            cells.append(f"  {median(ratios):5.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
        print(f"{name:46}", *cells)


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        measure(sys.argv[2], int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
