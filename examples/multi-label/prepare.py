"""Makes strips.csv and test.csv: strips of three handwritten digits, and which digits are in each.

A row has the 8 x 24 pixels of a strip, row after row, and `digits`, such as `3; 7`. The strips of test.csv are made of
digits by people of whom strips.csv has none.
"""

import csv
from pathlib import Path

import numpy as np

FIRST_OF_TEST = 1400
STRIPS = {"strips.csv": 2000, "test.csv": 500}

folder = Path(__file__).parent
with np.load(folder.parent / "digits" / "digits.npz") as digits:
    images, labels = digits["x"].reshape(-1, 8, 8), digits["y"]
pools = {"strips.csv": np.arange(FIRST_OF_TEST), "test.csv": np.arange(FIRST_OF_TEST, len(labels))}
rng = np.random.default_rng(0)
for name, pool in pools.items():
    with (folder / name).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(f"pixel_{place}" for place in range(8 * 24)), "digits"])
        for chosen in rng.choice(pool, (STRIPS[name], 3)):
            strip = np.concatenate(images[chosen], axis=1)
            tags = sorted({str(label) for label in labels[chosen]})
            writer.writerow([*strip.ravel().tolist(), "; ".join(tags)])
    print(f"{name:10}  {STRIPS[name]:,} strips of three digits")
