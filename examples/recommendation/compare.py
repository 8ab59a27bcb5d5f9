"""The network of films.modnet beside simpler predictions, on the test ratings of the spec; draws recommendation.svg.

python compare.py
"""

import csv
from pathlib import Path

import matplotlib
import numpy as np

import modnet

matplotlib.use("Agg")
import matplotlib.pyplot as plt

folder = Path(__file__).parent
FILMS = 40
PULL = 3.0
"""How many ratings of the mean each bias of the baseline counts as, chosen on the test ratings: to its advantage."""

spec, _ = modnet.read_spec(folder / "films.toml")
data = modnet.read_data(spec, folder=folder)
network = modnet.load(folder / "films.modnet")


def ids_and_ratings(*parts):
    """The ids of people and films and their ratings, of some parts of the data together."""
    people, films = (np.concatenate([part.inputs[name][:, 0] for part in parts]) for name in ("person", "film"))
    return people.astype(int), films.astype(int), np.concatenate([part.targets["output"][:, 0] for part in parts])


def biases(people, films, ratings):
    """mean + bias of the person + bias of the film, by ridge regression in turns."""
    mean, of_person, of_film = ratings.mean(), np.zeros(people.max() + 1), np.zeros(films.max() + 1)
    sizes = len(of_person), len(of_film)
    for _ in range(20):
        rest = np.bincount(films, ratings - mean - of_person[people], sizes[1])
        of_film = rest / (np.bincount(films, minlength=sizes[1]) + PULL)
        rest = np.bincount(people, ratings - mean - of_film[films], sizes[0])
        of_person = rest / (np.bincount(people, minlength=sizes[0]) + PULL)
    return mean, of_person, of_film


# The biases learn from the validation ratings too, which have only told the network when to stop.
known = ids_and_ratings(data.train, data.validation)
people, films, ratings = ids_and_ratings(data.test)
mean, of_person, of_film = biases(*known)
of_film = np.append(of_film, np.zeros(max(0, films.max() + 1 - len(of_film))))
predicted = {
    "mean of all ratings": np.full(len(ratings), mean),
    "mean + biases": mean + of_person[people] + of_film[films],
    "network": network.forward(data.test.inputs)[:, 0],
}
errors = {name: float(np.sqrt(np.mean((found - ratings) ** 2))) for name, found in predicted.items()}
print(f"{len(ratings):,} test ratings")
for name, error in errors.items():
    print(f"{name:20}  root mean squared error {error:.4f}")

# The films with the most ratings, by the vectors of the first member, in the two directions in which they differ most.
arrays = network.parameters
ids, rows, counts = np.unique(data.train.inputs["film"][:, 0].astype(int), return_index=True, return_counts=True)
most = np.argsort(-counts)[:FILMS]
vectors = arrays["film_vector.weight"][0, ids[most]]
vectors = vectors + data.train.inputs["genres"][rows[most]] @ arrays["genre_traits.weight"][0]
places = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)[0][:, :2]
with (folder / "ratings.csv").open(encoding="utf-8") as file:
    titles = {row["film"]: row["title"] for row in csv.DictReader(file)}
names = network.card.schema.inputs["film"][0].categories

plt.style.use(folder.parent / "gallery.mplstyle")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), width_ratios=(1, 3))
bars = left.bar(range(len(errors)), errors.values(), color=["#999999", "#56B4E9", "#0072B2"], width=0.7)
left.bar_label(bars, fmt="%.3f")
left.set_xticks(range(len(errors)), ["mean", "biases", "network"])
left.set(ylim=(0, 1.15), title="Error on test ratings")
right.scatter(*places.T, s=8, color="#0072B2")
width, height = np.ptp(places, axis=0)
named = []
for place, row in zip(places, most, strict=True):
    # A name that would lie on that of a film with more ratings is left out.
    if any(abs(place[0] - x) < 0.2 * width and abs(place[1] - y) < 0.025 * height for x, y in named):
        continue
    named.append(place)
    title = titles[names[ids[row] - 1]].partition(" (")[0].partition(":")[0]  # id 0 is that of unknown films
    right.annotate(title[:22], place, xytext=(3, 2), textcoords="offset points", fontsize=7)
right.set(title="What the network knows of films", xticks=[], yticks=[])
figure.savefig(folder / "recommendation.svg", metadata={"Date": None})
