"""The passengers of 1959 and 1960 as the months before them let expect: forecast.svg, and errors over three seeds.

python forecast.py [--epochs 60] [--seeds 3]

The network reads the months up to December 1958, and from there on what it has itself predicted. The forecasts beside
it are the "seasonal naive" one, which repeats the year 1958, and the same grown by what 1958 had grown over 1957.
"""

import argparse
import csv
import statistics
from pathlib import Path

import numpy as np

import modnet

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--seeds", type=int, default=3)
arguments = parser.parse_args()

HELD_OUT = 24

folder = Path(__file__).parent
with (folder / "flights.csv").open() as file:
    passengers = np.array([float(row["passengers"]) for row in csv.DictReader(file)])
known, truth = passengers[:-HELD_OUT], passengers[-HELD_OUT:]
naive = np.tile(known[-12:], HELD_OUT // 12)
growth = known[-12:].sum() / known[-24:-12].sum()
grown = naive * growth ** np.repeat([1, 2], 12)
spec, _ = modnet.read_spec(folder / "flights.toml", overrides={"training.epochs": arguments.epochs})
with np.load(folder / "train.npz") as train:
    x, y = train["x"], train["y"]


def forecast(seed):
    network = modnet.build(spec, seed=seed)
    modnet.train(network, x, y, seed=seed, callbacks=[])
    stream = network.stream()
    changes = [stream.predict(np.diff(np.log(known))[None, :, None])[0, -1, 0]]
    while len(changes) < HELD_OUT:
        changes.append(stream.predict([[[changes[-1]]]])[0, 0, 0])
    return known[-1] * np.exp(np.cumsum(changes))


def errors(predicted):
    """The mean error, in thousands of passengers and in per cent."""
    off = np.abs(predicted - truth)
    return off.mean(), 100 * (off / truth).mean()


def draw(forecasts):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.style.use(folder.parent / "gallery.mplstyle")
    months = 1949 + (np.arange(len(passengers)) + 0.5) / 12
    ahead = months[-HELD_OUT:]
    off, naive_off = errors(forecasts[0])[1], errors(naive)[1]
    figure, axes = plt.subplots(figsize=(9, 4.5))
    axes.plot(months[-84:], passengers[-84:], color="C0", label="passengers")
    axes.plot(ahead, naive, color="#7d7d7d", linestyle="--", label=f"1958 again ({naive_off:.1f} %)")
    axes.plot(ahead, forecasts[0], color="C1", label=f"network, seed 0 ({off:.1f} %)")
    low, high = np.min(forecasts, axis=0), np.max(forecasts, axis=0)
    axes.fill_between(ahead, low, high, color="C1", alpha=0.2, linewidth=0, label="network, all seeds")
    axes.axvline(1959, color="#7d7d7d", linewidth=0.8)
    axes.set_ylabel("passengers in a month, thousands")
    axes.set_title("Airline passengers: two years forecast from December 1958")
    axes.legend(loc="upper left")
    figure.savefig(folder / "forecast.svg", metadata={"Date": None})


forecasts = [forecast(seed) for seed in range(arguments.seeds)]
for name, predicted in {"1958 again": naive, "1958, grown": grown}.items():
    print(f"{name:15}  mean error {errors(predicted)[0]:5.1f} thousand  {errors(predicted)[1]:4.1f} %")
for seed, predicted in enumerate(forecasts):
    print(f"network, seed {seed}  mean error {errors(predicted)[0]:5.1f} thousand  {errors(predicted)[1]:4.1f} %")
means = [errors(predicted)[1] for predicted in forecasts]
print(f"network, mean    {statistics.mean(means):.1f} % ({min(means):.1f} to {max(means):.1f})")
draw(forecasts)
