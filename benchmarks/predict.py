"""Prediction from a numpy array to a numpy array: the time of a call, with threads that are already warm.

`python -m benchmarks` has a dense network with all threads, each contestant in a process of its own. As a command,
`python -m benchmarks.predict`, it measures the workloads of `calls`, one thread, all contestants in one process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import modnet
from benchmarks import calls, machine
from benchmarks.calls import CONTESTANTS, WORKLOADS, Workload
from benchmarks.markdown import markdown
from benchmarks.peers import take_weights, torch_model, write_onnx
from benchmarks.problems import build, data
from benchmarks.rounds import Case, Contestant, Play, Settings, Turn


def cases(settings: Settings) -> list[Case]:
    return [
        Case(
            f"predict-{batch}",
            "call",
            [
                Contestant("modnet", partial(in_modnet, settings, batch)),
                Contestant("onnxruntime", partial(in_onnxruntime, settings, batch), ("onnxruntime", "onnx")),
                Contestant("torch, inference mode", partial(in_torch, settings, batch), ("torch",)),
            ],
        )
        for batch in (1, 64, 8192)
    ]


def batch_of(settings: Settings, size: int) -> Any:
    x, _ = data("mlp", settings)
    return np.resize(x, (size, x.shape[1]))


def repeated(call: Callable[[Any], Any], x: Any, settings: Settings) -> Play:
    """Calls for a while, having looked at the first result: all must agree with modnet's."""
    np.testing.assert_allclose(call(x), build("mlp").predict(x), atol=1e-5)
    enough = 0.02 if settings.quick else 0.5

    def play(seed: int) -> Turn:
        ends = [time.perf_counter()]
        while ends[-1] - ends[0] < enough:
            call(x)
            ends.append(time.perf_counter())
        each = [after - before for before, after in pairwise(ends)]
        return Turn((ends[-1] - ends[0]) / len(each), float(np.percentile(each, 95)))

    return play


def in_modnet(settings: Settings, batch: int) -> Play:
    return repeated(build("mlp").predict, batch_of(settings, batch), settings)


def in_onnxruntime(settings: Settings, batch: int) -> Play:
    import onnxruntime

    path = settings.folder / f"predict-{batch}.onnx"
    write_onnx(build("mlp"), path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return repeated(lambda x: session.run(None, {"x": x})[0], batch_of(settings, batch), settings)


def in_torch(settings: Settings, batch: int) -> Play:
    import torch

    model = torch_model("mlp")
    take_weights(model, build("mlp"))
    model.append(torch.nn.Softmax(dim=-1)).eval()

    def call(x: Any) -> Any:
        with torch.inference_mode():
            return model(torch.from_numpy(x)).numpy()

    return repeated(call, batch_of(settings, batch), settings)


def main() -> None:
    """python -m benchmarks.predict [--only NAME ...] [--contestants NAME ...] [--rounds N] [--json FILE]"""
    arguments = parser().parse_args()
    modnet.set_threads(1)
    before = machine.load()
    chosen = {name: workload for name, workload in WORKLOADS.items() if name in (arguments.only or WORKLOADS)}
    contestants = {n: c for n, c in CONTESTANTS.items() if n in (arguments.contestants or CONTESTANTS)}
    measured: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, workload in chosen.items():
            measured[name] = in_turn(workload, name, contestants, arguments.rounds, Path(folder))
    facts = {**machine.describe(1), "load average": f"{before} before, {machine.load()} after"}
    print("\n".join([*(f"- {name}: {value}" for name, value in facts.items()), "", *table_of_calls(measured)]))
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": facts, "seconds": measured}, indent=1) + "\n")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.predict", description="the time of a call, one thread, all in one process in turn"
    )
    made.add_argument("--only", nargs="+", metavar="NAME", choices=list(WORKLOADS), help=", ".join(WORKLOADS))
    made.add_argument(
        "--contestants", nargs="+", metavar="NAME", choices=list(CONTESTANTS), help=", ".join(CONTESTANTS)
    )
    made.add_argument("--rounds", type=int, default=15, help="by default 15")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round to this file")
    return made


def in_turn(
    workload: Workload, name: str, contestants: Mapping[str, calls.Contestant], rounds: int, folder: Path
) -> dict[str, list[float]]:
    """Contestant -> seconds of a call in each round: the least of a short sample, which others disturb least."""
    players: dict[str, calls.Player] = {}
    expected: Any = None
    for label, contestant in contestants.items():
        if name in contestant.unfit or any(find_spec(module) is None for module in contestant.needs):
            continue
        player = players[label] = contestant.prepare(workload, folder)
        player.begin()
        found = np.asarray(player.call())
        expected = found if expected is None else expected
        np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=contestant.rounding, err_msg=label)
    seconds: dict[str, list[float]] = {label: [] for label in players}
    for _ in range(rounds):
        for label, player in players.items():
            seconds[label].append(least(player))
    return seconds


def least(player: calls.Player) -> float:
    """The shortest of at least 20 calls, or of those within 20 ms."""
    player.begin()
    player.call()
    each: list[float] = []
    while len(each) < 20 or (sum(each) < 0.02 and len(each) < 300):
        if not len(each) % 40:
            player.begin()  # so that the cache of a stream does not grow
        started = time.perf_counter()
        player.call()
        each.append(time.perf_counter() - started)
    return min(each)


def table_of_calls(measured: Mapping[str, Mapping[str, list[float]]]) -> list[str]:
    """The lines of a table in Markdown: microseconds, and the first contestant's time by that of each other."""
    labels = [label for label in CONTESTANTS if any(label in found for found in measured.values())]
    first, *others = labels
    rows = [["microseconds a call", *labels, *(f"{first} / {label}" for label in others)]]
    rows.append(["---", *["---:"] * (len(rows[0]) - 1)])
    for name, found in measured.items():
        cells = [f"{1e6 * min(found[label]):.1f}" if label in found else "" for label in labels]
        for label in others:
            ratios = [mine / peer for mine, peer in zip(found[first], found.get(label, ()), strict=False)]
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} .. {max(ratios):.2f})" if ratios else ""
            cells.append(spread)
        rows.append([name, *cells])
    return markdown(rows)


if __name__ == "__main__":
    main()
