"""A plain baseline on the same strips: a logistic regression of its own for each tag, on the pixels.

python compare.py

Needs scikit-learn. It learns from strips.csv and is measured on test.csv, as the network is; a tag is present from a
probability of one half on.
"""

import csv
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TAGS = "0123456789"


def pixels_and_tags(name):
    with (Path(__file__).parent / name).open() as file:
        _, *rows = csv.reader(file)
    pixels = np.array([row[:-1] for row in rows], dtype=float)
    return pixels, np.array([[tag in row[-1].split("; ") for tag in TAGS] for row in rows])


x, y = pixels_and_tags("strips.csv")
x_test, y_test = pixels_and_tags("test.csv")
model = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(C=0.01, max_iter=300))).fit(x, y)
probabilities = model.predict_proba(x_test)
found = probabilities > 0.5
print("logistic regression for each tag")
print(f"f1 (macro)  {f1_score(y_test, found, average='macro'):.3f}")
print(f"f1 (micro)  {f1_score(y_test, found, average='micro'):.3f}")
print(f"auc         {roc_auc_score(y_test, probabilities):.3f}")
print(f"all tags right  {(found == y_test).all(axis=1).sum()} of {len(y_test)} strips")
