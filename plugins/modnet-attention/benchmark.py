"""A transformer block forward and backward, beside torch's: python benchmark.py [--rounds 7] [--threads 1] [--cases 0]

Each library runs in a process of its own, one after the other, round after round; the figures are medians of the rounds
and the range of their ratios. With one thread the clock counts processor time, which other work on the machine hardly
changes; with more it counts wall time, which means something on an idle machine only.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from statistics import median

CASES = {
    "block, 64 steps, batch 32": {"steps": 64, "batch": 32, "hidden": 512},
    "the same, hidden 2048": {"steps": 64, "batch": 32, "hidden": 2048},
    "block, 64 steps, batch 32, causal": {"steps": 64, "batch": 32, "hidden": 512, "causal": True},
    "block, 256 steps, batch 8": {"steps": 256, "batch": 8, "hidden": 512},
    "block, 1024 steps, batch 2": {"steps": 1024, "batch": 2, "hidden": 512},
}
FEATURES, HEADS, REPEATS = 128, 8, 20
CONTESTANTS = ("torch", "numpy", "kernels")


def seconds(step, threads):
    clock = time.process_time if threads == 1 else time.perf_counter
    times = []
    for _ in range(REPEATS + 3):
        started = clock()
        step()
        times.append(clock() - started)
    return median(times[3:])


def step_of_torch(threads, steps, batch, hidden, causal=False):
    import torch

    torch.set_num_threads(threads)
    block = torch.nn.TransformerEncoderLayer(
        FEATURES, HEADS, hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).train()
    x = torch.randn(batch, steps, FEATURES, requires_grad=True)
    gradient = torch.ones_like(x)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(steps) if causal else None

    def step():
        block.zero_grad()
        x.grad = None
        block(x, src_mask=mask, is_causal=causal).backward(gradient)

    return step


def step_of_modnet(kernels, steps, batch, hidden, causal=False):
    import numpy as np

    import modnet
    from modnet.engine.passes import Pass

    # A trainable layer of next to no cost, so that the block has a gradient of its input, as in torch.
    before = {"type": "positional_embedding", "max_length": steps}
    block = {"type": "transformer_block", "features": FEATURES, "heads": HEADS}
    layers = [before, {**block, "hidden_features": hidden, "causal": causal}]
    network = modnet.build({"network": {"input": [steps, FEATURES], "layers": layers}})
    run = Pass(
        network,
        list(network.graph.outputs.values()),
        training=True,
        gradients=network.parameters.like(),
        kernels=modnet.default_registry().kernels if kernels else None,
    )
    x = np.random.default_rng(0).standard_normal((batch, steps, FEATURES)).astype(np.float32)

    def step():
        (y,) = run.forward([x])
        run.backward([np.ones_like(y)])

    return step


def play(contestant, threads, names):
    """Case -> seconds of a step."""
    found = {}
    for name in names:
        case = CASES[name]
        step = (
            step_of_torch(threads, **case) if contestant == "torch" else step_of_modnet(contestant == "kernels", **case)
        )
        found[name] = seconds(step, threads)
    return found


def run_alone(contestant, threads, numbers):
    command = [sys.executable, __file__, "--contestant", contestant, "--threads", str(threads)]
    command += ["--cases", *map(str, numbers)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", type=int, nargs="+", default=range(len(CASES)), help="their numbers, from 0")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    cases = [list(CASES)[number] for number in arguments.cases]
    if arguments.contestant:
        print(json.dumps(play(arguments.contestant, arguments.threads, cases)))
        return
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(arguments.threads))
    rounds = [
        {name: run_alone(name, arguments.threads, arguments.cases) for name in CONTESTANTS}
        for _ in range(arguments.rounds)
    ]
    print("| milliseconds | torch | modnet, numpy alone | ratio | modnet, with modnet-numba | ratio |")
    print("|---|---|---|---|---|---|")
    for case in cases:
        cells = [f"{1e3 * median(found['torch'][case] for found in rounds):.1f}"]
        for name in CONTESTANTS[1:]:
            ratios = [found[name][case] / found["torch"][case] for found in rounds]
            cells.append(f"{1e3 * median(found[name][case] for found in rounds):.1f}")
            cells.append(f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        print(f"| {case} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
