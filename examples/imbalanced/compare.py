"""The networks of this folder beside scikit-learn, on the test rows of the spec; draws imbalanced.svg.

python compare.py

scikit-learn's two models learn from the rows that the networks learn from and from those that validate them.
"""

from pathlib import Path

import matplotlib
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss, precision_recall_curve, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import modnet

matplotlib.use("Agg")
import matplotlib.pyplot as plt

folder = Path(__file__).parent
GROUPS = 10

spec, _ = modnet.read_spec(folder / "crashes.toml")
data = modnet.read_data(spec, folder=folder)
(x, y), (x_more, y_more), (x_test, y_test) = (
    (part.inputs["input"], part.targets["output"]) for part in (data.train, data.validation, data.test)
)
x, y = np.concatenate([x, x_more]), np.concatenate([y, y_more])


def in_groups(probabilities):
    """The mean probability and the share of deaths of ten groups of equal size, from the least probable on."""
    parts = np.array_split(np.argsort(probabilities, kind="stable"), GROUPS)
    return np.array([(probabilities[part].mean(), y_test[part].mean()) for part in parts]).T


found = {}
for name, title in {
    "plain": "network",
    "balanced": "network, balanced weights",
    "focal": "network, focal loss",
    "calibrated": "network, focal loss, calibrated",
}.items():
    found[title] = modnet.load(folder / f"{name}.modnet").forward(x_test)[:, 1]
peers = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
    "gradient boosting": HistGradientBoostingClassifier(random_state=0),
}
for title, peer in peers.items():
    found[title] = peer.fit(x, y).predict_proba(x_test)[:, 1]

print(f"{'':32}  AUC    average precision  log loss  calibration error")
for title, p in found.items():
    predicted, true = in_groups(p)
    figures = roc_auc_score(y_test, p), average_precision_score(y_test, p), log_loss(y_test, p)
    print(
        "{:32}  {:.3f}  {:.3f}              {:.4f}    {:.4f}".format(title, *figures, np.abs(predicted - true).mean())
    )

p = found["network"]
print("\nthreshold  predicted to die  of these died  found of all who died")
for threshold in (0.5, 0.2, 0.1, 0.05):
    chosen = p >= threshold
    found_of_all = y_test[chosen].sum() / y_test.sum()
    print(f"{threshold:<9}  {chosen.sum():<16,}  {y_test[chosen].mean():<13.0%}  {found_of_all:.0%}")

plt.style.use(folder.parent / "gallery.mplstyle")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
for title in ("network", "network, balanced weights", "network, focal loss", "network, focal loss, calibrated"):
    left.plot(*in_groups(found[title]), marker="o", markersize=4, label=title.removeprefix("network, "))
left.plot([1e-3, 1], [1e-3, 1], color="gray", linewidth=1, linestyle=":")
left.set(xscale="log", yscale="log", xlabel="probability that was predicted", ylabel="share that died")
left.set_title("Ten groups of test rows")
left.legend()
for title in ("network", *peers):
    precision, recall, _ = precision_recall_curve(y_test, found[title])
    few = np.linspace(0, len(recall) - 1, 200).astype(int)  # more points would not be seen
    right.plot(recall[few], precision[few], label=f"{title} ({average_precision_score(y_test, found[title]):.2f})")
right.axhline(y_test.mean(), color="gray", linewidth=1, linestyle=":")
right.set(xlabel="recall", ylabel="precision", ylim=(0, 1), title="Average precision")
right.legend()
figure.savefig(folder / "imbalanced.svg", metadata={"Date": None})
