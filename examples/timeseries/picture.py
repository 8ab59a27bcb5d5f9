"""Draws a week of forecasts, one made at each midnight, from predicted.csv: rides.svg. Needs matplotlib.

modnet predict rides.modnet test.csv --keep-all -o predicted.csv
python picture.py
"""

import csv
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

FIRST = "2011-11-07 00:00"  # a Monday
DAYS = 7

folder = Path(__file__).parent
with (folder / "predicted.csv").open() as file:
    rows = list(csv.DictReader(file))
first = [row["time"] for row in rows].index(FIRST)
chosen = rows[first : first + 24 * DAYS : 24]


def hours(name):
    return np.array([[float(row[name.format(hour)]) for hour in range(1, 25)] for row in chosen]).ravel()


came, forecast, week = hours("ahead_{} (given)"), hours("ahead_{}"), hours("week_{}")
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rides", "font.size": 9})
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
days = np.arange(24 * DAYS) / 24
axes.plot(days, week, color="#999999", linewidth=1, label="last week again")
axes.plot(days, came, color="black", linewidth=1.5, label="rides")
axes.plot(days, forecast, color="#D55E00", linewidth=1.5, label="forecast of the network")
axes.set_xticks(np.arange(DAYS) + 0.5, ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
axes.tick_params(axis="x", length=0)
for day in range(1, DAYS):
    axes.axvline(day, color="#dddddd", linewidth=0.8, zorder=0)
axes.set_ylabel("rides in an hour")
axes.set_title("7 to 13 November 2011, each day forecast at its midnight")
axes.legend(frameon=False, loc="upper right", ncols=3)
axes.set_ylim(0, 1.2 * max(came.max(), forecast.max(), week.max()))
axes.margins(x=0)
axes.spines[["top", "right"]].set_visible(False)
figure.savefig(folder / "rides.svg", metadata={"Date": None})
print(f"rides.svg  mean absolute error of this week {np.abs(forecast - came).mean():.1f} rides")
