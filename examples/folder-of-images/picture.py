"""Draws the test images that the network misreads, from predicted.csv: misread.svg. Needs matplotlib.

modnet predict images.modnet test --keep file --keep y -o predicted.csv
python picture.py
"""

import csv
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

COLUMNS = 6

folder = Path(__file__).parent
with (folder / "predicted.csv").open() as file:
    rows = list(csv.DictReader(file))
wrong = [row for row in rows if row["y"] != row["y (given)"]]
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "images", "font.size": 9})
lines = -(-len(wrong) // COLUMNS)
figure, axes = plt.subplots(lines, COLUMNS, figsize=(7.5, 1.6 * lines + 0.4), layout="constrained", squeeze=False)
for place in axes.flat:
    place.axis("off")
for place, row in zip(axes.flat, wrong, strict=False):
    place.imshow(plt.imread(folder / "test" / row["file"]), cmap="gray", vmin=0, vmax=1)
    place.set_title(
        f"a {row['y (given)']}, read as {row['y']}\n({float(row['P(' + row['y'] + ')']):.0%} sure)", fontsize=9
    )
figure.suptitle(f"The {len(wrong)} of {len(rows)} test images that are misread", fontsize=11)
figure.savefig(folder / "misread.svg", metadata={"Date": None})
print(f"misread.svg  {len(wrong)} of {len(rows)} images")
