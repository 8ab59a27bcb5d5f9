"""Finds what is not normal by the error of the reconstruction, and draws it: anomalies.svg (needs matplotlib).

python score.py [--quantile 0.95]

The threshold is a quantile of the errors of validation.npz, which has normal images alone.
"""

import argparse
from pathlib import Path

import numpy as np

import modnet

NORMAL = 3

folder = Path(__file__).parent
network = modnet.load(folder / "anomalies.modnet")


def load(name):
    with np.load(folder / name) as arrays:
        return arrays["x"], arrays["digit"]


def errors_of(x):
    """The mean squared error of each image, (images,)."""
    return ((x - network.forward(x)) ** 2).mean(axis=1)


def auc(normal, other):
    """The probability that an image that is not normal has the greater error."""
    return float(np.mean(normal[:, None] < other) + np.mean(normal[:, None] == other) / 2)


def draw(x, errors, unusual, threshold):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "anomalies", "font.size": 9})
    figure = plt.figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1])
    axes = left.subplots()
    bins = np.linspace(0, 0.16, 33)
    for name, rows, color in (("threes", ~unusual, "#0072B2"), ("other digits", unusual, "#E69F00")):
        share = np.full(rows.sum(), 100 / rows.sum())
        axes.hist(errors[rows], bins, weights=share, color=color, alpha=0.75, label=name)
    axes.axvline(threshold, color="black", linestyle="--", label="threshold")
    axes.set_xticks([0, 0.05, 0.1, 0.15])
    axes.set_xlabel("error of the reconstruction")
    axes.set_ylabel("% of the images")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    shown = [np.flatnonzero(~unusual)[0], *np.flatnonzero(unusual)[[0, 1, 4, 7]]]
    right.suptitle("images, and what the network gives back", fontsize=10)
    for place, line in zip(right.subplots(2, len(shown)).T, shown, strict=True):
        for pane, image in zip(place, (x[line], network.forward(x[line : line + 1])[0]), strict=True):
            pane.imshow(1 - image.reshape(8, 8), cmap="gray", vmin=0, vmax=1)
            pane.axis("off")
        place[1].set_title(f"{errors[line]:.3f}", fontsize=9)
    figure.savefig(folder / "anomalies.svg", metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quantile", type=float, default=0.95)
    threshold = np.quantile(errors_of(load("validation.npz")[0]), parser.parse_args().quantile)
    x, digits = load("test.npz")
    errors, unusual = errors_of(x), digits != NORMAL
    found, alarms = int((errors[unusual] > threshold).sum()), int((errors[~unusual] > threshold).sum())
    print(f"threshold     {threshold:.4f}")
    print(f"found         {found:,} of {unusual.sum():,} other digits ({found / unusual.sum():.3f})")
    print(f"false alarms  {alarms} of {(~unusual).sum()} threes")
    print(f"AUC           {auc(errors[~unusual], errors[unusual]):.3f}")
    draw(x, errors, unusual, threshold)
