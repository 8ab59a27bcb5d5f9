"""Windows for training from the months before 1959: train.npz.

What is predicted is the change of the logarithm, log(passengers) - log(passengers of the month before): it has neither
trend nor growing swings. A window has 36 changes, and for each of them the next one as the target.
"""

import csv
from pathlib import Path

import numpy as np

WINDOW, HELD_OUT = 36, 24

folder = Path(__file__).parent
with (folder / "flights.csv").open() as file:
    passengers = np.array([float(row["passengers"]) for row in csv.DictReader(file)])
changes = np.diff(np.log(passengers[:-HELD_OUT]))
windows = np.lib.stride_tricks.sliding_window_view(changes, WINDOW + 1)[..., None]
np.savez(folder / "train.npz", x=windows[:, :-1], y=windows[:, 1:])
print(f"train.npz  {len(windows)} windows of {WINDOW} months")
