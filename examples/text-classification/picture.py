"""Draws which languages are taken for which, from predicted.csv: languages.svg. Needs matplotlib.

modnet predict names.modnet test.csv --keep language -o predicted.csv
python picture.py
"""

import csv
from collections import Counter
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

folder = Path(__file__).parent
with (folder / "predicted.csv").open(encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
counts = Counter((row["language (given)"], row["language"]) for row in rows)
languages = sorted({language for pair in counts for language in pair})
table = [[counts[given, found] for found in languages] for given in languages]

plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "languages", "font.size": 10})
figure, axes = plt.subplots(figsize=(7, 5.4), layout="constrained")
axes.imshow(table, cmap="Blues")
for row, line in enumerate(table):
    for column, count in enumerate(line):
        if count:
            axes.text(column, row, count, ha="center", va="center", color="white" if count > 40 else "black")
places = range(len(languages))
axes.set_xticks(places, languages, rotation=40, ha="right")
axes.set_yticks(places, languages)
axes.set_xlabel("predicted")
axes.set_ylabel("language of the name")
right = sum(counts[language, language] for language in languages)
axes.set_title(f"{right} of {len(rows)} test names are right")
axes.spines[:].set_visible(False)
figure.savefig(folder / "languages.svg", metadata={"Date": None})
print(f"languages.svg  {right} of {len(rows)} names are right")
