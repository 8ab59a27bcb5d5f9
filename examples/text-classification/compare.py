"""Plain baselines on the same names: naive Bayes and logistic regression on the n-grams of 1 to 3 characters.

python compare.py

Needs scikit-learn. Both learn from names.csv and are measured on test.csv, as the network is.
"""

import csv
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline


def names_and_languages(path):
    with (Path(__file__).parent / path).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [f" {row['name']} " for row in rows], [row["language"] for row in rows]


x, y = names_and_languages("names.csv")
x_test, y_test = names_and_languages("test.csv")
ngrams = {"analyzer": "char", "ngram_range": (1, 3)}
baselines = {
    "naive Bayes": make_pipeline(CountVectorizer(**ngrams), MultinomialNB(alpha=0.3)),
    "logistic regression": make_pipeline(TfidfVectorizer(**ngrams), LogisticRegression(C=10, max_iter=500)),
}
for name, baseline in baselines.items():
    found = baseline.fit(x, y).predict(x_test)
    hits = sum(a == b for a, b in zip(found, y_test, strict=True))
    print(f"{name:19}  {hits} of {len(y_test)} test names right ({hits / len(y_test):.3f})")
