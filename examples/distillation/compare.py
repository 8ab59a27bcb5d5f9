"""Students with and without a teacher, over several seeds: accuracy on the test digits, size, time; distillation.svg.

python compare.py [--seeds 10] [--epochs 60]
"""

import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np

import modnet

matplotlib.use("Agg")
import matplotlib.pyplot as plt

parser = argparse.ArgumentParser()
parser.add_argument("--seeds", type=int, default=10)
parser.add_argument("--epochs", type=int, default=60)
arguments = parser.parse_args()

folder = Path(__file__).parent
spec, _ = modnet.read_spec(folder / "student.toml", overrides={"training.epochs": arguments.epochs})
data = modnet.read_data(spec, folder=folder)
x, soft = data.train.inputs["input"], data.train.targets["output"]
with np.load(folder / "../digits/digits.npz") as digits:
    labels = digits["y"][: len(x)]
x_test, y_test = data.test.inputs["input"], data.test.targets["output"]


def accuracy(network):
    return float((network.forward(x_test).argmax(axis=1) == y_test).mean())


def microseconds(network):
    """The least time of twenty in which one digit is read."""
    times = []
    for _ in range(20):
        start = time.perf_counter()
        for row in range(20):
            network.forward(x_test[row : row + 1])
        times.append((time.perf_counter() - start) / 20)
    return min(times) * 1e6


def students(targets):
    found = []
    for seed in range(arguments.seeds):
        network = modnet.build(spec, seed=seed)
        modnet.train(network, x, targets, validation=data.validation, seed=seed)
        found.append(network)
    return found


teacher = modnet.load(folder / "teacher.modnet")
networks = {"student alone": students(labels), "student, distilled": students(soft), "teacher": [teacher]}
accuracies = {name: [accuracy(network) for network in found] for name, found in networks.items()}
print(f"{'':20}  parameters  accuracy (least to greatest)  us for one digit")
for name, found in networks.items():
    count, few = found[0].layout.parameter_count, accuracies[name]
    spread = f"{np.mean(few):.3f} ({min(few):.3f} to {max(few):.3f})"
    print(f"{name:20}  {count:<10,}  {spread:28}  {microseconds(found[0]):.0f}")
gains = np.subtract(accuracies["student, distilled"], accuracies["student alone"])
print(f"the same seed, distilled - alone: mean {gains.mean():+.3f}, {np.sum(gains > 0)} of {len(gains)} above 0")

plt.style.use(folder.parent / "gallery.mplstyle")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=(2, 1))
for place, few in enumerate(accuracies.values()):
    left.scatter(few, np.full(len(few), -place), s=26, alpha=0.6, color=f"C{place}")
    left.scatter(np.mean(few), -place, s=220, marker="|", color=f"C{place}")
left.set_yticks([0, -1, -2], accuracies, color="black")
left.set(
    xlabel="accuracy on 397 digits by other people", ylim=(-2.6, 0.6), title="A dot for each seed, a line at the mean"
)
example = int(np.flatnonzero(soft.max(axis=1) < 0.7)[0])
right.bar(range(10), soft[example], color="C1")
right.set_xticks(range(10))
right.set(title=f"What the teacher says of a {labels[example]}", xlabel="digit", ylabel="soft target")
figure.savefig(folder / "distillation.svg", metadata={"Date": None})
