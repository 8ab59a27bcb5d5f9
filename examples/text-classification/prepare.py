"""Makes names.csv and test.csv, together 400 surnames for each of ten languages, from the lists of Faker.

pip install faker==40.63.0
python prepare.py
"""

import csv
import random
from importlib import import_module
from pathlib import Path

LANGUAGES = {
    "Croatian": "hr_HR",
    "Dutch": "nl_NL",
    "English": "en_GB",
    "Finnish": "fi_FI",
    "French": "fr_FR",
    "German": "de_DE",
    "Irish": "ga_IE",
    "Italian": "it_IT",
    "Spanish": "es_ES",
    "Swedish": "sv_SE",
}
EACH, TEST = 400, 80

names = {
    language: {" ".join(name.split()) for name in import_module(f"faker.providers.person.{code}").Provider.last_names}
    for language, code in LANGUAGES.items()
}
parts = {"names.csv": [], "test.csv": []}
for language, own in names.items():
    others = set().union(*(names[other] for other in names if other != language))
    known = sorted(own - others)  # a name in two lists says nothing about its language
    chosen = random.Random(0).sample(known, min(EACH, len(known)))
    rows = [(name, language) for name in chosen]
    parts["names.csv"] += rows[TEST:]
    parts["test.csv"] += rows[:TEST]
for path, rows in parts.items():
    with (Path(__file__).parent / path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("name", "language"), *sorted(rows)])
    print(f"{path:9}  {len(rows):,} names of {len(names)} languages")
