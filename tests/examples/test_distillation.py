import re

import numpy as np
import pytest

pytest.importorskip("modnet_conv", reason="the example needs the plugin: pip install plugins/modnet-conv")


def test_the_commands_of_the_page(examples, console):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: extra plot")
    folder = examples / "distillation"
    (folder / "distillation.svg").unlink()
    printed = console(
        folder,
        {
            "modnet train teacher": ("--set", "training.epochs=2", "--set", "network.members=2"),
            "modnet train student": ("--set", "training.epochs=15"),
            "python compare": ("--seeds", "2", "--epochs", "15"),
        },
    )
    with np.load(folder / "probabilities.npz") as teacher, np.load(folder / "soft.npz") as soft:
        assert (teacher["output"].argmax(axis=1) == soft["y"].argmax(axis=1)).all()
        assert (soft["y"].max(axis=1) <= teacher["output"].max(axis=1) + 1e-6).all()
        np.testing.assert_allclose(soft["y"].sum(axis=1), 1, rtol=1e-5)
    rows = re.findall(
        r"^(student alone|student, distilled|teacher) +([\d,]+) +(\S+) .* (\d+)$", printed["python compare.py"], re.M
    )
    accuracy = {name: float(figure) for name, _, figure, _ in rows}
    microseconds = {name: int(figure) for name, *_, figure in rows}
    assert accuracy["teacher"] > 0.8
    assert accuracy["student, distilled"] > 0.75
    assert microseconds["teacher"] > 10 * microseconds["student, distilled"]
    assert "What the teacher says" in (folder / "distillation.svg").read_text()
