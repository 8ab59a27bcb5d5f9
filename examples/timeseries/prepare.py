"""Cuts rides.csv.gz into windows: train.csv, test.csv, and next.csv for the day after the last.

A row is a forecast that is made at `time`. Its columns are the 48 hours before, ago_48 to ago_1, the 24 hours of a week
before, week_1 to week_24, and, to be predicted, the next 24 hours, ahead_1 to ahead_24.
"""

import csv
import gzip
from datetime import datetime
from pathlib import Path

PAST, AHEAD, WEEK = 48, 24, 7 * 24
FIRST_OF_TEST = datetime(2011, 11, 1)

COLUMNS = [
    "time",
    *(f"ago_{hours}" for hours in range(PAST, 0, -1)),
    *(f"week_{hour}" for hour in range(1, AHEAD + 1)),
]
TARGETS = [f"ahead_{hour}" for hour in range(1, AHEAD + 1)]


def window(times, rides, now):
    """What is known at an hour."""
    return [times[now], *rides[now - PAST : now], *rides[now - WEEK : now - WEEK + AHEAD]]


def write(name, header, rows):
    with (folder / name).open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    print(f"{name:9}  {len(rows):,} rows")


folder = Path(__file__).parent
with gzip.open(folder / "rides.csv.gz", "rt") as file:
    hours = list(csv.DictReader(file))
times = [hour["time"] for hour in hours]
rides = [int(hour["rides"]) for hour in hours]
parts = {"train.csv": [], "test.csv": []}
for now in range(WEEK, len(rides) - AHEAD + 1):
    row = [*window(times, rides, now), *rides[now : now + AHEAD]]
    if datetime.fromisoformat(times[now]) >= FIRST_OF_TEST:
        parts["test.csv"].append(row)
    elif datetime.fromisoformat(times[now + AHEAD - 1]) < FIRST_OF_TEST:  # no hour of the test is learnt from
        parts["train.csv"].append(row)
for name, rows in parts.items():
    write(name, [*COLUMNS, *TARGETS], rows)
write("next.csv", COLUMNS, [window([*times, "2012-01-01 00:00"], rides, len(rides))])
