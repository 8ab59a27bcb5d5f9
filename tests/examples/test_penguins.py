import csv
import re
import subprocess
import sys

import numpy as np


def test_from_a_table_to_predictions(examples, modnet):
    folder = examples / "penguins"
    shipped = (folder / "penguins.toml").read_text()
    assert modnet(folder, "new-spec", "penguins.csv", "--target", "species", "--effort", "quick") == shipped

    printed = modnet(folder, "train", "penguins.toml")
    assert "344 rows: 275 to train, 69 to validate (stratified)" in printed
    assert "11 rows had missing values" in printed
    assert float(re.search(r"val accuracy (\S+) \(", printed)[1]) > 0.95

    modnet(folder, "predict", "penguins.modnet", "new.csv", "-o", "mine.csv")
    classes, probabilities = read(folder / "mine.csv")
    expected_classes, expected = read(folder / "predictions.csv")
    assert classes == expected_classes
    np.testing.assert_allclose(probabilities, expected, atol=0.01)

    script = (folder / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "['Adelie', 'Gentoo']\nAdelie\n"


def read(path):
    header, *rows = csv.reader(path.read_text().splitlines())
    assert header == ["species", "P(Adelie)", "P(Chinstrap)", "P(Gentoo)"]
    return [row[0] for row in rows], [[float(value) for value in row[1:]] for row in rows]
