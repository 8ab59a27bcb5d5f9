"""Plain baselines on the same images: the distance from the mean, PCA, an isolation forest.

python compare.py

Needs scikit-learn. All learn from train.npz alone; the threshold of each is the 95 % quantile of validation.npz.
"""

from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

NORMAL = 3

folder = Path(__file__).parent
train, validation, test = (np.load(folder / f"{name}.npz") for name in ("train", "validation", "test"))
mean = train["x"].mean(axis=0)
pca = PCA(16).fit(train["x"])
forest = IsolationForest(random_state=0).fit(train["x"])
scores = {
    "distance from the mean": lambda x: ((x - mean) ** 2).mean(axis=1),
    "PCA, 16 components": lambda x: ((x - pca.inverse_transform(pca.transform(x))) ** 2).mean(axis=1),
    "isolation forest": lambda x: -forest.score_samples(x),
}
unusual = test["digit"] != NORMAL
for name, score in scores.items():
    found = score(test["x"])
    above = found > np.quantile(score(validation["x"]), 0.95)
    print(
        f"{name:22}  AUC {roc_auc_score(unusual, found):.3f}  "
        f"found {above[unusual].mean():.3f}  false alarms {above[~unusual].sum()} of {(~unusual).sum()}"
    )
