"""Draws strips of test.csv with the tags that predicted.csv gives them: tags.svg. Needs matplotlib.

modnet predict tags.modnet test.csv --keep-all -o predicted.csv
python picture.py
"""

import csv
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

folder = Path(__file__).parent
with (folder / "predicted.csv").open() as file:
    rows = list(csv.DictReader(file))
right = [row for row in rows if row["digits"] == row["digits (given)"]]
wrong = [row for row in rows if row["digits"] != row["digits (given)"]]
print(f"all tags right  {len(right)} of {len(rows)} strips")

plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "tags", "font.size": 9})
figure, axes = plt.subplots(2, 4, figsize=(8, 2.6), layout="constrained")
for place, row in zip(axes.flat, [*right[:4], *wrong[:4]], strict=True):
    ink = np.array([float(row[f"pixel_{number}"]) for number in range(8 * 24)]).reshape(8, 24)
    place.imshow(-ink, cmap="gray")
    place.axis("off")
    same = row["digits"] == row["digits (given)"]
    place.set_title(row["digits"] if same else f"{row['digits'] or 'none'}  (is {row['digits (given)']})")
figure.savefig(folder / "tags.svg", metadata={"Date": None})
