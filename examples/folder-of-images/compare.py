"""Plain baselines on the same images: logistic regression on the pixels, and the nearest image.

python compare.py

Needs scikit-learn. Both learn from all of pictures/ and are measured on test/, as the network is.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def pixels_and_classes(part):
    files = sorted((Path(__file__).parent / part).glob("*/*.png"))
    pixels = np.array([np.asarray(Image.open(file), dtype=float).ravel() for file in files])
    return pixels, np.array([file.parent.name for file in files])


x, y = pixels_and_classes("pictures")
x_test, y_test = pixels_and_classes("test")
baselines = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "nearest image": KNeighborsClassifier(1),
}
for name, baseline in baselines.items():
    hits = int((baseline.fit(x, y).predict(x_test) == y_test).sum())
    print(f"{name:19}  {hits} of {len(y_test)} test images right ({hits / len(y_test):.3f})")
