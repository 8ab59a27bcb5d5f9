"""Training: the time of a step, and whether the result is the same as torch's."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import entry_points
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.peers import take_weights, torch_model
from benchmarks.problems import build, data
from benchmarks.rounds import Case, Contestant, Play, Settings, Turn

LEARNING_RATE = 1e-3
TOLERANCE = 1e-4
"""How far modnet's loss after training may be from torch's."""


@dataclass(frozen=True)
class Job:
    """What to train. A turn is a whole run, from new weights."""

    network: str
    batch: int
    epochs: int
    settings: Settings


def cases(settings: Settings) -> list[Case]:
    """Epochs are chosen for five of them or more, and for more than a thousand steps where steps are short: a unit of
    relu that has died leaves denormal numbers in Adam's averages some 900 steps later."""
    jobs = {
        "train-32": Job("mlp", 32, 8, settings),
        "train-128": Job("mlp", 128, 20, settings),
        "train-1024": Job("mlp", 1024, 30, settings),
        "deep": Job("deep", 32, 5, settings),
        "batch-norm": Job("batch-norm", 128, 20, settings),
    }
    found = []
    for name, job in jobs.items():
        if settings.quick:
            job = replace(job, epochs=1)
        contestants = [Contestant("modnet", partial(in_modnet, job))]
        if entry_points(group="modnet.kernels"):
            off = {"MODNET_KERNELS": "off"}
            contestants.append(Contestant("modnet, kernels off", partial(in_modnet, job), environment=off))
        contestants += [
            Contestant("torch", partial(in_torch, job), ("torch",)),
            Contestant("torch, denormals flushed", partial(in_torch, job, flush_denormal=True), ("torch",)),
        ]
        if job.network == "mlp":
            contestants += [
                Contestant("scikit-learn", partial(in_sklearn, job), ("sklearn",)),
                Contestant("matrix products alone", partial(bare_products, job)),
            ]
        found.append(Case(name, "step", contestants))
    return [*found, *ensembles(settings)]


MEMBERS = 5


def ensembles(settings: Settings) -> list[Case]:
    """An ensemble, whose members are trained side by side, beside as many networks one after another."""
    found = []
    for name, network in {"ensemble": "table", "large-ensemble": "large table"}.items():
        for batch, epochs in ((32, 1), (256, 5)):
            job = Job(network, batch, 1 if settings.quick else epochs, settings)
            contestants = [
                Contestant(f"{MEMBERS} members", partial(in_modnet, job, members=MEMBERS)),
                Contestant(f"{MEMBERS} networks", partial(in_modnet, job, networks=MEMBERS)),
            ]
            found.append(Case(f"{name}-{batch}", "step", contestants))
    return found


def timed(run: Callable[[list[float]], Any], steps: int) -> Turn:
    """Times a run, which may note in a list when each of its steps ended."""
    ends = [time.perf_counter()]
    run(ends)
    seconds = (time.perf_counter() - ends[0]) / steps
    each = [after - before for before, after in pairwise(ends)]
    return Turn(seconds, float(np.percentile(each, 95)) if each else None)


def in_modnet(job: Job, members: int = 1, networks: int = 1) -> Play:
    """A training; with several networks, one after another, a step is one step of each."""
    import modnet

    x, y = data(job.network, job.settings)

    def play(seed: int) -> Turn:
        made = [build(job.network, seed + number, members=members) for number in range(networks)]

        def run(ends: list[float]) -> None:
            class Clock(modnet.Callback):
                def modnet_step_ended(self, run: Any) -> None:
                    ends.append(time.perf_counter())

            adam = {"type": "adam", "learning_rate": LEARNING_RATE}
            options: dict[str, Any] = {"loss": "cross_entropy", "optimizer": adam, "seed": seed, "callbacks": [Clock()]}
            for network in made:
                modnet.train(network, x, y, epochs=job.epochs, batch_size=job.batch, **options)

        return timed(run, job.epochs * len(x) // job.batch)

    return play


def in_torch(job: Job, flush_denormal: bool = False) -> Play:
    import torch

    torch.set_flush_denormal(flush_denormal)
    x, y = (torch.from_numpy(array) for array in data(job.network, job.settings))

    def play(seed: int) -> Turn:
        torch.manual_seed(seed)
        model = torch_model(job.network)

        def run(ends: list[float]) -> None:
            optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
            total = 0.0
            for _ in range(job.epochs):
                order = torch.randperm(len(x))
                for start in range(0, len(x), job.batch):
                    rows = order[start : start + job.batch]
                    optimizer.zero_grad()
                    loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
                    loss.backward()
                    optimizer.step()
                    total += loss.item()
                    ends.append(time.perf_counter())

        return timed(run, job.epochs * len(x) // job.batch)

    return play


def in_sklearn(job: Job) -> Play:
    """`fit` without early stopping. Its steps cannot be timed one by one: `partial_fit` would check anew at each."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore", ConvergenceWarning)
    x, y = data(job.network, job.settings)

    def play(seed: int) -> Turn:
        classifier = MLPClassifier(
            hidden_layer_sizes=(256, 128),
            alpha=0.0,
            batch_size=job.batch,
            learning_rate_init=LEARNING_RATE,
            max_iter=job.epochs,
            n_iter_no_change=job.epochs,
            random_state=seed,
        )
        return timed(lambda ends: classifier.fit(x, y), job.epochs * len(x) // job.batch)

    return play


def bare_products(job: Job) -> Play:
    """The products of matrices that a step cannot do without, into arrays that are there already."""
    x, _ = data(job.network, job.settings)
    network = build(job.network)
    weights = [network.parameters[f"linear_{number}.weight"] for number in (1, 2, 3)]
    slopes = [np.empty_like(weight) for weight in weights]
    values = [x[: job.batch].copy(), *(np.ones((job.batch, weight.shape[1]), np.float32) for weight in weights)]
    steps = job.epochs * len(x) // job.batch

    def run(ends: list[float]) -> None:
        for _ in range(steps):
            for weight, before, after in zip(weights, values, values[1:], strict=False):
                np.matmul(before, weight, out=after)
            for position in (2, 1, 0):
                np.matmul(values[position].T, values[position + 1], out=slopes[position])
                if position:
                    np.matmul(values[position + 1], weights[position].T, out=values[position])
            ends.append(time.perf_counter())

    return lambda seed: timed(run, steps)


@dataclass(frozen=True)
class Loss:
    """The mean loss over all samples, after a training from the same weights on the same batches in the same order."""

    modnet: float
    torch: float

    @property
    def difference(self) -> float:
        return abs(self.modnet - self.torch)


def accuracy(settings: Settings) -> dict[str, Loss]:
    """Data and dtype -> the losses that modnet and torch come to.

    Rounding errors grow from step to step: in float32 two right trainings on the diamonds part after some thousand.
    """
    runs = [("mlp", "float32", 5), ("digits", "float32", 40), ("diamonds", "float32", 3), ("diamonds", "float64", 10)]
    return {
        f"{name}, {dtype}": both_trained(name, dtype, 1 if settings.quick else epochs, settings)
        for name, dtype, epochs in runs
    }


def both_trained(name: str, dtype: str, epochs: int, settings: Settings) -> Loss:
    import torch

    import modnet

    x, y = data(name, settings)
    x, y = x.astype(dtype), y.astype(dtype) if y.ndim == 2 else y
    batch = 128
    network = build(name, dtype=dtype)
    model = torch_model(name).to(getattr(torch, dtype))
    take_weights(model, network)
    loss = "cross_entropy" if y.ndim == 1 else "mse"
    function: Any = torch.nn.functional.cross_entropy if y.ndim == 1 else torch.nn.functional.mse_loss
    adam = {"type": "adam", "learning_rate": LEARNING_RATE}
    modnet.train(network, x, y, loss=loss, optimizer=adam, epochs=epochs, batch_size=batch, shuffle=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
    xs, ys = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(epochs):
        for start in range(0, len(x), batch):
            optimizer.zero_grad()
            function(model(xs[start : start + batch]), ys[start : start + batch]).backward()
            optimizer.step()
    with torch.inference_mode():
        theirs = function(model(xs), ys).item()
    return Loss(float(modnet.evaluate(network, x, y, loss=loss)["loss"]), theirs)
