"""modnet-sklearn's estimators beside MLPClassifier and MLPRegressor: how good they are, and how long they take.

    python -m benchmarks.estimators --rounds 10

Each round splits every table by a seed of its own, and the contestants take turns on it, in another order each time: an
estimator of modnet with the arguments of its default; scikit-learn's on the same numbers, which is what a change of the
import alone replaces; and scikit-learn's with numbers, and targets, scaled before it, which is how it should be used.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from modnet_sklearn import ModnetClassifier, ModnetRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HELD_OUT = 0.3
"""The share of the rows on which a round measures."""

CLASSES: dict[str, Callable[[], Any]] = {
    "digits": lambda: load_digits(return_X_y=True),
    "breast_cancer": lambda: load_breast_cancer(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "iris": lambda: load_iris(return_X_y=True),
}
NUMBERS: dict[str, Callable[[], Any]] = {
    "diabetes": lambda: load_diabetes(return_X_y=True),
    "friedman1": lambda: make_friedman1(2000, noise=1.0, random_state=0),
}

Make = Callable[[int], Any]
"""Seed -> estimator."""

CLASSIFIERS: dict[str, Make] = {
    "modnet": lambda seed: ModnetClassifier(random_state=seed),
    "MLP": lambda seed: MLPClassifier(random_state=seed),
    "scaled MLP": lambda seed: make_pipeline(StandardScaler(), MLPClassifier(random_state=seed)),
}
REGRESSORS: dict[str, Make] = {
    "modnet": lambda seed: ModnetRegressor(random_state=seed),
    "MLP": lambda seed: MLPRegressor(random_state=seed),
    "scaled MLP": lambda seed: TransformedTargetRegressor(
        make_pipeline(StandardScaler(), MLPRegressor(random_state=seed)), transformer=StandardScaler()
    ),
}


@dataclass(frozen=True)
class Turn:
    """What one fit gave.

    Attributes:
        seconds: of the processor, for the fit.
        score: accuracy, or R^2, on the rows held out.
        loss: log loss on them; of a regression nan.
    """

    seconds: float
    score: float
    loss: float


def turn(estimator: Any, rows: Sequence[Any], classes: bool) -> Turn:
    """Fits an estimator, and measures it on the rows held out."""
    train, test, target, truth = rows
    begin = time.process_time()
    estimator.fit(train, target)
    seconds = time.process_time() - begin
    if not classes:
        return Turn(seconds, float(r2_score(truth, estimator.predict(test))), float("nan"))
    return Turn(seconds, float(estimator.score(test, truth)), float(log_loss(truth, estimator.predict_proba(test))))


def played(table: Any, makers: dict[str, Make], classes: bool, rounds: int) -> dict[str, list[Turn]]:
    """Contestant -> its turns, one for each round."""
    x, y = table
    found: dict[str, list[Turn]] = {name: [] for name in makers}
    names = list(makers)
    for seed in range(rounds):
        rows = train_test_split(x, y, test_size=HELD_OUT, random_state=seed, stratify=y if classes else None)
        first = seed % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(turn(makers[name](seed), rows, classes))
    return found


def spread(values: Sequence[float], digits: int) -> str:
    """The median, and the quartiles."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def line(name: str, turns: dict[str, list[Turn]]) -> str:
    """A row of the report."""
    ours, plain, scaled = (turns[contestant] for contestant in ("modnet", "MLP", "scaled MLP"))
    cells = [name]
    for own in (ours, plain, scaled):
        loss = np.mean([one.loss for one in own])
        scores = [one.score for one in own]
        cells.append(f"{np.mean(scores):.3f} ± {np.std(scores):.3f}" + (f", {loss:.3f}" if np.isfinite(loss) else ""))
    cells += [spread([b.seconds / a.seconds for a, b in zip(ours, o, strict=True)], 2) for o in (plain, scaled)]
    cells.append(f"{np.median([one.seconds for one in ours]) * 1000:.0f} ms")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tables", nargs="*", choices=[*CLASSES, *NUMBERS], default=[*CLASSES, *NUMBERS])
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    turn(ModnetClassifier(max_iter=1), train_test_split(*load_iris(return_X_y=True), random_state=0), True)  # imports
    print(f"{given.rounds} rounds, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}\n")
    print("| table | modnet | MLP | scaled MLP | time MLP / modnet | time scaled MLP / modnet | modnet |")
    print("|---|---|---|---|---|---|---|")
    for name in given.tables:
        classes = name in CLASSES
        table = CLASSES[name]() if classes else NUMBERS[name]()
        makers = CLASSIFIERS if classes else REGRESSORS
        print(line(name, played(table, makers, classes, given.rounds)), flush=True)


if __name__ == "__main__":
    main()
