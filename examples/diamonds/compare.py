"""modnet and scikit-learn's MLPRegressor on the diamonds: same rows, network, optimizer, batches and epochs, in turn.

python compare.py [--epochs 30] [--rows 53940] [--runs 3]
"""

import argparse
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import modnet

# Without early stopping scikit-learn says after each run that it has not converged; the number of epochs is given here.
warnings.simplefilter("ignore", ConvergenceWarning)

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--rows", type=int, default=53_940, help="take only the first ones")
parser.add_argument("--runs", type=int, default=3)
arguments = parser.parse_args()

folder = Path(__file__).parent
rows = {"path": "diamonds.csv.gz", "rows": [0, arguments.rows]}
overrides = {"training.epochs": arguments.epochs, "training.metrics": [], "data.train": rows}
spec, _ = modnet.read_spec(folder / "diamonds.toml", overrides=overrides)
loaded = modnet.read_data(spec, folder=folder)
(x, y), (x_held_out, y_held_out) = (
    (part.inputs["input"].astype(np.float32), part.targets["output"].astype(np.float32))
    for part in (loaded.train, loaded.validation)
)


def run_modnet(seed):
    network = modnet.build(spec, seed=seed)
    modnet.train(network, x, y, seed=seed)
    return network


def run_sklearn(seed):
    # alpha: the penalty, which diamonds.toml has none of. n_iter_no_change: no early stopping.
    network = MLPRegressor(
        hidden_layer_sizes=(64, 64),
        alpha=0.0,
        batch_size=spec.training.batch_size,
        max_iter=arguments.epochs,
        n_iter_no_change=arguments.epochs,
        random_state=seed,
    )
    scaled = TransformedTargetRegressor(make_pipeline(StandardScaler(), network), transformer=StandardScaler())
    return scaled.fit(x, y[:, 0])


def measure(run, seed):
    start = time.perf_counter()
    network = run(seed)
    seconds = time.perf_counter() - start
    prices = network.predict(x_held_out).reshape(-1, 1)
    return r2_score(y_held_out, prices), mean_absolute_error(y_held_out, prices), seconds


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


runs = {"modnet": run_modnet, "scikit-learn": run_sklearn}
measured = {name: [] for name in runs}
for seed in range(arguments.runs):
    for name, run in runs.items():
        measured[name].append(measure(run, seed))
print(f"medians of {arguments.runs} runs (least to greatest)")
for name, figures in measured.items():
    r2, error, seconds = zip(*figures, strict=True)
    print(f"{name:12}  R2 {spread(r2, 4)}  mean absolute error {spread(error, 0)}  seconds {spread(seconds, 1)}")
ratios = [theirs[2] / ours[2] for ours, theirs in zip(*measured.values(), strict=True)]
print(f"scikit-learn takes {spread(ratios, 2)} times as long as modnet")
