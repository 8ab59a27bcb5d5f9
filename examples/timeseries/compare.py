"""Plain baselines on the same windows: the last value, the same hours of yesterday and of last week, linear regression.

python compare.py

Needs scikit-learn. Mean absolute errors on test.csv, over all 24 hours of all forecasts. The regression reads the
columns that the network reads: the hours before, and the hour and the day of the week, each as a column of 0 and 1.
"""

import csv
from datetime import datetime
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression


def arrays(name):
    """What is known, (rows, 72), the calendar, (rows, 31), and the hours to predict, (rows, 24)."""
    with (Path(__file__).parent / name).open() as file:
        _, *rows = csv.reader(file)
    numbers = np.array([row[1:] for row in rows], dtype=float)
    times = [datetime.fromisoformat(row[0]) for row in rows]
    hours, days = np.eye(24)[[time.hour for time in times]], np.eye(7)[[time.weekday() for time in times]]
    return numbers[:, :72], np.concatenate([hours, days], axis=1), numbers[:, 72:]


known, calendar, ahead = arrays("train.csv")
known_test, calendar_test, ahead_test = arrays("test.csv")
linear = LinearRegression().fit(np.concatenate([known, calendar], axis=1), ahead)
forecasts = {
    "the last hour again": np.repeat(known_test[:, 47:48], 24, axis=1),
    "yesterday again": known_test[:, 24:48],
    "last week again": known_test[:, 48:],
    "linear regression": linear.predict(np.concatenate([known_test, calendar_test], axis=1)),
}
for name, forecast in forecasts.items():
    print(f"{name:19}  mean absolute error {np.abs(forecast - ahead_test).mean():5.2f} rides")
