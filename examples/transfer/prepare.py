"""Writes few.csv, 30 images that are labelled even or odd, and test.csv, 397 by other people to test with.

python prepare.py

The torch model of pretrain.py has seen none of them.
"""

import csv
from pathlib import Path

import numpy as np

FEW, TEST = range(1000, 1030), range(1400, 1797)

folder = Path(__file__).parent
with np.load(folder / "../digits/digits.npz") as digits:
    x, labels = digits["x"], np.where(digits["y"] % 2, "odd", "even")
for name, rows in (("few.csv", FEW), ("test.csv", TEST)):
    with (folder / name).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"pixel_{number}" for number in range(x.shape[1])), "label"])
        writer.writerows([*x[row], labels[row]] for row in rows)
    print(f"{name}: {len(rows)} images")
