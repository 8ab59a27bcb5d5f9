"""Writes candidates.csv: the films that a person has not rated yet and at least 20 others have.

python candidates.py PERSON
"""

import csv
import sys
from collections import Counter
from pathlib import Path

person = sys.argv[1]
folder = Path(__file__).parent
with (folder / "ratings.csv").open(encoding="utf-8") as file:
    ratings = list(csv.DictReader(file))
counts = Counter(row["film"] for row in ratings)
seen = {row["film"] for row in ratings if row["person"] == person}
films = {row["film"]: row for row in ratings if row["film"] not in seen and counts[row["film"]] >= 20}
with (folder / "candidates.csv").open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["person", "film", "title", "genres"])
    writer.writerows([person, film, row["title"], row["genres"]] for film, row in films.items())
print(f"candidates.csv: {len(films):,} films for person {person}, who has rated {len(seen)}")
