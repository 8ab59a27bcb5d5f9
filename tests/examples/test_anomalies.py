import re

import pytest


def test_the_commands_of_the_page(examples, console):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: extra plot")
    pytest.importorskip("sklearn", reason="the comparison is with scikit-learn: extra parity")
    folder = examples / "anomalies"
    (folder / "anomalies.svg").unlink()
    printed = console(folder, {})
    assert printed["python prepare.py"].endswith("test.npz        43 threes, 1,614 other digits\n")
    plain = [float(auc) for auc in re.findall(r"AUC (\S+)", printed["python compare.py"])]
    assert plain == pytest.approx([0.941, 0.967, 0.956], abs=0.005)
    found = printed["python score.py"]
    assert float(re.search(r"AUC +(\S+)", found)[1]) > max(plain)
    assert float(re.search(r"other digits \((\S+)\)", found)[1]) > 0.95
    assert "threshold" in (folder / "anomalies.svg").read_text()
