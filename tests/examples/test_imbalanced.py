import re

import pytest


def test_the_commands_of_the_page(examples, console):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: extra plot")
    pytest.importorskip("sklearn", reason="the comparison is with scikit-learn: extra parity")
    folder = examples / "imbalanced"
    (folder / "imbalanced.svg").unlink()
    spec = (folder / "crashes.toml").read_text()
    spec = spec.replace('"crashes.csv.gz"', '{ path = "crashes.csv.gz", rows = [0, 9000] }').replace(
        "members = 5", "members = 2"
    )
    (folder / "crashes.toml").write_text(spec)
    printed = console(
        folder, {"modnet train": ("--set", "training.epochs=8"), "modnet compare": ("--resamples", "100")}
    )
    assert (
        "9,000 rows: 5,401 to train, 1,800 to validate, 1,799 to test"
        in printed["modnet train crashes.toml -o plain.modnet"]
    )
    figures = {
        line[:32].strip(): [float(number) for number in line[32:].split()]
        for line in printed["python compare.py"].splitlines()[1:7]
    }
    auc, precision, loss, off = (
        dict(zip(figures, column, strict=True)) for column in zip(*figures.values(), strict=True)
    )
    network, balanced, focal = "network", "network, balanced weights", "network, focal loss"
    # What the page says: the same order, but probabilities that only the plain loss or a temperature make true.
    assert max(auc.values()) - min(auc.values()) < 0.03
    assert precision[network] > 0.25
    assert off[network] < 0.02
    assert off[balanced] > 0.15
    assert off[focal] > 0.08
    assert off["network, focal loss, calibrated"] < 0.02
    assert loss[network] < loss[focal] < loss[balanced]
    assert "focal loss, calibrated" in (folder / "imbalanced.svg").read_text()

    command = "modnet predict plain.modnet new.csv --threshold yes=0.05"
    title, first, _, last, *_ = printed[command].splitlines()
    assert title == "died,P(no),P(yes)"
    assert (first[:3], last[:4]) == ("no,", "yes,")
    temperature = next(text for command, text in printed.items() if command.startswith("modnet calibrate"))
    assert float(re.search(r"temperature +1 +(\S+)", temperature)[1]) < 0.6
